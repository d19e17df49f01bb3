"""Datagrams recorded from real OSC face senders give plausible faces."""

from __future__ import annotations

from pathlib import Path

from tests.support.captures import FIRST_NS, faces_of_capture, read_capture
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.mediapipe_osc import MediaPipeOscProtocol

SENT_FACES = 273


def replayed(capture: Path) -> list[FaceFrame]:
    protocol = MediaPipeOscProtocol()
    frames = faces_of_capture(capture, protocol)
    assert not protocol.waiting
    return frames


def test_mediapipe_osc_is_an_arkit_face_of_single_messages(captures: Path) -> None:
    frames = replayed(captures / "osc_MediaPipe-OSC_8888.udpcap")
    assert SENT_FACES <= len(frames) <= SENT_FACES + 1  # one of them was held up half-way
    for frame in frames[2:]:
        assert set(frame.blendshapes) == set(ARKIT_NAMES) - {"tongueOut"}
        assert (frame.presets, frame.head, frame.left_eye) == ({}, None, None)
        assert frame.tracked
    times = [frame.t_ns for frame in frames]
    assert times == sorted(times)
    for name in ("mouthLowerDownRight", "browOuterUpLeft", "eyeLookDownLeft", "eyeSquintRight"):
        weights = [frame.blendshapes[name] for frame in frames[2:]]
        assert min(weights) < 0.1
        assert max(weights) > 0.6
    for name in ("cheekPuff", "noseSneerLeft"):  # what MediaPipe hardly knows
        assert max(frame.blendshapes[name] for frame in frames[2:]) < 0.1


def test_faces_come_without_waiting_for_quiet(captures: Path) -> None:
    """Each face carries the time of its own last message, not of the flush after it."""
    datagrams = list(read_capture(captures / "osc_MediaPipe-OSC_8888.udpcap"))
    last_of_a_face = {
        FIRST_NS + round(datagram.t_s * NS_PER_S)
        for datagram in datagrams
        if datagram.data.startswith(b"/noseSneerRight\0")
    }
    protocol = MediaPipeOscProtocol()
    protocol.reset("test")
    at_once = [
        t_ns
        for datagram in datagrams
        for t_ns in [FIRST_NS + round(datagram.t_s * NS_PER_S)]
        if any(frame.t_ns == t_ns for frame in protocol.feed(datagram.data, t_ns))
    ]
    assert len(at_once) >= SENT_FACES - 2
    assert set(at_once) <= last_of_a_face
