"""Turn pictures into network input, and network output into 8-bit RGBA.

The networks see and give *signals*: float32 planes [4, H, W] in RGBA order, -1..1,
linear light, straight alpha. With ``unit(v) = clip((v + 1) / 2, 0, 1)`` and ``srgb``
the encoding of IEC 61966-2-1, a pixel leaves as

::

    A = round(255 * unit(alpha))
    C = round(A * srgb(unit(colour)))        premultiplied
    C = round(255 * srgb(unit(colour)))      straight, 0 where A is 0

so the colour is multiplied by alpha *after* it was encoded. Blended with
``one, one minus source alpha`` on encoded values, as browsers do and as OBS does with
``gs_enable_framebuffer_srgb(false)``, the result is the picture a painting program
shows. The product uses the alpha that is stored, hence C <= A always and C = 0 where A
is 0. ``srgb`` comes from a table of 8192 steps: no level is off by more than 1.
"""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render import _alpha

CHANNELS = 4


def premultiplied_from_network(planes: F32Array, out: U8Array) -> None:
    """Write a network's output as premultiplied sRGB.

    Args:
        planes: float32 [4, H, W], C-contiguous.
        out: uint8 [H, W, 4], C-contiguous; filled also when this raises.

    Raises:
        InferenceError: a value is NaN or infinite; ``out`` must not be shown.
        ValueError: the shapes or types do not fit together.
    """
    _check(planes, out)
    _refuse_not_finite(_alpha.premultiplied_from_network(planes, out), planes.size)


def straight_from_network(planes: F32Array, out: U8Array) -> None:
    """Write a network's output as straight sRGB, for files.

    Args:
        planes: float32 [4, H, W], C-contiguous.
        out: uint8 [H, W, 4], C-contiguous; filled also when this raises.

    Raises:
        InferenceError: a value is NaN or infinite.
        ValueError: the shapes or types do not fit together.
    """
    _check(planes, out)
    _refuse_not_finite(_alpha.straight_from_network(planes, out), planes.size)


def premultiplied_signals(planes: F32Array) -> F32Array:
    """Return signals whose colours are multiplied by alpha, in linear light, as THA4 wants them.

    Args:
        planes: float32 [4, H, W], -1..1, straight alpha.
    """
    result = planes.copy()
    result[:3] = (planes[:3] + 1) * ((planes[3:] + 1) / 2) - 1
    return result


def network_from_straight(rgba: U8Array) -> F32Array:
    """Return a picture as the networks want it.

    Args:
        rgba: uint8 [H, W, 4], sRGB, straight alpha; colours under alpha 0 count as black.

    Returns:
        float32 [4, H, W], -1..1, linear light, straight alpha.

    Raises:
        ValueError: ``rgba`` is not uint8 [H, W, 4].
    """
    planes = np.empty((CHANNELS, *rgba.shape[:2]), np.float32)
    _check(planes, rgba)
    _alpha.network_from_straight(np.ascontiguousarray(rgba), planes)
    return planes


def _check(planes: F32Array, rgba: U8Array) -> None:
    if (
        planes.dtype != np.float32
        or rgba.dtype != np.uint8
        or planes.ndim != 3
        or rgba.shape != (*planes.shape[1:], CHANNELS)
        or planes.shape[0] != CHANNELS
    ):
        raise ValueError(
            f"expected float32 [4, H, W] and uint8 [H, W, 4], got {planes.dtype} {planes.shape} "
            f"and {rgba.dtype} {rgba.shape}"
        )


def _refuse_not_finite(count: int, size: int) -> None:
    if count:
        raise InferenceError(
            f"the network's output holds {count} of {size} values that are not finite; "
            "the frame is dropped. If this repeats, try --precision f32 or another runtime"
        )
