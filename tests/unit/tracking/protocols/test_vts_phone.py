"""VTube Studio's JSON is read, bounded, and asked for every second."""

from __future__ import annotations

import json
import math

import pytest

from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.vts_phone import (
    MAX_BYTES,
    MAX_SHAPES,
    REQUEST_INTERVAL_NS,
    VtsPhoneProtocol,
)

T0 = 1_000_000_000
ROTATION = {"x": 10.0, "y": 20.0, "z": -30.0}


def datagram(**fields: object) -> bytes:
    whole = {"Timestamp": 1, "Hotkey": -1, "FaceFound": True, "BlendShapes": []} | fields
    return json.dumps(whole).encode()


@pytest.fixture
def phone() -> VtsPhoneProtocol:
    protocol = VtsPhoneProtocol()
    protocol.reset("vts_phone:test")
    return protocol


def test_names_are_read_in_every_apps_spelling(phone: VtsPhoneProtocol) -> None:
    names = ("EyeBlinkLeft", "eyeLookOut_L", "jawOpen", "_neutral", "Hat")
    shapes = [{"k": name, "v": 0.5} for name in names]
    (face,) = phone.feed(datagram(BlendShapes=shapes, New={"a": [1]}), T0)
    assert (face.t_ns, face.source, face.tracked) == (T0, "vts_phone:test", True)
    assert face.blendshapes == dict.fromkeys(("eyeBlinkLeft", "eyeLookOutLeft", "jawOpen"), 0.5)
    assert phone.values_dropped == 0


def test_rotation_has_the_documented_axes(phone: VtsPhoneProtocol) -> None:
    (face,) = phone.feed(datagram(Rotation=ROTATION), T0)
    assert face.head is not None
    angles = (face.head.yaw_rad, face.head.pitch_rad, face.head.roll_rad)
    assert [math.degrees(angle) for angle in angles] == pytest.approx([10.0, -20.0, 30.0])


def test_lost_face_keeps_what_was_known(phone: VtsPhoneProtocol) -> None:
    seen = datagram(Rotation=ROTATION, BlendShapes=[{"k": "JawOpen", "v": 0.25}])
    (first,) = phone.feed(seen, T0)
    (lost,) = phone.feed(datagram(FaceFound=False), T0 + 1)
    assert not lost.tracked
    assert (lost.blendshapes, lost.head) == (first.blendshapes, first.head)


def test_apps_that_disagree_about_eye_angles_are_not_believed(phone: VtsPhoneProtocol) -> None:
    (face,) = phone.feed(datagram(EyeLeft=ROTATION, EyeRight=ROTATION), T0)
    assert (face.left_eye, face.right_eye) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("BlendShapes", [{"k": "JawOpen", "v": "1"}]),
        ("BlendShapes", [{"k": "JawOpen", "v": True}]),
        ("BlendShapes", [{"k": "JawOpen", "v": 1e38}]),
        ("BlendShapes", [{"k": "JawOpen", "v": math.nan}]),
        ("BlendShapes", [{"k": 1, "v": 1}]),
        ("BlendShapes", [{"v": 1}]),
        ("BlendShapes", ["JawOpen"]),
        ("Rotation", {"x": 1, "y": 2}),
        ("Rotation", {"x": 1, "y": 2, "z": math.inf}),
        ("Rotation", {"x": 1, "y": 2, "z": 10**400}),
        ("Rotation", {"x": 1, "y": 2, "z": "3"}),
        ("Rotation", [1, 2, 3]),
        ("Rotation", None),
    ],
)
def test_bad_value_is_dropped_and_the_last_good_one_kept(
    phone: VtsPhoneProtocol, field: str, value: object
) -> None:
    good = datagram(Rotation=ROTATION, BlendShapes=[{"k": "JawOpen", "v": 0.25}])
    (first,) = phone.feed(good, T0)
    (face,) = phone.feed(datagram(**{field: value}), T0 + 1)
    assert (face.blendshapes, face.head) == (first.blendshapes, first.head)
    assert phone.values_dropped == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"FaceFound":true}',
        b'{"FaceFound":1,"BlendShapes":[]}',
        b'{"FaceFound":true,"BlendShapes":{}}',
        b"[" * 10_000,
        b'{"a":' * 2_000,
        b"\xff\xfe{}",
        b"1" * 5_000,
        b" " * MAX_BYTES + b"{}",
        datagram(BlendShapes=[0] * (MAX_SHAPES + 1)),
    ],
)
def test_what_is_no_frame_is_refused(phone: VtsPhoneProtocol, data: bytes) -> None:
    with pytest.raises(PacketError):
        phone.feed(data, T0)


def test_phone_is_asked_every_second_even_while_it_sends() -> None:
    phone = VtsPhoneProtocol("192.168.1.20", port=12345)
    request = phone.greeting(T0)
    assert request is not None
    assert (request.host, request.port) == ("192.168.1.20", 21412)
    fields = json.loads(request.data)
    assert fields["messageType"] == "iOSTrackingDataRequest"
    assert fields["ports"] == [12345]
    assert 0.5 <= fields["time"] <= 10
    assert 1 <= len(fields["sentBy"]) <= 32
    phone.feed(datagram(), T0)
    assert phone.greeting(T0 + REQUEST_INTERVAL_NS - 1) is None
    assert phone.greeting(T0 + REQUEST_INTERVAL_NS) == request


def test_nobody_is_asked_without_an_address(phone: VtsPhoneProtocol) -> None:
    assert phone.greeting(T0) is None


def test_its_json_is_recognised() -> None:
    assert VtsPhoneProtocol.recognises(datagram())
    assert not VtsPhoneProtocol.recognises(b'{"messageType":"iOSTrackingDataRequest"}')
    assert not VtsPhoneProtocol.recognises(b"jawOpen-3|")
