"""Error against each value of the pose, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.training.evaluate.configurations import CONFIGURATIONS
from vtbridge.training.evaluate.measure import IDENTITY, MORPHER
from vtbridge.training.evaluate.metrics import F64Array

WIDTH, HEIGHT = 320, 200
BINS: Final = 8
_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 26, 10, 30
_STYLES: Final = {IDENTITY: 0, MORPHER: 9} | {
    each.name: 1 + number for number, each in enumerate(CONFIGURATIONS)
}
"""Of lines, ``.s0`` to ``.s9`` in the page's style sheet: a row looks the same in every report."""


def means_by_bin(values: F32Array, errors: F64Array, low: float) -> list[tuple[float, float]]:
    """Return (middle of the bin, mean error) for the bins of ``low``..1 that hold a value."""
    edges = np.linspace(low, 1, BINS + 1)
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    return [
        (float(edges[n] + edges[n + 1]) / 2, float(errors[bins == n].mean()))
        for n in range(BINS)
        if (bins == n).any()
    ]


def plot(title: str, values: F32Array, psnr_db: Mapping[str, F64Array], *, low: float) -> str:
    """Return a plot of the mean PSNR of each row over a value of the pose.

    Args:
        title: what the value is.
        values: float32 [N], ``low``..1.
        psnr_db: [N] by the row's name, which tells its line's style.
        low: least of the value's range, -1 or 0.
    """
    lines = {name: means_by_bin(values, each, low) for name, each in psnr_db.items()}
    heights = [y for points in lines.values() for _, y in points]
    bottom, top = np.floor(min(heights)), np.ceil(max(heights))
    top = max(top, bottom + 1)

    def at(x: float, y: float) -> str:
        across = _LEFT + (x - low) / (1 - low) * (WIDTH - _LEFT - _RIGHT)
        down = _TOP + (top - y) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    marks = [f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>']
    for y in np.linspace(bottom, top, 3).tolist():
        x1, y1 = at(low, y).split(",")
        x2, _ = at(1, y).split(",")
        marks.append(f'<line class="grid" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y1}"/>')
        marks.append(f'<text class="tick" x="{_LEFT - 6}" y="{y1}" dy="4">{y:g}</text>')
    for x in (low, (low + 1) / 2, 1):
        x1, _ = at(x, bottom).split(",")
        marks.append(f'<text class="tick across" x="{x1}" y="{HEIGHT - 10}">{x:g}</text>')
    for name, points in lines.items():
        path = " ".join(at(x, y) for x, y in points)
        told = f"<title>{escape(name)}</title>"
        marks.append(f'<polyline class="s{_STYLES[name]}" points="{path}">{told}</polyline>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="PSNR over {escape(title)}">{"".join(marks)}</svg>'
    )


def legend(names: list[str]) -> str:
    """Return the names with their line styles, as HTML."""
    keys = "".join(
        f'<span><svg viewBox="0 0 24 8" aria-hidden="true"><polyline class="s{_STYLES[name]}" '
        f'points="0,4 24,4"/></svg>{escape(name)}</span>'
        for name in names
    )
    return f'<p class="legend">{keys}</p>'
