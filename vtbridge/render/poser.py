"""The protocol of a poser: what turns one picture and many poses into frames."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array, clamp_pose
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.fields import FrameFields
from vtbridge.render.settings import Quality


class Poser(Protocol):
    """Show a character in a pose.

    A poser belongs to one thread at a time. Every ``values`` is float32 [45]; what lies
    outside a parameter's range is clamped.
    """

    @property
    def size(self) -> int:
        """Side of the frames that ``render`` returns, in pixels."""

    @property
    def quality(self) -> Quality:
        """How frames are computed; never ``AUTO``."""

    @property
    def repeated(self) -> bool:
        """True if the last ``render`` gave the same frame as the one before it."""

    def describe(self) -> str:
        """Return what computes, and how exactly, such as ``openvino f32 CPU``."""

    def set_picture(self, picture: Picture) -> None:
        """Show ``picture`` from the next frame on.

        Raises:
            InferenceError: the runtime failed; no picture is shown any more.
        """

    def set_quality(self, quality: Quality) -> None:
        """Compute the next frames as ``quality`` says; the picture and what is known stay.

        ``AUTO`` is exact: choosing by load is for whoever knows the load. So is ``BAKED`` for
        a poser that runs networks, while one of a prepared character knows nothing else.
        """

    def fields(self, values: F32Array) -> FrameFields:
        """Return what the networks say of a pose.

        Except at ``EXACT`` a pose asked for once more may get better fields than before.

        Returns:
            arrays valid until the next call of this or a ``render`` method.

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
            ValueError: ``values`` is not float32 [45] or not finite.
        """

    def render(self, values: F32Array) -> U8Array:
        """Return the frame of a pose.

        Returns:
            uint8 [size, size, 4], premultiplied sRGB, valid until the next call.

        Raises:
            InferenceError: the runtime failed or gave numbers that must not be shown;
                the frame returned last is still whole.
            ValueError: ``values`` is not float32 [45] or not finite.
        """

    def render_float(self, values: F32Array) -> F32Array:
        """Return the frame of a pose before its conversion to 8 bits.

        Returns:
            float32 [4, 512, 512] whatever ``size`` is, -1..1 about, linear light, straight
            alpha; read-only, valid until the next call.

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
            ValueError: ``values`` is not float32 [45] or not finite.
        """

    def recheck(self) -> None:
        """Have what computes take its self-test again, between two poses.

        Raises:
            RuntimeTurnedWrong: it must not be used any more.
            InferenceError: it cannot compute at all.
        """

    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""


def checked_pose(values: F32Array) -> F32Array:
    """Return a copy of ``values`` clamped to the parameters' ranges.

    Raises:
        ValueError: ``values`` is not float32 [45] or not finite.
    """
    if values.shape != (POSE_SIZE,) or values.dtype != np.float32:
        raise ValueError(f"a pose is float32 [{POSE_SIZE}], not {values.dtype} {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a pose holds a value that is not finite")
    return clamp_pose(values)
