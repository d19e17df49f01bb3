"""VRCFaceTracking's parameters are a face, whatever prefix the avatar gave them."""

from __future__ import annotations

import math

import pytest

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.osc import OscMessage, decode_packet
from vtbridge.tracking.protocols.osc_face import MOST_ADDRESSES
from vtbridge.tracking.protocols.vrcft import (
    GREETING_INTERVAL_NS,
    WANTED,
    VrcftProtocol,
)

T0 = 1_000_000_000


@pytest.fixture
def vrcft() -> VrcftProtocol:
    protocol = VrcftProtocol()
    protocol.reset("vrcft:test")
    return protocol


def v2(name: str, *values: float | bool | str) -> bytes:
    return message(f"/avatar/parameters/v2/{name}", *values)


def old(name: str, *values: float | bool | str) -> bytes:
    return message(f"/avatar/parameters/{name}", *values)


def face(protocol: VrcftProtocol, *messages: bytes, t_ns: int = T0) -> FaceFrame:
    (frame,) = protocol.feed(bundle(*messages), t_ns)
    return frame


@pytest.mark.parametrize("prefix", ["v2/", "FT/v2/", "My/Avatar/v2/"])
def test_prefix_of_the_avatar_does_not_matter(vrcft: VrcftProtocol, prefix: str) -> None:
    packet = message(f"/avatar/parameters/{prefix}JawOpen", 0.5)
    assert VrcftProtocol.recognises(packet)
    assert face(vrcft, packet).blendshapes == {"jawOpen": 0.5}


def test_unchanged_values_are_not_sent_again_and_stay(vrcft: VrcftProtocol) -> None:
    face(vrcft, v2("JawOpen", 0.5), v2("SmileFrownLeft", -0.25))
    frame = face(vrcft, v2("TongueOut", 1.0))
    assert frame.blendshapes == {
        **{"jawOpen": 0.5, "tongueOut": 1.0},
        **{"mouthSmileLeft": 0.0, "mouthFrownLeft": 0.25},
    }
    assert frame.tracked


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Yaw", (0, 45, 0)), ("Pitch", (-45, 0, 0)), ("Roll", (0, 0, -45))],
)
def test_head_is_right_down_and_left(
    vrcft: VrcftProtocol, name: str, expected: tuple[float, float, float]
) -> None:
    head = face(vrcft, v2(f"Head/{name}", 0.5)).head
    assert head is not None
    degrees = map(math.degrees, (head.pitch_rad, head.yaw_rad, head.roll_rad))
    assert tuple(degrees) == pytest.approx(expected, abs=1e-4)


def test_head_that_nobody_tracks_is_no_head(vrcft: VrcftProtocol) -> None:
    still = [v2(f"Head/{name}", 0.0) for name in ("Yaw", "Pitch", "Roll")]
    assert face(vrcft, v2("JawOpen", 0.5), *still).head is None
    assert face(vrcft, v2("Head/Yaw", 0.1)).head is not None
    assert face(vrcft, v2("Head/Yaw", 0.0)).head is not None


def test_head_turns_no_further_than_a_quarter(vrcft: VrcftProtocol) -> None:
    head = face(vrcft, v2("Head/Yaw", 7.0), v2("Head/Roll", -7.0)).head
    assert head is not None
    assert (head.yaw_rad, head.roll_rad) == (math.pi / 2, math.pi / 2)


def test_gaze_is_the_tangent_right_and_up(vrcft: VrcftProtocol) -> None:
    left = [v2("EyeLeftX", 1.0), v2("EyeLeftY", -0.5)]
    frame = face(vrcft, *left, v2("EyeRightX", 0.0), v2("EyeRightY", 0.0))
    assert frame.left_eye is not None
    assert frame.left_eye.yaw_rad == pytest.approx(math.pi / 4)
    assert frame.left_eye.pitch_rad == pytest.approx(math.atan(-0.5))
    assert frame.right_eye is None  # zeros may come from a headset without eye tracking
    assert frame.tracked


def test_one_gaze_may_serve_both_eyes(vrcft: VrcftProtocol) -> None:
    frame = face(vrcft, v2("EyeX", 0.5), v2("EyeY", 0.25))
    assert frame.left_eye is not None
    assert frame.left_eye == frame.right_eye


def test_eye_track_vrs_old_names_are_a_face(vrcft: VrcftProtocol) -> None:
    packets = [old("LeftEyeX", 0.5), old("RightEyeX", 0.5), old("EyesY", 0.1)]
    packets += [old("LeftEyeLidExpandedSqueeze", 0.0), old("RightEyeLidExpandedSqueeze", 0.8)]
    assert all(map(VrcftProtocol.recognises, packets))
    frame = face(vrcft, *packets)
    assert frame.blendshapes["eyeBlinkLeft"] == 1.0
    assert frame.blendshapes["eyeBlinkRight"] == pytest.approx(0.0)
    assert frame.left_eye is not None


def test_old_names_count_only_until_new_ones_come(vrcft: VrcftProtocol) -> None:
    assert face(vrcft, old("JawOpen", 0.25), old("JawForward", 1.0)).blendshapes == {
        "jawOpen": 0.25,
        "jawForward": 1.0,
    }
    assert face(vrcft, v2("JawOpen", 0.5), old("JawOpen", 1.0)).blendshapes == {"jawOpen": 0.5}


def test_switches_by_the_same_name_are_passed_over(vrcft: VrcftProtocol) -> None:
    assert vrcft.feed(bundle(v2("JawOpen", True), v2("JawOpen1", True)), T0) == []
    assert vrcft.values_dropped == 0


def test_parameters_of_no_use_are_no_error(vrcft: VrcftProtocol) -> None:
    packet = bundle(v2("PupilDilation", 0.5), v2("TongueX", 0.1))
    assert VrcftProtocol.recognises(packet)
    assert vrcft.feed(packet, T0) == []
    assert not vrcft.waiting


@pytest.mark.parametrize(
    ("flags", "tracked", "shapes"),
    [
        ({}, True, {"jawOpen", "eyeBlinkLeft"}),
        ({"EyeTrackingActive": True, "ExpressionTrackingActive": True}, True, {"jawOpen"}),
        ({"EyeTrackingActive": False}, True, {"jawOpen"}),
        ({"ExpressionTrackingActive": False}, True, {"eyeBlinkLeft"}),
        ({"LipTrackingActive": False}, True, {"eyeBlinkLeft"}),
        ({"EyeTrackingActive": False, "LipTrackingActive": False}, False, set()),
    ],
)
def test_what_no_module_tracks_is_not_told(
    vrcft: VrcftProtocol, flags: dict[str, bool], tracked: bool, shapes: set[str]
) -> None:
    values = [v2("JawOpen", 0.5), v2("EyeClosedLeft", 0.5), v2("EyeLeftX", 0.5)]
    frame = face(vrcft, *values, v2("EyeLeftY", 0.5), *(old(*flag) for flag in flags.items()))
    assert frame.tracked is tracked
    assert set(frame.blendshapes) >= shapes
    eyes = flags.get("EyeTrackingActive", True)
    assert ("eyeBlinkLeft" in frame.blendshapes) is eyes
    assert (frame.left_eye is not None) is eyes


def test_tracking_that_comes_back_is_told(vrcft: VrcftProtocol) -> None:
    off = [old("EyeTrackingActive", False), old("ExpressionTrackingActive", False)]
    assert not face(vrcft, v2("JawOpen", 0.5), *off).tracked
    assert face(vrcft, old("ExpressionTrackingActive", True)).tracked


@pytest.mark.parametrize("value", [math.nan, 1e9, "wide"])
def test_senseless_value_is_dropped_and_the_last_kept(
    vrcft: VrcftProtocol, value: float | str
) -> None:
    face(vrcft, v2("JawOpen", 0.5))
    frame = face(vrcft, v2("JawOpen", value), v2("JawForward", 1.0))
    assert frame.blendshapes == {"jawOpen": 0.5, "jawForward": 1.0}
    assert vrcft.values_dropped == 1


@pytest.mark.parametrize(
    "address", ["/avatar/parameters/HeartRate", "/avatar/change", "/v2/JawOpen"]
)
def test_other_parameters_of_vrchat_are_not_a_face(vrcft: VrcftProtocol, address: str) -> None:
    assert not VrcftProtocol.recognises(message(address, 0.5))
    with pytest.raises(PacketError, match="vrcft"):
        vrcft.feed(message(address, 0.5), T0)


def test_any_number_of_prefixes_costs_bounded_memory(vrcft: VrcftProtocol) -> None:
    for number in range(2_000):
        frame = face(
            vrcft, message(f"/avatar/parameters/{number}/v2/JawOpen", 0.5), t_ns=T0 + number
        )
    assert frame.blendshapes == {"jawOpen": 0.5}
    assert len(vrcft._takers) == MOST_ADDRESSES


def test_all_that_is_wanted_is_understood(vrcft: VrcftProtocol) -> None:
    assert len(set(WANTED)) == len(WANTED)
    for name in WANTED:
        vrcft.reset("vrcft:test")
        assert vrcft._find_handler(f"/avatar/parameters/v2/{name}") is not None


def test_program_is_asked_for_everything_while_it_is_silent() -> None:
    vrcft = VrcftProtocol(ask_for_all=True)
    greeting = vrcft.greeting(T0)
    assert greeting is not None
    assert (greeting.host, greeting.port) == ("127.0.0.1", 9001)
    assert decode_packet(greeting.data) == [OscMessage("/vrcft/settings/forceRelevant", (True,))]
    assert vrcft.greeting(T0 + 1) is None
    assert vrcft.greeting(T0 + GREETING_INTERVAL_NS) is not None
    vrcft.feed(v2("JawOpen", 0.5), T0 + 2 * GREETING_INTERVAL_NS)
    assert vrcft.greeting(T0 + 2 * GREETING_INTERVAL_NS + 1) is None
    assert vrcft.greeting(T0 + 3 * GREETING_INTERVAL_NS) is not None


def test_nobody_is_asked_unless_told_so(vrcft: VrcftProtocol) -> None:
    assert vrcft.greeting(T0) is None
