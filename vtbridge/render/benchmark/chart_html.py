"""A chart as one HTML page that needs nothing else: the picture, the promises, the JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from vtbridge.render.benchmark.chart import WIDTH, Box, Chart, Mark

_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; color: #1f2430; background: #f6f7f9; margin: 0; }
main { max-width: 1000px; margin: 24px auto; padding: 0 16px; }
svg, section { background: #fff; border: 1px solid #e5e7eb; border-radius: 8px; width: 100%;
  box-sizing: border-box; height: auto; }
section { padding: 8px 24px; margin-top: 16px; }
svg text { font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid #e5e7eb; }
.kept { color: #15803d; } .broken { color: #b91c1c; font-weight: 600; } .open { color: #6b7280; }
pre { overflow: auto; font-size: 12px; }
"""

_STATES = {True: ("kept", "kept"), False: ("broken", "broken"), None: ("open", "not measured")}


def html_page(chart: Chart, report: Mapping[str, Any]) -> str:
    """Return the page of ``report`` with its ``chart``; it loads nothing and runs no script."""
    promises = "".join(_promise(promise) for promise in report["promises"])
    told = escape(json.dumps(report, indent=1))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>vtbridge bench</title><style>{_STYLE}</style></head><body><main>"
        f"{_svg(chart)}"
        "<section><h2>Promises</h2><table><tr><th>what</th><th>promised</th><th>measured</th>"
        f"<th></th></tr>{promises}</table></section>"
        f"<section><details><summary>All numbers</summary><pre>{told}</pre></details></section>"
        "</main></body></html>\n"
    )


def _promise(promise: Mapping[str, Any]) -> str:
    style, state = _STATES[promise["kept"]]
    got = "" if promise["got"] is None else f"{promise['got']:g} {promise['unit']}"
    cells = (promise["name"], promise["wanted"], got)
    columns = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr>{columns}<td class="{style}">{state}</td></tr>'


def _svg(chart: Chart) -> str:
    marks = "".join(_drawn(mark) for mark in chart.marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {chart.height}" '
        f'role="img" aria-label="milliseconds a frame">{marks}</svg>'
    )


def _drawn(mark: Mark) -> str:
    if isinstance(mark, Box):
        shape = (
            f'<rect x="{mark.x:.1f}" y="{mark.y:.1f}" width="{mark.width:.1f}" '
            f'height="{mark.height:.1f}" fill="{mark.color}"'
        )
        return f"{shape}><title>{escape(mark.hint)}</title></rect>" if mark.hint else f"{shape}/>"
    weight = ' font-weight="600"' if mark.bold else ""
    return (
        f'<text x="{mark.x:.1f}" y="{mark.y:.1f}" fill="{mark.color}" font-size="{mark.size}" '
        f'text-anchor="{mark.anchor}"{weight}>{escape(mark.words)}</text>'
    )
