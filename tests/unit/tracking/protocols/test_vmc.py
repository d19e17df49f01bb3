"""A VMC sender's frames come out whole, however it packs and spells them."""

from __future__ import annotations

import math
import struct

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.protocol import QUIET_NS
from vtbridge.tracking.protocols.vmc import LONGEST_WAIT_NS, VmcProtocol
from vtbridge.tracking.rotation import IDENTITY, unity_from_euler

T0 = 1_000_000_000


def osc(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram


def bundle(*messages: bytes) -> bytes:
    return b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(m)) + m for m in messages)


def bone(name: str, *rotation: object) -> bytes:
    return osc("/VMC/Ext/Bone/Pos", name, 0.0, 0.0, 0.0, *rotation)


def blend(name: str, weight: object) -> bytes:
    return osc("/VMC/Ext/Blend/Val", name, weight)


APPLY = osc("/VMC/Ext/Blend/Apply")


@pytest.fixture
def vmc() -> VmcProtocol:
    protocol = VmcProtocol()
    protocol.reset("vmc:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def test_bundle_with_apply_is_one_face(vmc: VmcProtocol) -> None:
    frame = only(vmc.feed(bundle(bone("Head", *IDENTITY), blend("A", 0.25), APPLY), T0))
    assert (frame.t_ns, frame.source, frame.tracked) == (T0, "vmc:test", True)
    assert frame.presets == {"aa": 0.25}
    assert frame.head is not None
    assert not vmc.waiting


def test_what_follows_apply_in_its_bundle_belongs_to_the_face(vmc: VmcProtocol) -> None:
    lost = osc("/VMC/Ext/OK", 1, 3, 0, 0)
    assert not only(vmc.feed(bundle(blend("A", 0.5), APPLY, lost), T0)).tracked


def test_bundles_without_apply_are_faces_of_their_own(vmc: VmcProtocol) -> None:
    first = bundle(blend("A", 1.0))
    second = bundle(blend("A", 0.0), blend("O", 1.0))
    frames = vmc.feed(first, T0) + vmc.feed(second, T0 + 15_000_000)
    assert [frame.t_ns for frame in frames] == [T0, T0 + 15_000_000]
    assert [dict(frame.presets) for frame in frames] == [{"aa": 1.0}, {"aa": 0.0, "oh": 1.0}]
    assert not vmc.waiting
    assert only(vmc.feed(first, T0 + 16_000_000)).presets == {"aa": 1.0, "oh": 1.0}


def test_sender_that_uses_apply_may_split_its_face_over_bundles(vmc: VmcProtocol) -> None:
    for frame in range(3):
        t_ns = T0 + frame * 16_000_000
        assert vmc.feed(bundle(bone("Head", *IDENTITY)), t_ns) == []
        assert vmc.feed(bundle(blend("A", 0.5)), t_ns + 1) == []
        assert only(vmc.feed(APPLY, t_ns + 2)).presets == {"aa": 0.5}


def test_sender_that_takes_up_apply_is_waited_for(vmc: VmcProtocol) -> None:
    vmc.feed(bundle(blend("A", 1.0)), T0)
    assert len(vmc.flush(T0 + QUIET_NS)) == 1
    assert len(vmc.feed(bundle(blend("A", 0.5), APPLY), T0 + 16_000_000)) == 1
    assert vmc.feed(bundle(blend("A", 0.25)), T0 + 32_000_000) == []


def test_single_messages_wait_for_apply(vmc: VmcProtocol) -> None:
    assert vmc.feed(blend("A", 0.5), T0) == []
    assert vmc.waiting
    assert vmc.feed(blend("O", 0.25), T0 + 1) == []
    assert only(vmc.feed(APPLY, T0 + 2)).presets == {"aa": 0.5, "oh": 0.25}


def test_sender_without_apply_is_complete_after_quiet(vmc: VmcProtocol) -> None:
    vmc.feed(bone("Head", *IDENTITY), T0)
    assert vmc.flush(T0 + QUIET_NS - 1) == []
    frame = only(vmc.flush(T0 + QUIET_NS))
    assert frame.t_ns == T0
    assert vmc.flush(T0 + 2 * QUIET_NS) == []


def test_sender_without_apply_or_pause_still_gives_faces(vmc: VmcProtocol) -> None:
    step_ns = 1_000_000
    frames = [vmc.feed(blend("A", 0.5), T0 + i * step_ns) for i in range(100)]
    assert sum(map(len, frames)) == 100 * step_ns // (LONGEST_WAIT_NS + step_ns)


def test_datagram_without_values_completes_nothing(vmc: VmcProtocol) -> None:
    vmc.feed(osc("/VMC/Ext/T", 12.5), T0)
    vmc.feed(osc("/VMC/Ext/OK", 1), T0)
    vmc.feed(bone("LeftHand", *IDENTITY), T0)
    assert not vmc.waiting


def test_what_a_frame_leaves_out_keeps_its_value(vmc: VmcProtocol) -> None:
    vmc.feed(bundle(blend("A", 0.5), blend("Blink_L", 1.0), APPLY), T0)
    assert only(vmc.feed(bundle(blend("A", 0.75), APPLY), T0 + 1)).presets == {
        "aa": 0.75,
        "blinkLeft": 1.0,
    }


def test_head_is_the_whole_chain_of_bones(vmc: VmcProtocol) -> None:
    chain = ("Spine", "Chest", "UpperChest", "Neck", "Head")
    bones = [bone(name, *unity_from_euler(0.0, 0.1, 0.0)) for name in reversed(chain)]
    turned_body = [bone("Hips", *unity_from_euler(0.0, 1.0, 0.0))]
    head = only(vmc.feed(bundle(*bones, *turned_body, APPLY), T0)).head
    assert head is not None
    assert head.yaw_rad == pytest.approx(0.5, abs=1e-6)
    assert (head.pitch_rad, head.roll_rad) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_parents_come_first_in_the_chain(vmc: VmcProtocol) -> None:
    spine, head = unity_from_euler(0, 0.5, 0), unity_from_euler(0.4, 0, 0)
    pose = only(vmc.feed(bundle(bone("Spine", *spine), bone("Head", *head), APPLY), T0)).head
    assert pose is not None
    assert (pose.pitch_rad, pose.yaw_rad, pose.roll_rad) == pytest.approx((-0.4, 0.5, 0), abs=1e-6)


def test_body_without_head_says_nothing_about_the_head(vmc: VmcProtocol) -> None:
    assert only(vmc.feed(bundle(bone("Spine", *IDENTITY), APPLY), T0)).head is None


def test_whole_numbers_are_numbers(vmc: VmcProtocol) -> None:
    frame = only(vmc.feed(bundle(bone("Head", 0, 0, 0, 1), blend("Blink_L", 1), APPLY), T0))
    assert frame.presets == {"blinkLeft": 1.0}
    assert frame.head is not None


def test_eye_bones_count_once_they_move(vmc: VmcProtocol) -> None:
    rest = unity_from_euler(0.2, 0.0, 0.0)
    still = bundle(bone("LeftEye", *rest), bone("RightEye", *rest), APPLY)
    assert only(vmc.feed(still, T0)).left_eye is None
    assert only(vmc.feed(still, T0 + 1)).right_eye is None
    looking = unity_from_euler(0.1, 0.3, 0.0)
    frame = only(vmc.feed(bundle(bone("LeftEye", *looking), APPLY), T0 + 2))
    assert frame.left_eye is not None
    assert (frame.left_eye.pitch_rad, frame.left_eye.yaw_rad) == pytest.approx(
        (-0.1, 0.3), abs=1e-6
    )
    assert frame.right_eye is None


def test_with_half_of_arkit_the_vowels_are_ignored(vmc: VmcProtocol) -> None:
    shapes = [blend(name.upper(), 0.5) for name in ARKIT_NAMES[:26]]
    presets = [blend("A", 1.0), blend("Blink", 1.0), blend("Joy", 0.5)]
    frame = only(vmc.feed(bundle(*presets, *shapes, APPLY), T0))
    assert frame.blendshapes == dict.fromkeys(ARKIT_NAMES[:26], 0.5)
    assert frame.presets == {"happy": 0.5}


def test_a_few_arkit_names_leave_the_vowels_alone(vmc: VmcProtocol) -> None:
    shapes = [blend(name, 0.5) for name in ARKIT_NAMES[:25]]
    frame = only(vmc.feed(bundle(*shapes, blend("A", 1.0), APPLY), T0))
    assert frame.blendshapes == dict.fromkeys(ARKIT_NAMES[:25], 0.5)
    assert frame.presets == {"aa": 1.0}


@pytest.mark.parametrize("weight", [math.nan, math.inf, 1e38, -1e38, "much", None])
def test_senseless_weight_is_dropped_counted_and_the_last_kept(
    vmc: VmcProtocol, weight: object
) -> None:
    vmc.feed(bundle(blend("A", 0.5), APPLY), T0)
    frame = only(vmc.feed(bundle(blend("A", weight), blend("O", 1.0), APPLY), T0 + 1))
    assert frame.presets == {"aa": 0.5, "oh": 1.0}
    assert vmc.values_dropped == 1


@pytest.mark.parametrize(
    "rotation",
    [(0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 1.0), (1e38, 0.0, 0.0, 1.0), ("x", 0, 0, 1)],
)
def test_senseless_rotation_is_dropped_counted_and_the_last_kept(
    vmc: VmcProtocol, rotation: tuple[object, ...]
) -> None:
    before = only(vmc.feed(bundle(bone("Head", *unity_from_euler(0, 0.3, 0)), APPLY), T0))
    after = only(vmc.feed(bundle(bone("Head", *rotation), APPLY), T0 + 1))
    assert after.head == before.head
    assert vmc.values_dropped == 1


@pytest.mark.parametrize(("weight", "clamped"), [(1.2, 1.0), (-0.1, 0.0)])
def test_exaggerated_weight_is_clamped(vmc: VmcProtocol, weight: float, clamped: float) -> None:
    assert only(vmc.feed(bundle(blend("A", weight), APPLY), T0)).presets == {"aa": clamped}


def test_tracking_status_is_told_and_stays(vmc: VmcProtocol) -> None:
    vmc.feed(osc("/VMC/Ext/OK", 1, 3, 0, 0), T0)
    assert not only(vmc.feed(bundle(blend("A", 0.5), APPLY), T0)).tracked
    assert not only(vmc.feed(bundle(osc("/VMC/Ext/OK", 1), APPLY), T0)).tracked
    assert only(vmc.feed(bundle(osc("/VMC/Ext/OK", 1, 3, 0, 1), APPLY), T0)).tracked


@pytest.mark.parametrize(
    ("status", "tracked"),
    [
        ((1,), True),
        ((0,), False),  # no model is loaded, so there is no pose
        ((1, 3, 0), True),
        ((1, 0, 0), True),  # calibration says nothing about the face
        ((0, 3, 0), False),
        ((1, 3, 0, 1), True),
        ((1, 3, 0, 0), False),
        ((0, 3, 0, 1), False),
        ((1.0, 3, 0, 0.0), False),
        ((True, 3, 0, False), False),
        ((1, 3, 0, 1, "more"), True),
    ],
)
def test_every_version_of_the_status_is_understood(
    vmc: VmcProtocol, status: tuple[object, ...], tracked: bool
) -> None:
    packet = bundle(osc("/VMC/Ext/OK", *status), blend("A", 0.5), APPLY)
    assert only(vmc.feed(packet, T0)).tracked is tracked
    assert vmc.values_dropped == 0


def test_model_that_is_loaded_later_is_tracked(vmc: VmcProtocol) -> None:
    vmc.feed(bundle(osc("/VMC/Ext/OK", 0), blend("A", 0.5), APPLY), T0)
    assert only(vmc.feed(bundle(osc("/VMC/Ext/OK", 1), APPLY), T0 + 1)).tracked


@pytest.mark.parametrize("status", [(), ("loaded",), (None, 3, 0, 0)])
def test_status_without_numbers_is_dropped(vmc: VmcProtocol, status: tuple[object, ...]) -> None:
    assert only(vmc.feed(bundle(osc("/VMC/Ext/OK", *status), blend("A", 0.5), APPLY), T0)).tracked
    assert vmc.values_dropped == 1


@pytest.mark.parametrize(
    "message",
    [
        osc("/VMC/Ext/VRM", "C:\\model.vrm", "title", "hash"),
        osc("/VMC/Ext/Config", "C:\\settings.json"),
        osc("/VMC/Ext/Opt", "stop"),
        osc("/VMC/Ext/Key", 1, "A", 65),
        osc("/VMC/Ext/Hmd/Pos/Local", "serial", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        osc("/VMC/Ext/Root/Pos", "root", 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0),
        osc("/VMC/Ext/Set/Eye", 1, 0.0, 0.0, 1.0),
        osc("/VMC/Ext/Blend/Val/More", "A", 1.0),
    ],
)
def test_messages_that_say_nothing_of_a_face_change_nothing(
    vmc: VmcProtocol, message: bytes
) -> None:
    assert vmc.feed(bundle(message), T0) == []
    assert not vmc.waiting
    assert vmc.values_dropped == 0


def test_vseefaces_bones_and_its_models_clips_are_one_face(vmc: VmcProtocol) -> None:
    """It moves the model's eye bones and sends only the clips that the model has."""
    clips = [blend(name, 0.5) for name in ("A", "Blink_L", "Blink_R", "Brows up", "Surprised")]
    for t_ns, angle in ((T0, 0.0), (T0 + 1, 0.2)):
        looking = unity_from_euler(0.0, angle, 0.0)
        eyes = [bone(eye, *looking) for eye in ("LeftEye", "RightEye")]
        frame = only(vmc.feed(bundle(bone("Head", *looking), *eyes, *clips, APPLY), t_ns))
    assert frame.presets == dict.fromkeys(
        ("aa", "blinkLeft", "blinkRight", "browsUp", "surprised"), 0.5
    )
    assert frame.left_eye is not None
    assert frame.left_eye.yaw_rad == pytest.approx(0.2, abs=1e-6)
    assert frame.left_eye == frame.right_eye


def test_extra_arguments_are_ignored(vmc: VmcProtocol) -> None:
    longer = osc("/VMC/Ext/Blend/Val", "A", 0.5, "more", 3)
    assert only(vmc.feed(bundle(longer, APPLY), T0)).presets == {"aa": 0.5}


def test_names_that_are_no_face_are_not_kept(vmc: VmcProtocol) -> None:
    for number in range(2_000):
        vmc.feed(bundle(blend(f"clip{number}", 0.5), bone(f"bone{number}", *IDENTITY)), T0)
    frame = only(vmc.feed(APPLY, T0))
    assert (frame.presets, frame.blendshapes, frame.head) == ({}, {}, None)
    assert not frame.tracked


@pytest.mark.parametrize(
    "part",
    [bone("Neck", *IDENTITY), blend("A", 0.0), blend("JawOpen", 0.0)],
    ids=["bone", "preset", "blendshape"],
)
def test_sender_is_tracked_from_its_first_part_of_a_face_on(vmc: VmcProtocol, part: bytes) -> None:
    hands = bundle(bone("LeftHand", *IDENTITY), APPLY)
    assert not only(vmc.feed(hands, T0)).tracked
    assert only(vmc.feed(bundle(part, APPLY), T0 + 1)).tracked
    assert only(vmc.feed(hands, T0 + 2)).tracked


def test_other_osc_is_not_vmc(vmc: VmcProtocol) -> None:
    with pytest.raises(PacketError) as refusal:
        vmc.feed(osc("/avatar/parameters/JawOpen", 0.5), T0)
    assert refusal.value.reason == "not vmc"


def test_reset_forgets_the_sender(vmc: VmcProtocol) -> None:
    vmc.feed(bundle(blend("A", 0.5), bone("Head", *IDENTITY)), T0)
    vmc.reset("vmc:other")
    assert not vmc.waiting
    frame = only(vmc.feed(APPLY, T0))
    assert (frame.source, frame.presets, frame.head) == ("vmc:other", {}, None)


def test_frames_handed_out_do_not_change_later(vmc: VmcProtocol) -> None:
    first = only(vmc.feed(bundle(blend("A", 0.5), APPLY), T0))
    vmc.feed(bundle(blend("A", 1.0), APPLY), T0 + 1)
    assert first.presets == {"aa": 0.5}


def test_vmc_sends_no_greeting(vmc: VmcProtocol) -> None:
    assert vmc.greeting(T0) is None
