"""One face as JSON, exactly: how a recording keeps what webcam and microphone saw."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError

MAX_SHAPES = 256
MAX_NAME_LENGTH = 64
LARGEST_ANGLE_RAD = math.tau
LONGEST_AGE_NS = 60 * NS_PER_S
"""No tracker looks at a picture for so long."""

_FIELDS = {"age_ns", "tracked", "blendshapes", "presets", "head", "left_eye", "right_eye"}


def encode_face(face: FaceFrame, age_ns: int = 0) -> bytes:
    """Return ``face`` without its time and source; what is absent is left out.

    Args:
        face: blendshapes and presets 0..1, angles within a turn.
        age_ns: how long before it came it was seen, at most ``LONGEST_AGE_NS``.

    Raises:
        ValueError: it holds a number that is not finite.
    """
    fields: dict[str, object] = {"tracked": face.tracked}
    if age_ns:
        fields["age_ns"] = age_ns
    if face.blendshapes:
        fields["blendshapes"] = {name: float(weight) for name, weight in face.blendshapes.items()}
    if face.presets:
        fields["presets"] = {name: float(weight) for name, weight in face.presets.items()}
    if face.head is not None:
        head = face.head
        fields["head"] = [float(v) for v in (head.pitch_rad, head.yaw_rad, head.roll_rad)]
    for eye, gaze in (("left_eye", face.left_eye), ("right_eye", face.right_eye)):
        if gaze is not None:
            fields[eye] = [float(gaze.pitch_rad), float(gaze.yaw_rad)]
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()


def parse_face(data: bytes, t_ns: int, source: str) -> FaceFrame:
    """Return the face in ``data``; ``parse_face(encode_face(face), ...) == face``.

    Args:
        data: what ``encode_face`` returned.
        t_ns: when it came; it is dated by when it was seen.
        source: as in ``FaceFrame.source``.

    Raises:
        PacketError: it is no such JSON, or holds what no face can have.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _no_face(f"no JSON ({error})") from error
    if not isinstance(fields, dict) or not fields.keys() <= _FIELDS:
        raise _no_face("unknown fields")
    tracked = fields.get("tracked")
    if not isinstance(tracked, bool):
        raise _no_face(f"tracked is {tracked!r:.40}")
    head = _angles(fields, "head", 3)
    left, right = _angles(fields, "left_eye", 2), _angles(fields, "right_eye", 2)
    return FaceFrame(
        t_ns=t_ns - _age_ns(fields, t_ns),
        source=source,
        tracked=tracked,
        blendshapes=_weights(fields, "blendshapes"),
        presets=_weights(fields, "presets"),
        head=None if head is None else HeadPose(*head),
        left_eye=None if left is None else Gaze(*left),
        right_eye=None if right is None else Gaze(*right),
    )


def _age_ns(fields: Mapping[str, object], t_ns: int) -> int:
    age_ns = fields.get("age_ns", 0)
    if type(age_ns) is not int or not 0 <= age_ns <= min(LONGEST_AGE_NS, t_ns):
        raise _no_face(f"age_ns is {age_ns!r:.40}")
    return age_ns


def _weights(fields: Mapping[str, object], name: str) -> Mapping[str, float]:
    shapes = fields.get(name, {})
    if not isinstance(shapes, dict) or len(shapes) > MAX_SHAPES:
        raise _no_face(f"{name} is no table of at most {MAX_SHAPES} weights")
    for shape, weight in shapes.items():
        if len(shape) > MAX_NAME_LENGTH or not isinstance(weight, float):
            raise _no_face(f"{name} holds {shape!r:.80}: {weight!r:.40}")
        if not 0.0 <= weight <= 1.0:
            raise _no_face(f"{name} holds {shape!r:.80}: {weight}")
    return MappingProxyType(shapes)


def _angles(fields: Mapping[str, object], name: str, count: int) -> list[float] | None:
    angles = fields.get(name)
    if angles is None:
        return None
    if not isinstance(angles, list) or len(angles) != count:
        raise _no_face(f"{name} is not {count} angles")
    if not all(isinstance(angle, float) and abs(angle) <= LARGEST_ANGLE_RAD for angle in angles):
        raise _no_face(f"{name} holds {angles!r:.80}")
    return angles


def _no_face(trouble: str) -> PacketError:
    return PacketError(f"a face with {trouble}", reason="face")
