"""Write faces as VMC senders do, in the three packings that are in use."""

from __future__ import annotations

from collections.abc import Iterator

from pythonosc.osc_message import OscMessage

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.formats import Packing
from vtbridge.tracking.rotation import Quaternion, unity_from_gaze, unity_from_head_pose
from vtbridge.tracking.senders.osc_build import build_bundle, build_bundles, build_message

BUNDLE_BYTES = 1400
"""Fullest datagram of the ``packets`` packing; VMC advises 1500 with all headers."""
NECK_TO_HEAD_M = 0.1

_UNTRACKED, _TRACKED = 0, 1


def encode_vmc(face: FaceFrame, packing: Packing = Packing.BUNDLE) -> list[bytes]:
    """Return the datagrams of one VMC frame.

    ``bundle`` is one bundle, ``packets`` several of at most ``BUNDLE_BYTES`` (as the
    specification advises), ``single`` one message a datagram. Head and eyes go out as
    the bones Head, LeftEye and RightEye; blendshapes in PascalCase.
    """
    messages = list(_vmc_messages(face))
    if packing is Packing.SINGLE:
        return [message.dgram for message in messages]
    if packing is Packing.BUNDLE:
        return [build_bundle(messages)]
    return build_bundles(messages, BUNDLE_BYTES)


def _vmc_messages(face: FaceFrame) -> Iterator[OscMessage]:
    yield build_message("/VMC/Ext/OK", 1, 3, 0, _TRACKED if face.tracked else _UNTRACKED)
    if face.head is not None:
        yield _bone("Head", NECK_TO_HEAD_M, unity_from_head_pose(face.head))
    eyes: tuple[tuple[str, Gaze | None], ...] = (
        ("LeftEye", face.left_eye),
        ("RightEye", face.right_eye),
    )
    for bone, gaze in eyes:
        if gaze is not None:
            yield _bone(bone, 0.0, unity_from_gaze(gaze))
    for name, weight in face.blendshapes.items():
        yield build_message("/VMC/Ext/Blend/Val", name[0].upper() + name[1:], float(weight))
    for name, weight in face.presets.items():
        yield build_message("/VMC/Ext/Blend/Val", name, float(weight))
    yield build_message("/VMC/Ext/Blend/Apply")


def _bone(name: str, height_m: float, rotation: Quaternion) -> OscMessage:
    return build_message("/VMC/Ext/Bone/Pos", name, 0.0, height_m, 0.0, *rotation)
