"""A soak as a page: the promises, and its figures over time with the faults marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from tests.soak.faults import Injected
from tests.soak.verdict import Row
from tests.soak.vitals import Vitals

WIDTH, HEIGHT = 960, 140
_LEFT, _TOP, _BOTTOM = 60, 24, 18
_FIGURES: Final = {
    "fps": "frames a second",
    "face_to_frame_p50_ms": "face to frame, median of the renderer's life, ms",
    "face_to_frame_p99_ms": "face to frame, p99, ms",
    "publish_p99_ms": "publishing, p99, ms",
    "rss_mib": "memory of the renderer, MiB",
    "parent_rss_mib": "memory of the supervisor, MiB",
    "fds": "file descriptors of the renderer",
    "threads": "threads of the renderer",
}
_STYLE: Final = (
    "body{font:14px system-ui,sans-serif;max-width:960px;margin:2em auto;color:#1f2430}"
    "td,th{text-align:left;padding:.2em 1em .2em 0}.no{color:#c22}.yes{color:#282}"
    "text{font-size:11px;fill:#6b7280}.title{font-size:13px;fill:#1f2430}"
    "polyline{fill:none;stroke:#2a628f;stroke-width:1.2}.fault{stroke:#ef767a;stroke-width:1}"
)
_STATES: Final = {True: ("yes", "kept"), False: ("no", "missed"), None: ("", "not told")}


def page(table: Sequence[Row], rows: Sequence[Vitals], faults: Sequence[Injected]) -> str:
    """Return an HTML page that loads nothing."""
    promises = "".join(
        f"<tr><td>{escape(row.what)}</td><td>{escape(row.measured)}</td>"
        f'<td>{escape(row.wanted)}</td><td class="{_STATES[row.kept][0]}">'
        f"{_STATES[row.kept][1]}</td></tr>"
        for row in table
    )
    plots = "".join(_plot(name, title, rows, faults) for name, title in _FIGURES.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>soak</title>'
        f"<style>{_STYLE}</style></head><body><h1>Soak</h1><table><tr><th>what</th>"
        f"<th>measured</th><th>promised</th><th></th></tr>{promises}</table>{plots}</body></html>\n"
    )


def _plot(name: str, title: str, rows: Sequence[Vitals], faults: Sequence[Injected]) -> str:
    points = [(row.at_s, float(value)) for row in rows if (value := getattr(row, name)) is not None]
    if not points:
        return ""
    end = max(row.at_s for row in rows) or 1.0
    low, high = min(y for _, y in points), max(y for _, y in points)
    high = max(high, low + 1e-9 + abs(low) * 0.01)

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / end * (WIDTH - _LEFT - 10)
        return across, _TOP + (high - y) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    marks = [f'<text class="title" x="{_LEFT}" y="14">{escape(title)}</text>']
    for fault in faults:
        x, _ = at(fault.at_s, low)
        marks.append(
            f'<line class="fault" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}">'
            f"<title>{escape(fault.kind)}</title></line>"
        )
    ticks = [(_LEFT - 6, at(0, y)[1] + 4, f"{y:.4g}") for y in (low, high)]
    ticks.append((WIDTH - 10, HEIGHT - 4, f"{end / 60:.0f} min"))
    marks += [f'<text x="{x}" y="{y:.1f}" text-anchor="end">{told}</text>' for x, y, told in ticks]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
    marks.append(f'<polyline points="{path}"/>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(marks)}</svg>'
