"""Receive VRCFaceTracking: eye and face trackers of headsets, as sent to VRChat.

``/avatar/parameters/v2/JawOpen f`` and its like, changed values only, a bundle 100 times
a second. Avatars may put a prefix before ``v2/`` (``/avatar/parameters/FT/v2/...``), and
older programs (EyeTrackVR among them) send names without ``v2/``; those count only as
long as no ``v2/`` has come, for VRCFaceTracking can send both.

The gaze is the tangent of its angles, x to the own right, y up. The head's angles are a
quarter turn at 1: yaw to the own right, pitch down, roll to the own left shoulder. Gaze
and head are told once they are not zero, since modules without them send zeros.

Unless an avatar asks for its parameters (see ``vtbridge.tracking.oscquery``), the program
sends none. ``/vrcft/settings/forceRelevant T`` makes it send all, of which the greeting
makes use; it hears that on its own computer only.

Source: benaclejames/VRCFaceTracking: UnifiedData, UnifiedHeadParameters, BaseParameter,
ParameterSenderService, OscQueryService.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import partial

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    leading_addresses,
)
from vtbridge.tracking.protocols.osc_reading import NumberKey
from vtbridge.tracking.protocols.protocol import Greeting, finite_or_none
from vtbridge.tracking.protocols.vrcft_shapes import (
    EYE_SHAPES,
    FINEST,
    PARAMETERS,
    SIDES,
    Mix,
    mixes_for,
)

NAMESPACE = "/avatar/parameters/"
VERSION = "v2/"
QUARTER_TURN_RAD = math.pi / 2
"""What 1 means for an angle of the head."""

GAZE_PARAMETERS = ("EyeLeftX", "EyeLeftY", "EyeRightX", "EyeRightY")
HEAD_PARAMETERS = ("Head/Yaw", "Head/Pitch", "Head/Roll")
EYES_ACTIVE = "EyeTrackingActive"
FACE_ACTIVE = "ExpressionTrackingActive"
LIPS_ACTIVE = "LipTrackingActive"
LID_PARAMETERS = ("EyeLidLeft", "EyeLidRight")
"""Lids as every 5.x version sends them."""
WANTED: tuple[str, ...] = (*FINEST, *LID_PARAMETERS, *GAZE_PARAMETERS, *HEAD_PARAMETERS)
"""The parameters, below ``v2/``, that say all there is; to be asked for as floats."""
WANTED_FLAGS = (EYES_ACTIVE, FACE_ACTIVE, LIPS_ACTIVE)
"""Whether something tracks, without ``v2/``; to be asked for as booleans."""

FORCE_RELEVANT = b"/vrcft/settings/forceRelevant\0\0\0,T\0\0"
COMMAND_PORT = 9001
"""Where VRCFaceTracking listens, on its own computer only."""
GREETING_INTERVAL_NS = 2_000_000_000
"""Silence after which the program is asked (again)."""


def _gaze_ways(side: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of parameters that tell an eye's gaze, finest first."""
    old_x = f"{side}EyeX"
    return (
        (f"Eye{side}X", f"Eye{side}Y"),
        ("EyeX", "EyeY"),
        (old_x, f"{side}EyeY"),
        (old_x, "EyesY"),
        ("EyesX", "EyesY"),
    )


_GAZES: Mapping[str, tuple[tuple[str, str], ...]] = {side: _gaze_ways(side) for side in SIDES}
_FLAGS = frozenset(WANTED_FLAGS)
_KNOWN = frozenset(
    {*PARAMETERS, *HEAD_PARAMETERS, *_FLAGS}
    | {name for ways in _GAZES.values() for pair in ways for name in pair}
)
_MARK = f"/{VERSION}"
_LARGEST_VALUE = 10.0


class VrcftProtocol(OscFaceProtocol):
    """One VRCFaceTracking, or a program that sends its parameters.

    Args:
        ask_for_all: ask a VRCFaceTracking on this computer to send every parameter.
    """

    name = "vrcft"

    def __init__(self, *, ask_for_all: bool = False) -> None:
        super().__init__()
        self._ask_for_all = ask_for_all
        self._last_greeting_ns: int | None = None

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the packet begins with parameters that VRCFaceTracking sends."""
        return any(_is_sent(address.decode("latin-1")) for address in leading_addresses(datagram))

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {}  # avatars put what they like before the names

    def _find_handler(self, address: str) -> Handler | None:
        parameter = _parameter_in(address)
        if parameter is None:
            return None
        is_v2 = _MARK in address
        if parameter in _FLAGS:
            return partial(self._take_flag, parameter, is_v2)
        return partial(self._take_value, parameter, is_v2)

    def _is_own(self, address: str) -> bool:
        return _is_sent(address)

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        super().reset(source)
        self._values: dict[str, float] = {}
        self._mixes: tuple[tuple[str, Mix], ...] | None = None
        self._speaks_v2 = False
        self._last_arrival_ns: int | None = None

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return the faces it completes.

        Raises:
            PacketError: it is not OSC, or holds no parameter of a face.
        """
        frames = super().feed(datagram, t_ns)
        self._last_arrival_ns = t_ns
        return frames

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return the request for all parameters when there is silence."""
        if not self._ask_for_all:
            return None
        for last_ns in (self._last_arrival_ns, self._last_greeting_ns):
            if last_ns is not None and t_ns - last_ns < GREETING_INTERVAL_NS:
                return None
        self._last_greeting_ns = t_ns
        return Greeting(FORCE_RELEVANT, "127.0.0.1", COMMAND_PORT)

    def _number_key(self, address: str, leading: OscArguments) -> NumberKey | None:
        parameter = None if leading else _parameter_in(address)
        if parameter is None or parameter in _FLAGS:
            return None
        return NumberKey(_MARK in address, parameter)

    def _take_numbers(
        self, group: Hashable, names: Sequence[str], numbers: Sequence[float]
    ) -> bool:
        is_v2 = group is True
        largest = max(max(numbers), -min(numbers))
        # The sum is for NaN, which hides from min and max.
        if largest > _LARGEST_VALUE or not math.isfinite(sum(numbers)):
            pairs = zip(names, numbers, strict=True)
            came = [self._take_value(name, is_v2, (number,)) for name, number in pairs]
            return any(came)
        if is_v2 is not self._speaks_v2:
            if not is_v2:
                return False
            self._turn_to_v2()
        count = len(self._values)
        self._values.update(zip(names, numbers, strict=True))
        if len(self._values) > count:
            self._mixes = None
        return True

    def _take_value(self, parameter: str, is_v2: bool, arguments: OscArguments) -> bool:
        argument = arguments[0] if arguments else None
        if argument is True or argument is False:
            return False  # avatars have switches by the same names
        value = finite_or_none(argument, _LARGEST_VALUE)
        if value is None:
            return self._drop()
        if is_v2 is not self._speaks_v2:
            if not is_v2:
                return False
            self._turn_to_v2()
        self._keep(parameter, value)
        return True

    def _take_flag(self, parameter: str, is_v2: bool, arguments: OscArguments) -> bool:
        argument = arguments[0] if arguments else None
        value = finite_or_none(
            float(argument) if isinstance(argument, bool) else argument, _LARGEST_VALUE
        )
        if value is None:
            return self._drop()
        if is_v2 and not self._speaks_v2:
            self._turn_to_v2()
        self._keep(parameter, value)
        return True

    def _turn_to_v2(self) -> None:
        self._speaks_v2 = True
        self._values = {n: v for n, v in self._values.items() if n in _FLAGS}
        self._mixes = None

    def _keep(self, parameter: str, value: float) -> None:
        if parameter not in self._values:
            self._mixes = None
        self._values[parameter] = value

    def _settle(self) -> None:
        values = self._values
        if self._mixes is None:
            self._mixes = mixes_for(values)
        sees_eyes = values.get(EYES_ACTIVE) != 0.0
        sees_face = values.get(FACE_ACTIVE, values.get(LIPS_ACTIVE)) != 0.0
        self._tracked = sees_eyes or sees_face
        self._blendshapes = {
            shape: mix.weight(values)
            for shape, mix in self._mixes
            if (sees_eyes if shape in EYE_SHAPES else sees_face)
        }
        self._left_eye = self._gaze("Left", self._left_eye) if sees_eyes else None
        self._right_eye = self._gaze("Right", self._right_eye) if sees_eyes else None
        yaw, pitch, roll = (min(max(values.get(name, 0.0), -1.0), 1.0) for name in HEAD_PARAMETERS)
        if self._head is not None or yaw or pitch or roll:
            self._head = HeadPose(
                pitch_rad=-pitch * QUARTER_TURN_RAD,
                yaw_rad=yaw * QUARTER_TURN_RAD,
                roll_rad=-roll * QUARTER_TURN_RAD,
            )

    def _gaze(self, side: str, before: Gaze | None) -> Gaze | None:
        for right_name, up_name in _GAZES[side]:
            right, up = self._values.get(right_name), self._values.get(up_name)
            if right is None or up is None:
                continue
            if before is None and not right and not up:
                return None
            return Gaze(pitch_rad=math.atan(up), yaw_rad=math.atan(right))
        return None


def _is_sent(address: str) -> bool:
    """Return whether VRCFaceTracking sends ``address``, of use here or not."""
    return address.startswith(NAMESPACE) and (
        _MARK in address or _parameter_in(address) is not None
    )


def _parameter_in(address: str) -> str | None:
    """Return the known parameter that ``address`` names, below ``v2/`` where it has that."""
    if not address.startswith(NAMESPACE):
        return None
    _, mark, below = address[len(NAMESPACE) - 1 :].partition(_MARK)
    parameter = below if mark else address.removeprefix(NAMESPACE)
    return parameter if parameter in _KNOWN else None
