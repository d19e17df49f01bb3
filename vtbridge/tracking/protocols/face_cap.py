"""Receive Face Cap's live mode: an iPhone's ARKit face over OSC.

``/W i f`` is one blendshape by number, ``/HR fff`` the head in degrees, ``/HRQ ffff`` the
same as a quaternion, ``/ELR ff`` and ``/ERR ff`` the eyes in degrees; ``/HT`` (position)
is not used. The app has no word for "face lost".

Source: bannaflak.com/face-cap/livemode.html for addresses and numbers; the axes follow
from the author's Unity receiver, which negates y and z on the way into Unity's axes
(x nose down, y to the own left, z to the own right shoulder), and agree with High
Fidelity's receiver, which mirrors. Inferred: that ``/HRQ`` has the axes of ``/HR``; so
it is used only from a sender without ``/HR``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from vtbridge.datatypes import Gaze, HeadPose
from vtbridge.osc import OscArgument
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.face_axes import head_pose_from_face_axes
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    leading_addresses,
    numbers_from,
    quaternion_from,
)

_LARGEST_ANGLE_DEG = 360.0
_NAMES_BY_NUMBER: Mapping[OscArgument, str] = dict(enumerate(ARKIT_NAMES))
_ADDRESSES = frozenset({b"/W", b"/HR", b"/HRQ", b"/HT", b"/ELR", b"/ERR"})


class FaceCapProtocol(OscFaceProtocol):
    """One phone with Face Cap."""

    name = "face_cap"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the packet begins with one of the app's short addresses."""
        return not _ADDRESSES.isdisjoint(leading_addresses(datagram))

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {
            "/W": self._take_numbered,
            "/HR": self._take_head,
            "/HRQ": self._take_head_quaternion,
            "/HT": self._take_nothing,
            "/ELR": self._take_left_eye,
            "/ERR": self._take_right_eye,
        }

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        super().reset(source)
        self._sends_angles = False

    def _take_numbered(self, arguments: OscArguments) -> bool:
        name = _NAMES_BY_NUMBER.get(arguments[0]) if len(arguments) > 1 else None
        if name is None:
            return self._drop()
        weight = arguments[1]
        if type(weight) is float and 0.0 <= weight <= 1.0:  # nearly every one
            self._blendshapes[name] = weight
            return True
        return self._keep_weight(name, weight)

    def _take_head(self, arguments: OscArguments) -> bool:
        angles = numbers_from(arguments, 3, _LARGEST_ANGLE_DEG)
        if angles is None:
            return self._drop()
        x, y, z = map(math.radians, angles)
        self._head = HeadPose(pitch_rad=-x, yaw_rad=-y, roll_rad=z)
        self._sends_angles = True
        return True

    def _take_head_quaternion(self, arguments: OscArguments) -> bool:
        rotation = quaternion_from(arguments)
        if rotation is None:
            return self._drop()
        if not self._sends_angles:
            self._head = head_pose_from_face_axes(rotation)
        return True

    def _take_left_eye(self, arguments: OscArguments) -> bool:
        gaze = _gaze_from(arguments)
        self._left_eye = gaze or self._left_eye
        return gaze is not None or self._drop()

    def _take_right_eye(self, arguments: OscArguments) -> bool:
        gaze = _gaze_from(arguments)
        self._right_eye = gaze or self._right_eye
        return gaze is not None or self._drop()


def _gaze_from(arguments: OscArguments) -> Gaze | None:
    angles = numbers_from(arguments, 2, _LARGEST_ANGLE_DEG)
    if angles is None:
        return None
    x, y = map(math.radians, angles)
    return Gaze(pitch_rad=-x, yaw_rad=-y)
