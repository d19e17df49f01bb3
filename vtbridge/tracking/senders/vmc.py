"""Write faces as VMC senders do, in the three packings that are in use.

python-osc builds the messages; it is never given what arrives.
"""

from __future__ import annotations

from collections.abc import Iterator

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.formats import Packing
from vtbridge.tracking.rotation import Quaternion, unity_from_gaze, unity_from_head_pose

BUNDLE_BYTES = 1400
"""Fullest datagram of the ``packets`` packing; VMC advises 1500 with all headers."""
NECK_TO_HEAD_M = 0.1

_BUNDLE_HEADER_BYTES = 16
_ELEMENT_SIZE_BYTES = 4
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
        return [_bundle(messages)]
    bundles: list[list[OscMessage]] = []
    room = 0
    for message in messages:
        size = message.size + _ELEMENT_SIZE_BYTES
        if size > room:
            bundles.append([])
            room = BUNDLE_BYTES - _BUNDLE_HEADER_BYTES
        bundles[-1].append(message)
        room -= size
    return [_bundle(bundle) for bundle in bundles]


def _vmc_messages(face: FaceFrame) -> Iterator[OscMessage]:
    yield _message("/VMC/Ext/OK", 1, 3, 0, _TRACKED if face.tracked else _UNTRACKED)
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
        yield _message("/VMC/Ext/Blend/Val", name[0].upper() + name[1:], float(weight))
    for name, weight in face.presets.items():
        yield _message("/VMC/Ext/Blend/Val", name, float(weight))
    yield _message("/VMC/Ext/Blend/Apply")


def _bone(name: str, height_m: float, rotation: Quaternion) -> OscMessage:
    return _message("/VMC/Ext/Bone/Pos", name, 0.0, height_m, 0.0, *rotation)


def _message(address: str, *arguments: int | float | str) -> OscMessage:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build()


def _bundle(messages: list[OscMessage]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for message in messages:
        builder.add_content(message)
    return builder.build().dgram
