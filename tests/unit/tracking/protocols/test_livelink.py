"""Live Link Face's datagrams are read by length, its frames counted as they step."""

from __future__ import annotations

import struct

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.livelink import ANGLE_NAMES, SHAPE_NAMES
from vtbridge.tracking.protocols.livelink import LiveLinkProtocol
from vtbridge.tracking.recordings.face_json import encode_face, parse_face

T0 = 1_000_000_000
PHONE_ID = b"E5084835-16B8-4D0B-89BF-000000000000"
OTHER_ID = b"$33ff04be-e66c-11f1-9ae0-02fc000"
VALUES = [number / 100 for number in range(61)]


def datagram(
    values: list[float] | None = VALUES, *, frame: int = 0, device: bytes = PHONE_ID
) -> bytes:
    subject = "iPhone é".encode()
    head = b"\6" + struct.pack(">I", len(device)) + device
    head += struct.pack(">I", len(subject)) + subject + struct.pack(">ifii", frame, 0.5, 60, 1)
    return head if values is None else head + struct.pack(f">B{len(values)}f", len(values), *values)


@pytest.fixture
def phone() -> LiveLinkProtocol:
    protocol = LiveLinkProtocol()
    protocol.reset("livelink:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def numbered(phone: LiveLinkProtocol, frames: list[int]) -> list[int]:
    """Return how many faces each frame number gives."""
    return [len(phone.feed(datagram(frame=frame), T0)) for frame in frames]


@pytest.mark.parametrize("device", [PHONE_ID, OTHER_ID])
def test_values_have_their_names(phone: LiveLinkProtocol, device: bytes) -> None:
    face = only(phone.feed(datagram(device=device), T0))
    assert (face.t_ns, face.source, face.tracked) == (T0, "livelink:test", True)
    assert set(face.blendshapes) == set(ARKIT_NAMES)
    expected = {"eyeBlinkLeft": 0.0, "jawLeft": 0.15, "jawRight": 0.16, "jawOpen": 0.17}
    expected |= {"mouthLeft": 0.21, "mouthRight": 0.22, "browInnerUp": 0.43, "tongueOut": 0.51}
    for name, value in expected.items():
        assert face.blendshapes[name] == pytest.approx(value)


def test_angles_have_their_signs(phone: LiveLinkProtocol) -> None:
    face = only(phone.feed(datagram(), T0))
    assert face.head is not None
    assert face.left_eye is not None
    assert face.right_eye is not None
    head, left, right = face.head, face.left_eye, face.right_eye
    assert (head.yaw_rad, head.pitch_rad, head.roll_rad) == pytest.approx((0.52, -0.53, -0.54))
    assert (left.yaw_rad, left.pitch_rad) == pytest.approx((0.55, -0.56))
    assert (right.yaw_rad, right.pitch_rad) == pytest.approx((0.58, -0.59))


@pytest.mark.parametrize("cut", [0, 1, 15, 16])
def test_short_datagram_is_a_lost_face(phone: LiveLinkProtocol, cut: int) -> None:
    first = only(phone.feed(datagram(frame=1), T0))
    whole = datagram(None, frame=2)
    face = only(phone.feed(whole[: len(whole) - cut], T0 + 1))
    assert not face.tracked
    assert (face.blendshapes, face.head) == (first.blendshapes, first.head)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\6",
        b"\6\0\0\0\0",
        b"\5" + datagram()[1:],
        b"\6\xff\xff\xff\xff" + PHONE_ID,
        datagram()[:20],
        datagram()[:43],
        datagram()[:-1],
        datagram() + b"\0",
        datagram(VALUES[:60]),
        datagram(None) + b"\x3d",
        b"\6" + struct.pack(">I", 4) + b"abcd" + struct.pack(">I", 300) + b"x" * 300,
    ],
)
def test_damaged_datagram_is_refused(phone: LiveLinkProtocol, data: bytes) -> None:
    with pytest.raises(PacketError):
        phone.feed(data, T0)


def test_bad_values_are_dropped_and_the_last_good_ones_kept(phone: LiveLinkProtocol) -> None:
    first = only(phone.feed(datagram(), T0))
    bad = [float("nan"), *VALUES[1:52], float("inf"), *VALUES[53:55], 1e30, *VALUES[56:]]
    face = only(phone.feed(datagram(bad, frame=1), T0))
    assert (face.blendshapes, face.head, face.left_eye) == (
        first.blendshapes,
        first.head,
        first.left_eye,
    )
    assert phone.values_dropped == 3


def test_angle_beyond_a_turn_is_dropped_as_a_recording_would_refuse_it(
    phone: LiveLinkProtocol,
) -> None:
    face = only(phone.feed(datagram([*VALUES[:53], 6.29, *VALUES[54:]]), T0))
    assert face.head is None
    assert phone.values_dropped == 1
    assert parse_face(encode_face(face), face.t_ns, face.source) == face


@pytest.mark.parametrize("step", [1, 2])
def test_missing_frames_are_counted_by_the_step_in_use(phone: LiveLinkProtocol, step: int) -> None:
    frames = [1000 + step * number for number in (*range(10), 13, 14, 16)]
    assert set(numbered(phone, frames)) == {1}
    assert phone.lost == 3 + 1


def test_late_and_doubled_frames_are_dropped(phone: LiveLinkProtocol) -> None:
    assert numbered(phone, [1, 2, 3, 4, 5, 6, 4, 6, 7]) == [1, 1, 1, 1, 1, 1, 0, 0, 1]
    assert phone.lost == 0


def test_numbers_that_begin_anew_are_no_loss(phone: LiveLinkProtocol) -> None:
    assert set(numbered(phone, [*range(5_000_000, 5_000_009), *range(9)])) == {1}
    assert phone.lost == 0


def test_numbers_set_back_freeze_the_face_for_a_moment_only(phone: LiveLinkProtocol) -> None:
    assert set(numbered(phone, [*range(10_000, 10_300)])) == {1}
    back = numbered(phone, [*range(9_760, 9_860)])  # the phone's clock was set back by 9 s
    assert back == [0] * 4 + [1] * 96
    assert phone.lost == 0
    assert numbered(phone, [9_860, 9_859, 9_861]) == [1, 0, 1]  # and the new count is believed


def test_looped_clip_plays_on(phone: LiveLinkProtocol) -> None:
    faces = [sum(numbered(phone, [*range(5_000, 5_300)])) for _ in range(5)]
    assert faces == [300] + [296] * 4
    assert phone.lost == 0


def test_late_frames_between_timely_ones_stay_dropped(phone: LiveLinkProtocol) -> None:
    assert set(numbered(phone, [*range(10)])) == {1}
    twice_sent = [frame for timely in range(10, 40) for frame in (timely, timely - 5)]
    assert numbered(phone, twice_sent) == [1, 0] * 30


def test_nothing_but_late_frames_is_a_new_count(phone: LiveLinkProtocol) -> None:
    assert set(numbered(phone, [*range(100, 110)])) == {1}

    def faces(frame: int, after_s: float) -> int:
        return len(phone.feed(datagram(frame=frame), T0 + round(after_s * NS_PER_S)))

    assert [faces(109, 9.0), faces(110, 9.02)] == [0, 1]  # doubled, however late
    uneven = [(60, 9.1), (61, 9.12), (62, 9.15), (65, 9.2), (66, 9.3), (71, 9.33), (72, 9.34)]
    assert [faces(*late) for late in uneven] == [0] * 7
    assert [faces(74, 9.36), faces(75, 9.38), faces(77, 9.4)] == [1, 1, 1]
    assert phone.lost == 0


def test_numbers_without_order_are_not_believed(phone: LiveLinkProtocol) -> None:
    assert set(numbered(phone, [100, 93, 152, 151, 300, 290, 290])) == {1}
    assert phone.lost == 0


def test_names_are_apples(phone: LiveLinkProtocol) -> None:
    assert set(SHAPE_NAMES) == set(ARKIT_NAMES)
    assert len(SHAPE_NAMES) + len(ANGLE_NAMES) == 61
    assert ANGLE_NAMES[:4] == ("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw")


def test_untracked_phone_that_never_saw_a_face_has_none(phone: LiveLinkProtocol) -> None:
    face = only(phone.feed(datagram(None), T0))
    assert not face.tracked
    assert (face.blendshapes, face.head) == ({}, None)
    assert only(phone.feed(datagram([0.0] * 61, frame=1), T0)).head == HeadPose(-0.0, 0.0, -0.0)
    assert only(phone.feed(datagram([0.0] * 61, frame=2), T0)).left_eye == Gaze(-0.0, 0.0)
