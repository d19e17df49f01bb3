"""Datagrams recorded from real OSC face senders give plausible faces."""

from __future__ import annotations

from pathlib import Path

from tests.support.captures import read_capture
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.mediapipe_osc import MediaPipeOscProtocol
from vtbridge.tracking.protocols.protocol import QUIET_NS

T0 = NS_PER_S
SENT_FACES = 273


def replayed(capture: Path) -> list[FaceFrame]:
    """Return the faces of the capture, flushed in every pause as the receiver does."""
    protocol = MediaPipeOscProtocol()
    protocol.reset("test")
    frames: list[FaceFrame] = []
    last_ns = T0
    for datagram in read_capture(capture):
        assert MediaPipeOscProtocol.recognises(datagram.data)
        t_ns = T0 + round(datagram.t_s * NS_PER_S)
        if t_ns - last_ns >= QUIET_NS:
            frames += protocol.flush(last_ns + QUIET_NS)
        frames += protocol.feed(datagram.data, t_ns)
        last_ns = t_ns
    assert protocol.values_dropped == 0
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
        T0 + round(datagram.t_s * NS_PER_S)
        for datagram in datagrams
        if datagram.data.startswith(b"/noseSneerRight\0")
    }
    protocol = MediaPipeOscProtocol()
    protocol.reset("test")
    at_once = [
        t_ns
        for datagram in datagrams
        for t_ns in [T0 + round(datagram.t_s * NS_PER_S)]
        if any(frame.t_ns == t_ns for frame in protocol.feed(datagram.data, t_ns))
    ]
    assert len(at_once) >= SENT_FACES - 2
    assert set(at_once) <= last_of_a_face
