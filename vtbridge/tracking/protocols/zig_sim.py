"""Receive ZIG SIM Pro's ARKit command in FACE mode: an iPhone's face over OSC.

Every address begins with the name or UUID that the phone has in the app:
``/<uuid>/facerotation``, ``/<uuid>/faceposition``, ``/<uuid>/face<blendshape>``, and
positions of eyes and look-at point, which are not used. The app sends a bundle a frame.

Source: 1-10.github.io/zigsim/features/arkit.html. The page names the addresses but not
the arguments; inferred: a rotation is the quaternion x y z w (as in the app's own
``quaternion`` message) of ARKit's face anchor, a blendshape one number, its name spelled
as Apple's constant or raw value (``eyeBlinkLeft``, ``eyeBlink_L``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from vtbridge.tracking.arkit import ShapeKind, shape_from_spelling
from vtbridge.tracking.face_axes import head_pose_from_face_axes
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    quaternion_from,
)
from vtbridge.tracking.protocols.osc_reading import NumberKey

_ARKIT = ShapeKind.ARKIT
_PREFIX = "face"
_MARKS = (b"/facerotation\0", b"/faceposition\0")
_UNUSED = frozenset({"position", "lookatposition", "lefteyeposition", "righteyeposition"})


class ZigSimProtocol(OscFaceProtocol):
    """One phone with ZIG SIM Pro."""

    name = "zig_sim"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the head of a face stands in the packet, as in each bundle."""
        return any(mark in datagram for mark in _MARKS)

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {}  # all of them begin with the phone's name

    def _find_handler(self, address: str) -> Handler | None:
        _, phone, last = address.split("/", 2) if address.count("/") == 2 else ("", "", "")
        if not phone or not last.startswith(_PREFIX):
            return None
        what = last.removeprefix(_PREFIX)
        if what == "rotation":
            return self._take_head
        if what in _UNUSED:
            return self._take_nothing
        shape = shape_from_spelling(what)
        if shape is None or shape.kind is not _ARKIT:
            return None
        return partial(self._take_weight, shape.name)

    def _number_key(self, address: str, leading: OscArguments) -> NumberKey | None:
        take = None if leading else self._find_handler(address)
        return NumberKey(_ARKIT, take.args[0]) if isinstance(take, partial) else None

    def _take_head(self, arguments: OscArguments) -> bool:
        rotation = quaternion_from(arguments)
        if rotation is None:
            return self._drop()
        self._head = head_pose_from_face_axes(rotation)
        return True
