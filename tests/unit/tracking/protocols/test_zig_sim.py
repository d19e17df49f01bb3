"""ZIG SIM's bundle is an ARKit face, whatever the phone is called."""

from __future__ import annotations

import math

import pytest

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.zig_sim import ZigSimProtocol

T0 = 1_000_000_000
PHONE = "8B4F6B3C-1234"


@pytest.fixture
def zig_sim() -> ZigSimProtocol:
    protocol = ZigSimProtocol()
    protocol.reset("zig_sim:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def zig(what: str, *arguments: int | float | str) -> bytes:
    return message(f"/{PHONE}/{what}", *arguments)


def test_bundle_is_a_face(zig_sim: ZigSimProtocol) -> None:
    turned_left = (0.0, math.sin(0.1), 0.0, math.cos(0.1))
    shapes = [zig(f"face{name}", 0.5) for name in ARKIT_NAMES]
    frame = only(zig_sim.feed(bundle(zig("facerotation", *turned_left), *shapes), T0))
    assert frame.blendshapes == dict.fromkeys(ARKIT_NAMES, 0.5)
    assert frame.head is not None
    assert (frame.head.pitch_rad, frame.head.yaw_rad, frame.head.roll_rad) == pytest.approx(
        (0.0, -0.2, 0.0), abs=1e-6
    )
    assert frame.tracked


@pytest.mark.parametrize("spelling", ["eyeBlinkLeft", "eyeBlink_L", "eyeblinkleft"])
def test_names_may_be_apples_constants_or_raw_values(
    zig_sim: ZigSimProtocol, spelling: str
) -> None:
    packet = bundle(zig("faceposition", 0.0, 0.0, 0.0), zig(f"face{spelling}", 0.25))
    assert only(zig_sim.feed(packet, T0)).blendshapes == {"eyeBlinkLeft": 0.25}


def test_other_sensors_of_the_phone_are_passed_over(zig_sim: ZigSimProtocol) -> None:
    packet = bundle(
        zig("accel", 0.0, 0.0, 1.0),
        zig("facelookatposition", 0.0, 0.0, 1.0),
        zig("facelefteyeposition", 0.0, 0.0, 1.0),
        zig("faceposition", 0.0, 0.0, 1.0),
        zig("facejawOpen", 1),
        zig("deviceinfo", "iPhone"),
    )
    assert only(zig_sim.feed(packet, T0)).blendshapes == {"jawOpen": 1.0}
    assert zig_sim.values_dropped == 0


def test_positions_alone_make_no_face(zig_sim: ZigSimProtocol) -> None:
    assert zig_sim.feed(bundle(zig("faceposition", 0.0, 0.0, 1.0)), T0) == []


@pytest.mark.parametrize("bad", [zig("facerotation", 0.0, 0.0, 0.0), zig("facejawOpen")])
def test_message_without_its_numbers_is_dropped(zig_sim: ZigSimProtocol, bad: bytes) -> None:
    assert zig_sim.feed(bundle(bad), T0) == []
    assert zig_sim.values_dropped == 1


@pytest.mark.parametrize(
    "address", ["/facejawOpen", "//facejawOpen", "/a/b/facejawOpen", "/phone/jawOpen", "/a/facea"]
)
def test_addresses_of_another_form_are_not_zig_sims(zig_sim: ZigSimProtocol, address: str) -> None:
    with pytest.raises(PacketError, match="zig_sim"):
        zig_sim.feed(message(address, 0.5), T0)


def test_phones_of_any_name_cost_no_memory(zig_sim: ZigSimProtocol) -> None:
    for number in range(2_000):
        zig_sim.feed(bundle(message(f"/{number}/facejawOpen", 0.5)), T0 + number)
    assert len(zig_sim._handlers) == 0
