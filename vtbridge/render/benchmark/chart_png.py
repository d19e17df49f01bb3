"""A chart as a PNG, twice as fine as its layout."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from vtbridge.render.benchmark.chart import PAPER, WIDTH, Box, Chart

_SCALE = 2
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def png_bytes(chart: Chart) -> bytes:
    """Return the PNG file of ``chart``."""
    picture = Image.new("RGB", (WIDTH * _SCALE, chart.height * _SCALE), PAPER)
    draw = ImageDraw.Draw(picture)
    for mark in chart.marks:
        x, y = mark.x * _SCALE, mark.y * _SCALE
        if isinstance(mark, Box):
            corner = x + max(mark.width * _SCALE - 1, 0), y + max(mark.height * _SCALE - 1, 0)
            draw.rectangle((x, y, *corner), fill=mark.color)
            continue
        draw.text(
            (x, y),
            mark.words,
            fill=mark.color,
            font=ImageFont.load_default(mark.size * _SCALE),
            anchor=_ANCHORS[mark.anchor],
            stroke_width=int(mark.bold),
        )
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
