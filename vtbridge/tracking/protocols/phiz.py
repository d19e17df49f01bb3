"""Receive Phiz: a webcam's face from phizmocap.dev, by way of its desktop app, over OSC.

``/phiz/blendshapes`` has all 52 in Phiz's own order, ``/phiz/headRotation`` a quaternion
x y z w; each comes as a datagram of its own. ``/phiz/leftEyeRotation`` and
``rightEyeRotation`` are documented as quaternions but hold the direction of the gaze and
a zero.

Source: the data format page, lib/blendshapes.ts and the capture page of SpookyCorgi/phiz:
right-handed, y up, z forward. Inferred: that its left is the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from vtbridge.datatypes import Gaze
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.face_axes import (
    gaze_from_direction,
    gaze_from_face_axes,
    head_pose_from_face_axes,
)
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    numbers_from,
    quaternion_from,
)

BLENDSHAPES, HEAD, LEFT_EYE, RIGHT_EYE = (
    f"/phiz/{part}"
    for part in ("blendshapes", "headRotation", "leftEyeRotation", "rightEyeRotation")
)
_NAMESPACE = b"/phiz/"
_LARGEST_COMPONENT = 1e3

_JAW = ("jawOpen", "jawForward", "jawLeft", "jawRight")
_SIDEWAYS = ("mouthLeft", "mouthRight")
_LAST = (*_SIDEWAYS, *_JAW, "tongueOut")
SHAPES: tuple[str, ...] = (*(name for name in ARKIT_NAMES if name not in _LAST), *_LAST)
"""The 52 in Phiz's order: mouth sideways, jaw and tongue come last."""


class PhizProtocol(OscFaceProtocol):
    """One Phiz app; a face is complete when its four messages have come."""

    name = "phiz"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the app's name stands in the packet."""
        return _NAMESPACE in datagram

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {
            BLENDSHAPES: self._take_blendshapes,
            HEAD: self._take_head,
            LEFT_EYE: self._take_left_eye,
            RIGHT_EYE: self._take_right_eye,
            "/phiz/version": self._take_nothing,
        }

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        super().reset(source)
        self._heard: set[str] = set()

    def _settle(self) -> None:
        self._heard.clear()

    def _hear(self, address: str) -> bool:
        self._heard.add(address)
        self._ended = len(self._heard) == 4
        return True

    def _take_blendshapes(self, arguments: OscArguments) -> bool:
        if len(arguments) < len(SHAPES):
            return self._drop()
        self._take_shapes(SHAPES, arguments)
        return self._hear(BLENDSHAPES)

    def _take_head(self, arguments: OscArguments) -> bool:
        rotation = quaternion_from(arguments)
        if rotation is None:
            return self._drop()
        self._head = head_pose_from_face_axes(rotation)
        return self._hear(HEAD)

    def _take_left_eye(self, arguments: OscArguments) -> bool:
        gaze = _gaze_from(arguments)
        if gaze is None:
            return self._drop()
        self._left_eye = gaze
        return self._hear(LEFT_EYE)

    def _take_right_eye(self, arguments: OscArguments) -> bool:
        gaze = _gaze_from(arguments)
        if gaze is None:
            return self._drop()
        self._right_eye = gaze
        return self._hear(RIGHT_EYE)


def _gaze_from(arguments: OscArguments) -> Gaze | None:
    numbers = numbers_from(arguments, 4, _LARGEST_COMPONENT)
    if numbers is None:
        return None
    x, y, z, w = numbers
    if w == 0.0:
        return gaze_from_direction(x, y, z)
    rotation = quaternion_from(arguments)  # should an app ever send what is documented
    return None if rotation is None else gaze_from_face_axes(rotation)
