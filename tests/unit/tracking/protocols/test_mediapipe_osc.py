"""Blendshapes whose names are the addresses are a face as soon as all have come."""

from __future__ import annotations

import pytest

from tests.support.osc_packets import message
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.mediapipe_osc import MediaPipeOscProtocol
from vtbridge.tracking.protocols.protocol import QUIET_NS

T0 = 1_000_000_000
SENT = ["_neutral", *(name for name in ARKIT_NAMES if name != "tongueOut")]


@pytest.fixture
def mediapipe() -> MediaPipeOscProtocol:
    protocol = MediaPipeOscProtocol()
    protocol.reset("mediapipe_osc:test")
    return protocol


def fed(protocol: MediaPipeOscProtocol, names: list[str], t_ns: int = T0) -> list[FaceFrame]:
    return [frame for name in names for frame in protocol.feed(message(f"/{name}", 0.5), t_ns)]


@pytest.mark.parametrize("names", [SENT, SENT[::-1]], ids=["in order", "reversed"])
def test_face_is_complete_with_its_last_blendshape(
    mediapipe: MediaPipeOscProtocol, names: list[str]
) -> None:
    for t_ns in (T0, T0 + 33_000_000):
        (frame,) = fed(mediapipe, names, t_ns)
        assert frame.t_ns == t_ns
        assert frame.blendshapes == dict.fromkeys(SENT[1:], 0.5)
        assert (frame.head, frame.left_eye, frame.tracked) == (None, None, True)


def test_face_with_a_lost_datagram_is_complete_after_quiet(mediapipe: MediaPipeOscProtocol) -> None:
    assert fed(mediapipe, SENT[:-1]) == []
    (frame,) = mediapipe.flush(T0 + QUIET_NS)
    assert len(frame.blendshapes) == 50
    assert len(fed(mediapipe, SENT, T0 + QUIET_NS)) == 1


def test_neutral_alone_is_no_face(mediapipe: MediaPipeOscProtocol) -> None:
    assert MediaPipeOscProtocol.recognises(message("/_neutral", 0.5))
    assert fed(mediapipe, ["_neutral"]) == []
    assert not mediapipe.waiting


def test_cheeks_of_babble_are_one_cheek_puff(mediapipe: MediaPipeOscProtocol) -> None:
    mediapipe.feed(message("/cheekPuffLeft", 1.0), T0)
    mediapipe.feed(message("/cheekPuffRight", 0.5), T0)
    mediapipe.feed(message("/tongueOut", 0.25), T0)
    (frame,) = mediapipe.flush(T0 + QUIET_NS)
    assert frame.blendshapes == {"cheekPuff": 0.75, "tongueOut": 0.25}


def test_message_without_a_number_is_dropped(mediapipe: MediaPipeOscProtocol) -> None:
    for packet in (message("/jawOpen"), message("/jawOpen", "wide"), message("/cheekPuffLeft")):
        mediapipe.feed(packet, T0)
    assert mediapipe.values_dropped == 3
    assert not mediapipe.waiting


@pytest.mark.parametrize("address", ["/JawOpen", "/jawopen", "/jawOpen/x", "/x/jawOpen", "/jaw"])
def test_only_the_exact_names_are_addresses(mediapipe: MediaPipeOscProtocol, address: str) -> None:
    assert not MediaPipeOscProtocol.recognises(message(address, 0.5))
    with pytest.raises(PacketError, match="mediapipe_osc"):
        mediapipe.feed(message(address, 0.5), T0)
