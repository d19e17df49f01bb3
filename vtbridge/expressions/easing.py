"""How a change is spread over its time: monotone curves from 0 to 1, and back from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Easing(StrEnum):
    """The shape of a fade or of the way to a keyframe."""

    LINEAR = "linear"
    SMOOTH = "smooth"
    EASE_IN = "ease_in"
    EASE_OUT = "ease_out"
    EASE_IN_OUT = "ease_in_out"


MAX_SLOPE: Mapping[Easing, float] = MappingProxyType(
    {
        Easing.LINEAR: 1.0,
        Easing.SMOOTH: 1.5,
        Easing.EASE_IN: 2.0,
        Easing.EASE_OUT: 2.0,
        Easing.EASE_IN_OUT: 3.0,
    }
)
"""The steepest that each gets, in its whole change per whole time."""


def eased(easing: Easing, progress: float) -> float:
    """Return the share of a change, 0..1, that is done at ``progress`` (clamped to 0..1)."""
    return curve_of(easing)(min(max(progress, 0.0), 1.0))


def curve_of(easing: Easing) -> Callable[[float], float]:
    """Return the function of ``easing``, for 0..1; a look-up of its own costs more than it."""
    return _CURVES[easing]


def progress_of(easing: Easing, share: float) -> float:
    """Return the progress at which ``share`` (clamped to 0..1) of a change is done."""
    a = min(max(share, 0.0), 1.0)
    return _INVERSES[easing](a)


def _ease_in_out(u: float) -> float:
    return 4.0 * u * u * u if u < 0.5 else 1.0 - 4.0 * (1.0 - u) * (1.0 - u) * (1.0 - u)


def _ease_in_out_inverse(a: float) -> float:
    return math.cbrt(a / 4.0) if a < 0.5 else 1.0 - math.cbrt((1.0 - a) / 4.0)


_CURVES: Mapping[Easing, Callable[[float], float]] = {
    Easing.LINEAR: lambda u: u,
    Easing.SMOOTH: lambda u: u * u * (3.0 - 2.0 * u),
    Easing.EASE_IN: lambda u: u * u,
    Easing.EASE_OUT: lambda u: u * (2.0 - u),
    Easing.EASE_IN_OUT: _ease_in_out,
}
_INVERSES: Mapping[Easing, Callable[[float], float]] = {
    Easing.LINEAR: lambda a: a,
    Easing.SMOOTH: lambda a: 0.5 - math.sin(math.asin(1.0 - 2.0 * a) / 3.0),
    Easing.EASE_IN: math.sqrt,
    Easing.EASE_OUT: lambda a: 1.0 - math.sqrt(1.0 - a),
    Easing.EASE_IN_OUT: _ease_in_out_inverse,
}
