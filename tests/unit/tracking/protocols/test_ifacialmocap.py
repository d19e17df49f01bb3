"""iFacialMocap's texts are read part by part, and the phone is kept talking."""

from __future__ import annotations

import math

import pytest

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.ifacialmocap import (
    DOUBLED_NS,
    GREETING,
    GREETING_INTERVAL_NS,
    GREETING_TCP,
    IFacialMocapProtocol,
)
from vtbridge.tracking.protocols.protocol import Greeting

T0 = 1_000_000_000
FRAME_NS = 16_666_667
V1 = b"mouthSmile_R-12|eyeBlink_L-7|jawLeft-0|=head#10.0,20.0,-30.0,0.1,0.2,0.3|"
EYES = b"rightEye#5.0,-6.0,0.0|leftEye#5.0,7.0,0.0|"


@pytest.fixture
def phone() -> IFacialMocapProtocol:
    protocol = IFacialMocapProtocol()
    protocol.reset("ifacialmocap:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def test_v1_text_is_read(phone: IFacialMocapProtocol) -> None:
    frame = only(phone.feed(V1, T0))
    assert (frame.t_ns, frame.source, frame.tracked) == (T0, "ifacialmocap:test", True)
    assert frame.blendshapes == {"mouthSmileRight": 0.12, "eyeBlinkLeft": 0.07, "jawLeft": 0.0}


def test_v2_text_is_read_and_may_be_negative(phone: IFacialMocapProtocol) -> None:
    frame = only(phone.feed(b"mouthSmileRight&12|eyeBlinkLeft&-3|jawOpen&101|=", T0))
    assert frame.blendshapes == {"mouthSmileRight": 0.12, "eyeBlinkLeft": 0.0, "jawOpen": 1.0}


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        (b"jawOpen--5", 0.0),
        (b"jawOpen&-5", 0.0),
        (b"jawOpen-1e+1", 0.1),
        (b"jawOpen-50e-1", 0.05),
        (b"jawOpen-.5e1", 0.05),
        (b"jawOpen&+5.", 0.05),
    ],
)
def test_numbers_may_have_signs_and_exponents(
    phone: IFacialMocapProtocol, text: bytes, weight: float
) -> None:
    assert only(phone.feed(text, T0)).blendshapes == {"jawOpen": weight}


def test_angles_have_the_documented_signs(phone: IFacialMocapProtocol) -> None:
    frame = only(phone.feed(V1 + EYES, T0))
    assert frame.head is not None
    angles = (frame.head.pitch_rad, frame.head.yaw_rad, frame.head.roll_rad)
    assert [math.degrees(a) for a in angles] == pytest.approx([-10.0, -20.0, -30.0])
    assert frame.right_eye == Gaze(math.radians(-5.0), math.radians(6.0))
    assert frame.left_eye == Gaze(math.radians(-5.0), math.radians(-7.0))


@pytest.mark.parametrize(
    "damage",
    [
        b"jawOpen",
        b"jawOpen-",
        b"jawOpen-many",
        b"jawOpen&nan",
        b"jawOpen&1e38",
        b"jawOpen-1_0",
        b"jawOpen&1_0",
        b"jawOpen- 5",
        b"jawOpen&1 0",
        b"jawOpen-0x5",
        b"=head#1_0,0,0,0,0,0|",
        b"=head#0,1 0,0,0,0,0|",
        b"-",
        b"=head#1,2|",
        b"=head#a,b,c|",
        b"=head#nan,0,0,0,0,0|",
        b"=head#1e38,0,0,0,0,0|",
        b"leftEye#1,inf,0|",
    ],
)
def test_bad_part_is_dropped_and_the_rest_kept(phone: IFacialMocapProtocol, damage: bytes) -> None:
    before = only(phone.feed(V1 + EYES, T0))
    frame = only(phone.feed(b"mouthSmile_R-50|" + damage + b"|eyeBlink_L-60|", T0 + FRAME_NS))
    assert frame.blendshapes == {**before.blendshapes, "mouthSmileRight": 0.5, "eyeBlinkLeft": 0.6}
    assert (frame.head, frame.left_eye) == (before.head, before.left_eye)
    assert phone.values_dropped == 1


def test_unknown_names_are_ignored(phone: IFacialMocapProtocol) -> None:
    assert only(phone.feed(b"hat-3|tail#1,2,3|jawOpen-4", T0)).blendshapes == {"jawOpen": 0.04}
    assert phone.values_dropped == 0


@pytest.mark.parametrize(
    "datagram", [b"", b"|||", b"hello", b"\xff\xfe\0", b"FMV3\1\0", b"a|" * 5_000, b"x-1|y-2"]
)
def test_what_is_not_its_text_is_refused(phone: IFacialMocapProtocol, datagram: bytes) -> None:
    with pytest.raises(PacketError):
        phone.feed(datagram, T0)


def test_repeated_datagram_means_a_lost_face(phone: IFacialMocapProtocol) -> None:
    first = only(phone.feed(V1, T0))
    repeated = only(phone.feed(V1, T0 + FRAME_NS))
    assert not repeated.tracked
    assert repeated.blendshapes == first.blendshapes
    assert only(phone.feed(V1 + EYES, T0 + 2 * FRAME_NS)).tracked


def test_datagram_doubled_by_the_network_is_no_loss(phone: IFacialMocapProtocol) -> None:
    phone.feed(V1, T0)
    assert phone.feed(V1, T0 + DOUBLED_NS - 1) == []


def test_phone_is_greeted_at_once_and_again_in_silence() -> None:
    phone = IFacialMocapProtocol("192.168.1.20")
    expected = Greeting(GREETING + b"|sendDataVersion=v2", "192.168.1.20", 49983)
    assert phone.greeting(T0) == expected
    assert phone.greeting(T0 + GREETING_INTERVAL_NS - 1) is None
    assert phone.greeting(T0 + GREETING_INTERVAL_NS) == expected


def test_talking_phone_is_not_greeted() -> None:
    phone = IFacialMocapProtocol("192.168.1.20", ask_for_v2=False)
    assert phone.greeting(T0) == Greeting(GREETING, "192.168.1.20", 49983)
    for frame in range(1, 400):
        phone.feed(f"jawOpen-{frame % 100}|".encode(), T0 + frame * FRAME_NS)
        assert phone.greeting(T0 + frame * FRAME_NS) is None
    last_ns = T0 + 399 * FRAME_NS
    assert phone.greeting(last_ns + GREETING_INTERVAL_NS) is not None


def test_greeting_goes_on_after_a_new_sender() -> None:
    phone = IFacialMocapProtocol("192.168.1.20")
    phone.greeting(T0)
    phone.reset("ifacialmocap:192.168.1.20:49983")
    assert phone.greeting(T0 + 1) is None


def test_phone_that_answered_is_greeted_at_once_on_a_new_connection() -> None:
    phone = IFacialMocapProtocol("192.168.1.20", transport="tcp")
    phone.greeting(T0)
    phone.feed(b"jawOpen-3|", T0 + 1)
    phone.reset("ifacialmocap:192.168.1.20")
    assert phone.greeting(T0 + 2) is not None
    with pytest.raises(PacketError):
        phone.feed(b"?", T0 + 3)  # no answer
    phone.reset("ifacialmocap:192.168.1.20")
    assert phone.greeting(T0 + 4) is None


def test_nobody_is_greeted_without_an_address(phone: IFacialMocapProtocol) -> None:
    assert phone.greeting(T0) is None
    assert phone.flush(T0) == []


def test_phone_is_asked_over_udp_to_connect() -> None:
    phone = IFacialMocapProtocol("192.168.1.20", transport="tcp")
    words = GREETING_TCP + b"|sendDataVersion=v2"
    assert phone.greeting(T0) == Greeting(words, "192.168.1.20", 49983)


@pytest.mark.parametrize("separator", [b"-", b"&"])
def test_newer_apps_say_whether_they_see_a_face(
    phone: IFacialMocapProtocol, separator: bytes
) -> None:
    seen = b"trackingStatus" + separator + b"1|jawOpen" + separator + b"4|"
    lost = seen.replace(separator + b"1|", separator + b"0|")
    assert only(phone.feed(seen, T0)).tracked
    frame = only(phone.feed(lost, T0 + FRAME_NS))
    assert not frame.tracked
    assert frame.blendshapes == {"jawOpen": 0.04}
    assert only(phone.feed(b"jawOpen-9|", T0 + 2 * FRAME_NS)).tracked


def test_meowfaces_spaces_are_read(phone: IFacialMocapProtocol) -> None:
    frame = only(phone.feed(b"eyeBlinkLeft & 29|jawOpen & -3|=head#1,2,3,0,0,0|", T0))
    assert frame.blendshapes == {"eyeBlinkLeft": 0.29, "jawOpen": 0.0}


@pytest.mark.parametrize("datagram", [V1, b"=head#1,2,3,0,0,0|", b"jawOpen & 3|", b"|jawOpen-3|"])
def test_its_text_is_recognised(datagram: bytes) -> None:
    assert IFacialMocapProtocol.recognises(datagram)


@pytest.mark.parametrize(
    "datagram", [b"", b"|||", b"FMV3\1\0|", b"{|}", b"#bundle\0|", b"/VMC/Ext/OK\0|", b"\6\0|"]
)
def test_what_is_not_its_text_is_not_recognised(datagram: bytes) -> None:
    assert not IFacialMocapProtocol.recognises(datagram)
