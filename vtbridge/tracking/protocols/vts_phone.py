"""Receive VTube Studio's iPhone app, and MeowFace on Android which speaks the same.

The phone is asked once a second to send for some seconds, and answers with one JSON
object a frame: ``FaceFound``, ``Rotation`` in degrees and ``BlendShapes``, a list of
``{"k": name, "v": weight}``. Names come in several spellings (``EyeBlinkLeft``,
``eyeLookOut_L``). Fields that are not needed are ignored: new ones may come, and apps
disagree about ``EyeLeft`` and ``EyeRight`` (axes swapped, MeowFace's eyes squint), while
the gaze stands in the eyeLook blendshapes too.

``Rotation``: x turns to the own right, y down, z tilts to the own left shoulder.

Source: github.com/DenchiSoft/VTubeStudioBlendshapeUDPReceiverTest, whose example turns
a mirrored head by Euler(-y, -x, z).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols.protocol import (
    Greeting,
    TrackerProtocol,
    finite_or_none,
    weight_from_number,
)
from vtbridge.tracking.protocols.spellings import ARKIT_BY_SPELLING

DEFAULT_PORT = 11125
PHONE_PORT = 21412
REQUEST_INTERVAL_NS = NS_PER_S
SEND_FOR_S = 5.0
"""What is asked for at a time: lost requests matter only when five are lost in a row."""
MAX_BYTES = 16_384
"""A frame of all 52 shapes has about 3000."""
MAX_SHAPES = 512

_ARKIT = ShapeKind.ARKIT  # asking an enum for a member is not for the hot path
_LARGEST_ANGLE_DEG = 360.0


class VtsPhoneProtocol(TrackerProtocol):
    """One phone with VTube Studio or MeowFace.

    Args:
        phone: address to ask, None to wait for a sender that needs no request.
        port: UDP port here, which the phone is told to send to.
        phone_port: where the phone listens.
    """

    name = "vts_phone"

    def __init__(
        self, phone: str | None = None, *, port: int = DEFAULT_PORT, phone_port: int = PHONE_PORT
    ) -> None:
        super().__init__()
        self._greeting = (
            None if phone is None else Greeting(encode_request(port), phone, phone_port)
        )
        self._last_greeting_ns: int | None = None
        self.reset("")

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the datagram is an object that has its field."""
        return datagram.startswith(b"{") and b'"BlendShapes"' in datagram

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._blendshapes: dict[str, float] = {}
        self._head: HeadPose | None = None

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return its face.

        Raises:
            PacketError: it is too large, no JSON, or lacks a field that every frame has.
        """
        fields = _parse_object(datagram)
        match fields:
            case {"FaceFound": bool(found), "BlendShapes": list(shapes)}:
                pass
            case _:
                raise PacketError(
                    "a JSON object without FaceFound and BlendShapes", reason="not vts_phone"
                )
        if len(shapes) > MAX_SHAPES:
            raise PacketError(
                f"{len(shapes)} blendshapes are more than {MAX_SHAPES}", reason="vts_phone size"
            )
        blendshapes, name_of = self._blendshapes, ARKIT_BY_SPELLING.get
        for shape in shapes:
            try:
                name, weight = name_of(shape["k"]), shape["v"]
            except (LookupError, TypeError):
                name = weight = None
            if name is not None and type(weight) is float and 0.0 <= weight <= 1.0:
                blendshapes[name] = weight  # nearly every one
            else:
                self._take_shape(shape)
        if "Rotation" in fields:
            self._take_rotation(fields["Rotation"])
        return [
            FaceFrame(
                t_ns=t_ns,
                source=self._source,
                tracked=found,
                blendshapes=MappingProxyType(dict(self._blendshapes)),
                head=self._head,
            )
        ]

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return the request, once a second for as long as frames are wanted."""
        last_ns = self._last_greeting_ns
        if self._greeting is None or (last_ns is not None and t_ns - last_ns < REQUEST_INTERVAL_NS):
            return None
        self._last_greeting_ns = t_ns
        return self._greeting

    def _take_shape(self, shape: object) -> None:
        spelling, number = (shape.get("k"), shape.get("v")) if isinstance(shape, dict) else (0, 0)
        weight = None if isinstance(number, bool) else weight_from_number(number)
        if weight is None or not isinstance(spelling, str):
            self.values_dropped += 1
            return
        known = shape_from_spelling(spelling)
        if known is not None and known.kind is _ARKIT:
            self._blendshapes[known.name] = weight

    def _take_rotation(self, rotation: object) -> None:
        angles: list[float | None] = [None]
        if isinstance(rotation, Mapping):
            angles = [finite_or_none(rotation.get(axis), _LARGEST_ANGLE_DEG) for axis in "xyz"]
        match angles:
            case [float(x), float(y), float(z)]:
                self._head = HeadPose(-math.radians(y), math.radians(x), -math.radians(z))
            case _:
                self.values_dropped += 1


def encode_request(port: int) -> bytes:
    """Return the request to send frames to ``port`` of the computer that asks."""
    request = {
        "messageType": "iOSTrackingDataRequest",
        "time": SEND_FOR_S,
        "sentBy": "vtbridge",
        "ports": [port],
    }
    return json.dumps(request).encode()


def _parse_object(datagram: bytes) -> dict[str, object]:
    if len(datagram) > MAX_BYTES:
        raise PacketError(
            f"{len(datagram)} bytes of JSON are more than {MAX_BYTES}", reason="vts_phone size"
        )
    try:
        fields = json.loads(datagram)
    except (ValueError, RecursionError) as error:
        raise PacketError(f"no JSON: {datagram[:40]!r}", reason="not vts_phone") from error
    if not isinstance(fields, dict):
        raise PacketError(f"no JSON object: {datagram[:40]!r}", reason="not vts_phone")
    return fields
