"""How the error hangs on the pose, as small SVG pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 340, 180, 44, 26, 10
_BINS = 8
COLOURS = (
    "#6b7280", "#2563eb", "#60a5fa", "#c2410c", "#fb923c",
    "#15803d", "#4ade80", "#7c3aed", "#c084fc",
)  # fmt: skip
"""Of contenders, in their order; the first is the identity's."""


def error_by(
    label: str,
    values: Sequence[float],
    errors: Mapping[str, Sequence[float]],
    span: tuple[float, float],
) -> str:
    """Return an SVG: the mean error in bins of a pose value, a line a contender.

    Args:
        label: of the pose value.
        values: one a picture.
        errors: of each contender, one a picture.
        span: least and greatest value there may be.
    """
    edges = np.linspace(*span, _BINS + 1)
    place = np.clip(np.digitize(values, edges) - 1, 0, _BINS - 1)
    lines = {
        name: [_mean(np.asarray(each)[place == number]) for number in range(_BINS)]
        for name, each in errors.items()
    }
    top = max((v for line in lines.values() for v in line if not math.isnan(v)), default=1.0) * 1.05
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="error by {label}">',
        *_frame(label, span, top),
    ]
    for number, (name, line) in enumerate(lines.items()):
        points = " ".join(
            f"{_x((i + 0.5) / _BINS):.1f},{_y(v / top):.1f}"
            for i, v in enumerate(line)
            if not math.isnan(v)
        )
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2">'
            f"<title>{name}</title></polyline>"
        )
    return "".join([*parts, "</svg>"])


def _frame(label: str, span: tuple[float, float], top: float) -> list[str]:
    low, high = (f"{end:g}" for end in span)
    base = _y(0)
    return [
        f'<path d="M{_LEFT} {_TOP}V{base}H{_WIDTH - 6}" fill="none" stroke="currentColor"/>',
        f'<text x="{_LEFT - 4}" y="{_TOP + 10}" text-anchor="end">{top:.3f}</text>',
        f'<text x="{_LEFT - 4}" y="{base}" text-anchor="end">0</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{low}</text>',
        f'<text x="{_WIDTH - 6}" y="{_HEIGHT - 8}" text-anchor="end">{high}</text>',
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{label}</text>',
    ]


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - 6)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(values.mean()) if len(values) else math.nan
