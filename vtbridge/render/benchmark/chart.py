"""A benchmark as a picture: for each contender a bar of its stages, its rate and likeness.

The layout is made once, of rectangles and words; ``chart_html`` and ``chart_png`` draw it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 960
"""Of every chart, in units that are pixels on most screens."""

COLORS: Mapping[str, str] = {
    "networks": "#8a94a6",
    "decompose": "#5a6478",
    "brows": "#f2b134",
    "face": "#ef767a",
    "rotate": "#3e92cc",
    "edit": "#2a628f",
    "carry": "#78c0a8",
    "composite": "#44cf6c",
    "convert": "#44cf6c",
    "other": "#c9ced6",
}
"""Of stages, in the order in which they are drawn; unknown ones share the last."""

INK, FAINT, PAPER, LINES = "#1f2430", "#6b7280", "#ffffff", "#e5e7eb"

_LEFT, _RIGHT = 188, 628
_TOP, _ROW, _BAR = 92, 34, 20
_COLUMNS = (("fps", 712), ("dB", 766), ("x reference", 850), ("x ort", 902), ("MB", 944))
_LEAST_SEEN = 0.5


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, filled; ``hint`` is told where the medium can."""

    x: float
    y: float
    width: float
    height: float
    color: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Words on a baseline: ``anchor`` is ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    words: str
    color: str = INK
    size: int = 13
    anchor: str = "start"
    bold: bool = False


Mark = Box | Text


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw, in order, on ``WIDTH`` x ``height`` of paper."""

    height: int
    marks: tuple[Mark, ...]


def chart(report: Mapping[str, Any]) -> Chart:
    """Return the chart of ``report``, the benchmark's JSON."""
    rows = [
        (f"quality {name}" if part == "quality" else name, row)
        for part in ("others", "quality", "runtimes")
        for name, row in report[part].items()
        if row["ran"]
    ]
    longest_ms = max((row["ms"] for _, row in rows), default=1.0)
    step_ms = _step(longest_ms)
    end_ms = math.ceil(longest_ms / step_ms) * step_ms
    foot = _TOP + len(rows) * _ROW
    marks: list[Mark] = [*_head(report), *_scale(step_ms, end_ms, foot)]
    stages: set[str] = set()
    for place, (name, row) in enumerate(rows):
        parts = _parts(row)
        stages |= {stage for stage, _ in parts}
        marks += _bar(name, row, parts, _TOP + place * _ROW, end_ms)
    marks += _legend(sorted(stages, key=_place), foot + 48)
    return Chart(foot + 72, tuple(marks))


def _head(report: Mapping[str, Any]) -> Iterator[Mark]:
    machine = report["machine"]
    yield Text(24, 34, "vtbridge: milliseconds a frame", size=18, bold=True)
    yield Text(
        24,
        56,
        f"{machine['cpu']}, {machine['usable_threads']} threads; {report['frames']} frames; "
        f"vtbridge {report['versions']['vtbridge']}; likeness to: {report['baseline']}",
        FAINT,
        12,
    )
    for title, x in _COLUMNS:
        yield Text(x, _TOP - 12, title, FAINT, 12, "end")


def _scale(step_ms: float, end_ms: float, foot: float) -> Iterator[Mark]:
    for n in range(round(end_ms / step_ms) + 1):
        x = _LEFT + (_RIGHT - _LEFT) * n * step_ms / end_ms
        yield Box(x - 0.5, _TOP - 4, 1, foot - _TOP + 4, LINES)
        yield Text(x, foot + 16, f"{n * step_ms:g}", FAINT, 11, "middle")


def _bar(
    name: str, row: Mapping[str, Any], parts: list[tuple[str, float]], y: float, end_ms: float
) -> Iterator[Mark]:
    base = y + _BAR - 5
    yield Text(_LEFT - 10, base, name, anchor="end")
    x = float(_LEFT)
    for stage, ms in parts:
        width = (_RIGHT - _LEFT) * ms / end_ms
        yield Box(x, y, width, _BAR, _color(stage), f"{name}: {stage} {ms:.1f} ms")
        x += width
    yield Text(x + 6, base, f"{row['ms']:.1f}", size=12)
    told = (
        f"{row['fps']:.1f}",
        _told(row["box_psnr_db"], ".1f"),
        _told(row["ratio_to_reference"], ".2f"),
        _told(row["ratio_to_onnxruntime"], ".2f"),
        f"{row['rss_mb']:.0f}",
    )
    for words, (_, column) in zip(told, _COLUMNS, strict=True):
        yield Text(column, base, words, anchor="end")


def _told(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)


def _legend(stages: Sequence[str], y: float) -> Iterator[Mark]:
    x = float(_LEFT)
    for stage in stages:
        yield Box(x, y - 10, 11, 11, _color(stage))
        yield Text(x + 16, y, stage, FAINT, 12)
        x += 34 + 7 * len(stage)


def _parts(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the stages and what is left of the frame's time, those that can be seen."""
    known = sorted(row["stages_ms"].items(), key=lambda part: _place(part[0]))
    parts = [(name, ms) for name, ms in known if ms > 0]
    parts.append(("other", row["ms"] - sum(ms for _, ms in parts)))
    return [(name, ms) for name, ms in parts if ms > _LEAST_SEEN / 1000 * row["ms"]]


def _place(stage: str) -> int:
    """Return where ``stage`` is drawn; unknown ones come last."""
    return list(COLORS).index(stage) if stage in COLORS else len(COLORS)


def _color(stage: str) -> str:
    return COLORS.get(stage, COLORS["other"])


def _step(longest: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that about five steps are ``longest``."""
    rough = max(longest, 1e-3) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
