"""From a tracker's bytes to the pose: up is up, and the own right is the own right."""

from __future__ import annotations

import math

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol

HALF_SIN, HALF_COS = math.sin(math.radians(4)), math.cos(math.radians(4))
FRAME_NS = NS_PER_S // 60
DIRECTIONS = {
    "nod up": {PoseParam.HEAD_X: 1},
    "turn to the own right": {PoseParam.HEAD_Y: 1, PoseParam.BODY_Y: 1},
    "tilt to the own right shoulder": {PoseParam.NECK_Z: 1, PoseParam.BODY_Z: 1},
    "eyes up": {PoseParam.IRIS_ROTATION_X: 1},
    "eyes to the own right": {PoseParam.IRIS_ROTATION_Y: 1},
}
"""What each motion moves and in which direction; the reverse motion moves it the other way."""

# Unity turns left-handed about x right, y up, z forward, as seen by the one who is tracked.
VMC_AXES = {
    "nod up": ("Head", (-1, 0, 0)),
    "turn to the own right": ("Head", (0, 1, 0)),
    "tilt to the own right shoulder": ("Head", (0, 0, -1)),
    "eyes up": ("Eye", (-1, 0, 0)),
    "eyes to the own right": ("Eye", (0, 1, 0)),
}
# Degrees about x, y and z as the phone's app writes them.
TEXT_ANGLES = {
    "nod up": ("head", (-8, 0, 0)),
    "turn to the own right": ("head", (0, -8, 0)),
    "tilt to the own right shoulder": ("head", (0, 0, 8)),
    "eyes up": ("Eye", (-8, 0, 0)),
    "eyes to the own right": ("Eye", (0, -8, 0)),
}
LOOK_SHAPES = {
    "eyes up": ("LookUpLeft", "LookUpRight"),
    "eyes to the own right": ("LookInLeft", "LookOutRight"),
}
OPPOSITE_SHAPES = {
    "eyes up": ("LookDownLeft", "LookDownRight"),
    "eyes to the own right": ("LookOutLeft", "LookInRight"),
}

BOTH_WAYS = pytest.mark.parametrize("way", [1, -1], ids=["as named", "reverse"])
EACH_MOTION = pytest.mark.parametrize("motion", list(DIRECTIONS))
EACH_GAZE = pytest.mark.parametrize("motion", list(LOOK_SHAPES))


def osc(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram


def vmc_bones(part: str, axis: tuple[int, int, int], turn: int) -> list[bytes]:
    """Return a frame whose head or eyes are turned by 8 degrees about ``axis``, or at rest."""
    turned = (*(component * turn * HALF_SIN for component in axis), HALF_COS if turn else 1.0)
    at_rest = (0.0, 0.0, 0.0, 1.0)
    return [
        *(
            osc("/VMC/Ext/Bone/Pos", bone, 0.0, 0.0, 0.0, *(turned if part in bone else at_rest))
            for bone in ("Head", "LeftEye", "RightEye")
        ),
        osc("/VMC/Ext/Blend/Apply"),
    ]


def text(part: str, angles: tuple[int, int, int], turn: int) -> list[bytes]:
    turned = ",".join(str(angle * turn) for angle in angles)
    parts = (
        f"{name}#{turned if part in name else '0,0,0'}{',0,0,0' if name == '=head' else ''}"
        for name in ("=head", "rightEye", "leftEye")
    )
    return [("jawOpen-0|" + "|".join(parts) + "|").encode()]


def pose_from(protocol: TrackerProtocol, frames: list[list[bytes]]) -> F32Array:
    """Return the pose after the last frame, shown long enough to be smoothed no more."""
    protocol.reset("test")
    retargeter, t_ns = Retargeter(RetargetSettings()), NS_PER_S
    for frame in (frames[0], *frames[1:] * 240):
        t_ns += FRAME_NS
        for datagram in frame:
            for face in protocol.feed(datagram, t_ns):
                retargeter.feed(face)
    return retargeter.pose_at(t_ns).values


def assert_only_moved(pose: F32Array, motion: str, way: int) -> None:
    wanted = DIRECTIONS[motion]
    for param in PoseParam:
        if param in wanted:
            assert way * wanted[param] * pose[param] > 0.2, param.name
        else:
            assert abs(pose[param]) < 0.01, param.name


@BOTH_WAYS
@EACH_MOTION
def test_vmc_bones_move_the_character_the_same_way(motion: str, way: int) -> None:
    part, axis = VMC_AXES[motion]
    frames = [vmc_bones(part, axis, turn) for turn in (0, way)]
    assert_only_moved(pose_from(VmcProtocol(), frames), motion, way)


@BOTH_WAYS
@EACH_MOTION
def test_ifacialmocap_angles_move_the_character_the_same_way(motion: str, way: int) -> None:
    part, angles = TEXT_ANGLES[motion]
    # A repeated datagram would mean a lost face; real ones never repeat.
    still, turned = text(part, angles, 0)[0], text(part, angles, way)[0]
    frames = [[still], [turned], [turned.replace(b"jawOpen-0", b"jawOpen-1")]]
    assert_only_moved(pose_from(IFacialMocapProtocol(), frames), motion, way)


@BOTH_WAYS
@EACH_GAZE
def test_vmc_blendshapes_turn_the_eyes_the_same_way(motion: str, way: int) -> None:
    names = (LOOK_SHAPES if way > 0 else OPPOSITE_SHAPES)[motion]
    values = [osc("/VMC/Ext/Blend/Val", f"Eye{name}", 0.6) for name in names]
    frames = [[*values, osc("/VMC/Ext/Blend/Apply")]] * 2
    assert_only_moved(pose_from(VmcProtocol(), frames), motion, way)


@BOTH_WAYS
@EACH_GAZE
def test_ifacialmocap_blendshapes_turn_the_eyes_the_same_way(motion: str, way: int) -> None:
    names = (LOOK_SHAPES if way > 0 else OPPOSITE_SHAPES)[motion]
    spelled = [f"eye{name.replace('Left', '_L').replace('Right', '_R')}" for name in names]
    frames = [
        ["|".join([f"jawOpen-{jaw}", *(f"{name}-60" for name in spelled), ""]).encode()]
        for jaw in (0, 1, 0)
    ]
    assert_only_moved(pose_from(IFacialMocapProtocol(), frames), motion, way)
