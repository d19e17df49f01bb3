"""The protocol of a poser: what turns one picture and many poses into frames."""

from __future__ import annotations

from typing import Protocol

from vtbridge.datatypes import F32Array, Picture, U8Array


class Poser(Protocol):
    """Show a character in a pose.

    A poser belongs to one thread at a time. Every ``values`` is float32 [45]; what lies
    outside a parameter's range is clamped.
    """

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

    def render(self, values: F32Array) -> U8Array:
        """Return the frame of a pose.

        Returns:
            uint8 [512, 512, 4], premultiplied sRGB, valid until the next call.

        Raises:
            InferenceError: the runtime failed or gave numbers that must not be shown;
                the frame returned last is still whole.
            ValueError: ``values`` is not float32 [45] or not finite.
        """

    def render_float(self, values: F32Array) -> F32Array:
        """Return the networks' output of a pose before its conversion to 8 bits.

        Returns:
            float32 [4, 512, 512], -1..1 about, linear light, straight alpha; read-only,
            valid until the next call.

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
            ValueError: ``values`` is not float32 [45] or not finite.
        """

    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""
