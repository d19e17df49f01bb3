"""What the stages hand to each other: immutable values, arrays read-only.

Angles are radians, positive ``pitch`` up, ``yaw`` to the character's own right
(screen left), ``roll`` towards its own right shoulder: the signs of THA3's head_x,
head_y and neck_z. Every ``t_ns`` is the receiver's monotonic clock at arrival;
clocks of senders are never trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vtbridge.pose_schema import THA3, PoseSchema

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
ScalarT = TypeVar("ScalarT", bound=np.generic)

PICTURE_SIZE = 512
"""Side of the square picture that THA3 poses, in pixels."""

_F32 = np.dtype(np.float32)
_NOTHING: Mapping[str, float] = MappingProxyType({})


def read_only(array: NDArray[ScalarT]) -> NDArray[ScalarT]:
    """Return ``array`` after forbidding writes through it."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Rotation of the head against the camera, in radians."""

    pitch_rad: float = 0.0
    yaw_rad: float = 0.0
    roll_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class Gaze:
    """Direction of one eye against the head, in radians."""

    pitch_rad: float = 0.0
    yaw_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """One moment of a tracked face, whatever tracker saw it.

    Attributes:
        t_ns: arrival, monotonic nanoseconds.
        source: which tracker sent it: ``protocol:host`` (``vmc:127.0.0.1``; the sender's port is
            no part of it), with ``@port`` behind where it arrived at a port other than the
            protocol's own, and ``#number`` for one of several faces (``openseeface:127.0.0.1#0``);
            ``webcam:0``, ``microphone:NAME``; several joined by ``+`` where each gives parts.
        tracked: False when the tracker says that it lost the face.
        blendshapes: ARKit names (``jawOpen``) to 0..1; absent = not sent.
        presets: VRM 1 preset names (``aa``, ``happy``, ``blinkLeft``) to 0..1.
        head: rotation of the head, None if not sent.
        left_eye: gaze of the character's own left eye, None if not sent.
        right_eye: gaze of the character's own right eye, None if not sent.
    """

    t_ns: int
    source: str = ""
    tracked: bool = True
    blendshapes: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    presets: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    head: HeadPose | None = None
    left_eye: Gaze | None = None
    right_eye: Gaze | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The pose parameters of a character system at one moment.

    Attributes:
        values: float32 [schema.size], in the ranges of ``schema``, read-only.
        t_ns: arrival of the face data behind it, or when it was made.
        presence: how far a tracker vouches for it: 1 = live face, 0 = none (idle).
        coverage: float32 [schema.size], read-only: how far the face data drives each parameter,
            1 = wholly, 0 = not at all (a microphone moves no eyelid); None = all of them wholly.
        schema: which parameters these are.
    """

    values: F32Array
    t_ns: int = 0
    presence: float = 1.0
    coverage: F32Array | None = None
    schema: PoseSchema = THA3

    def __post_init__(self) -> None:
        """Refuse what no poser can show.

        Raises:
            ValueError: wrong shape, a value that is not finite, or a coverage beyond 0..1.
        """
        self._require_vector("a pose", self.values)
        # One product tells it four times as fast as a look at each value.
        if not math.isfinite(self.values.dot(self.values)):
            raise ValueError("a pose holds a value that is not finite")
        read_only(self.values)
        if self.coverage is not None:
            self._require_vector("a pose's coverage", self.coverage)
            # Both find NaN before any number, and no comparison with NaN is true.
            least, most = self.coverage.argmin(), self.coverage.argmax()
            if not (self.coverage.item(least) >= 0.0 and self.coverage.item(most) <= 1.0):
                raise ValueError("a pose's coverage lies beyond 0..1")
            read_only(self.coverage)

    def _require_vector(self, what: str, vector: F32Array) -> None:
        size = self.schema.size
        if vector.shape != (size,) or vector.dtype != _F32:
            raise ValueError(f"{what} is float32 [{size}], not {vector.dtype} {vector.shape}")


def clamp_pose(values: F32Array, schema: PoseSchema = THA3) -> F32Array:
    """Return a copy of float32 [schema.size] ``values`` clamped to each parameter's range."""
    return schema.clamp(values)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A character's picture as THA3 wants it.

    Attributes:
        rgba: uint8 [512, 512, 4], sRGB, straight alpha, RGB 0 where alpha is 0, read-only.
        name: what to call it in messages, usually the file's name.
        digest: sha256 of ``rgba``, hexadecimal; the key of everything cached for it.
        credit: line that must be shown with it, empty if none.
        original: the same picture with more pixels, uint8 [S, S, 4] with 512 < S <= 2048,
            otherwise as ``rgba``; None where the file had no more.
    """

    rgba: U8Array
    name: str
    digest: str
    credit: str = ""
    original: U8Array | None = None


class FrameFlag(IntFlag):
    """What a reader should know about a frame; the bits of vtbf's slot flags."""

    NONE = 0
    REPEAT = 1
    TRACKER_LOST = 2
    PLACEHOLDER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One finished picture on its way out.

    Attributes:
        rgba: uint8 [H, W, 4], sRGB, premultiplied alpha; valid until the poser's next call.
        t_capture_ns: arrival of the face data it shows.
        flags: see ``FrameFlag``.
    """

    rgba: U8Array
    t_capture_ns: int
    flags: FrameFlag = FrameFlag.NONE
