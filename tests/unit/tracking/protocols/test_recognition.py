"""On a port that all OSC protocols share, each datagram finds its own."""

from __future__ import annotations

import pytest

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow, Wire
from vtbridge.tracking.settings import TrackingSettings

OSC_ROWS = [row for row in PROTOCOLS if row.wire is Wire.OSC]
NAMES = [row.name for row in OSC_ROWS]
FACE = FaceFrame(
    1,
    blendshapes=dict.fromkeys(ARKIT_NAMES, 0.5),
    head=HeadPose(0.1, 0.2, 0.3),
    left_eye=Gaze(0.1, 0.1),
    right_eye=Gaze(0.1, 0.1),
)


def owners(datagram: bytes) -> list[str]:
    settings = TrackingSettings()
    return [row.name for row in OSC_ROWS if row.create(settings).recognises(datagram)]


def test_the_osc_protocols_are_these() -> None:
    assert set(NAMES) == {
        *{"vmc", "vrcft", "visage", "phiz", "zig_sim", "face_cap", "mediapipe_osc"}
    }


@pytest.mark.parametrize("row", OSC_ROWS, ids=NAMES)
def test_what_a_protocol_sends_is_its_own_only(row: ProtocolRow) -> None:
    for datagram in row.encoder()(FACE):
        assert owners(datagram) == [row.name]


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"/",
        b"#bundle\0",
        bundle(),
        message("/mixer/fader", 0.5),
        message("/avatar/parameters/HeartRate", 0.5),
        message("/face", 0.5),
        message("/jaw", 0.5),
        b"eyeBlinkLeft&50|jawOpen&10|=head#1,2,3,4,5,6|",
        b'{"BlendShapes":[{"k":"JawOpen","v":0.5}]}',
        bytes(1785),
    ],
)
def test_what_is_no_face_has_no_owner(datagram: bytes) -> None:
    assert owners(datagram) == []
