"""Receive the VMC protocol 3.1: bones, blendshapes and tracking status over OSC.

Senders pack a frame as one bundle, as several datagrams, or as single messages. A
face is complete at the end of the datagram that holds ``/VMC/Ext/Blend/Apply``; from a
sender that never sends it, at the end of each bundle; and otherwise after a few
milliseconds of quiet. What a datagram leaves out keeps its last value, for not every
message comes with every frame.

Senders that move a loaded model, VSeeFace first among them, send only the clips that
it has, and turn its eye bones instead of sending the look clips where it has such
bones; so both are read, and eye bones that never move are no gaze.

Source: protocol.vmc.info, the specification of sh-akira/VirtualMotionCaptureProtocol.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import isfinite

from vtbridge.datatypes import Gaze
from vtbridge.tracking.arkit import EMOTION_PRESETS, ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols.osc_face import LONGEST_WAIT_NS as LONGEST_WAIT_NS
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    quaternion_from,
)
from vtbridge.tracking.protocols.osc_reading import NumberKey
from vtbridge.tracking.protocols.protocol import weight_from_number
from vtbridge.tracking.rotation import (
    IDENTITY,
    Quaternion,
    angle_between,
    gaze_from_unity,
    head_pose_from_unity,
    multiply,
)

ARKIT_QUORUM = 26
"""With this many of the 52 names seen, the sender speaks ARKit and its vowels are ignored."""

HEAD_CHAIN = ("Spine", "Chest", "UpperChest", "Neck", "Head")
"""Bones between the hips and the face, outermost first; each is local to the one before."""
_HEAD_BONES = frozenset({"Neck", "Head"})
_EYE_BONES = ("LeftEye", "RightEye")
_BONES = frozenset({*HEAD_CHAIN, *_EYE_BONES})
_STILL_EYE_RAD = 1e-3
_BONE_ARGUMENTS = 8
_NAMESPACE = "/VMC/Ext/"
_BLEND = "/VMC/Ext/Blend/Val"
_ARKIT = ShapeKind.ARKIT  # asking an enum for a member takes as long as the rest of a handler
_NAMESPACE_BYTES = _NAMESPACE.encode()


class VmcProtocol(OscFaceProtocol):
    """One VMC sender; memory is bounded by the names it knows, not by what arrives."""

    name = "vmc"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether VMC's name stands in the OSC packet."""
        return _NAMESPACE_BYTES in datagram

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {
            "/VMC/Ext/Bone/Pos": self._take_bone,
            _BLEND: self._take_blend,
            "/VMC/Ext/Blend/Apply": self._take_apply,
            "/VMC/Ext/OK": self._take_status,
        }

    def _is_own(self, address: str) -> bool:
        return address.startswith(_NAMESPACE)

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        super().reset(source)
        self._loaded = True
        self._sees_person = True
        self._bones: dict[str, Quaternion] = {}
        self._eyes_at_first: dict[str, Quaternion] = {}
        self._moving_eyes: set[str] = set()
        self._uses_apply: bool | None = None  # unknown until the first face is complete

    @property
    def _bundle_is_face(self) -> bool:
        return self._uses_apply is False

    def _take_bone(self, arguments: OscArguments) -> bool:
        if len(arguments) < _BONE_ARGUMENTS or not isinstance(arguments[0], str):
            return self._drop()
        bone = arguments[0]
        if bone not in _BONES:
            return False  # a bone that no face has
        rotation = quaternion_from(arguments[4:])
        if rotation is None:
            return self._drop()
        self._bones[bone] = rotation
        if bone in _EYE_BONES:
            first = self._eyes_at_first.setdefault(bone, rotation)
            if bone not in self._moving_eyes and angle_between(first, rotation) > _STILL_EYE_RAD:
                self._moving_eyes.add(bone)
        return True

    def _take_blend(self, arguments: OscArguments) -> bool:
        if len(arguments) < 2 or not isinstance(arguments[0], str):
            return self._drop()
        weight = weight_from_number(arguments[1])
        if weight is None:
            return self._drop()
        shape = shape_from_spelling(arguments[0])
        if shape is None:
            return False
        known = self._blendshapes if shape.kind is _ARKIT else self._presets
        known[shape.name] = weight
        return True

    def _number_key(self, address: str, leading: OscArguments) -> NumberKey | None:
        if address != _BLEND or len(leading) != 1 or not isinstance(leading[0], str):
            return None
        shape = shape_from_spelling(leading[0])
        return None if shape is None else NumberKey(shape.kind, shape.name)

    def _take_numbers(
        self, group: Hashable, names: Sequence[str], numbers: Sequence[float]
    ) -> bool:
        known = self._blendshapes if group is _ARKIT else self._presets
        return self._take_weights(known, names, numbers)

    def _take_apply(self, arguments: OscArguments) -> bool:
        self._ended = self._uses_apply = True
        return False

    def _take_status(self, arguments: OscArguments) -> bool:
        """Take "loaded" and, where the sender knows version 2.7, the tracking status.

        Without a loaded model a sender has no pose. Calibration state and mode (2.5) tell
        nothing about the face.
        """
        match arguments:
            case (int() | float() as loaded, *_) if not isfinite(loaded):
                return self._drop()
            case (int() | float() as loaded, _, _, int() | float() as seen, *_) if isfinite(seen):
                self._loaded, self._sees_person = bool(loaded), bool(seen)
            case (int() | float() as loaded, *_):
                self._loaded = bool(loaded)
            case _:
                return self._drop()
        before = self._tracked
        self._tracked = self._loaded and self._sees_person
        return self._tracked != before

    def _settle(self) -> None:
        if self._uses_apply is None:
            self._uses_apply = False
        if len(self._blendshapes) >= ARKIT_QUORUM:
            self._presets = {n: w for n, w in self._presets.items() if n in EMOTION_PRESETS}
        if not _HEAD_BONES.isdisjoint(self._bones):
            self._head = head_pose_from_unity(self._head_rotation())
        self._left_eye = self._gaze("LeftEye")
        self._right_eye = self._gaze("RightEye")

    def _head_rotation(self) -> Quaternion:
        rotation = IDENTITY
        for bone in HEAD_CHAIN:
            if bone in self._bones:
                rotation = multiply(rotation, self._bones[bone])
        return rotation

    def _gaze(self, bone: str) -> Gaze | None:
        """Return the gaze of an eye bone that has ever moved.

        Many senders give eye bones that stay put and say the gaze in blendshapes.
        """
        return gaze_from_unity(self._bones[bone]) if bone in self._moving_eyes else None
