"""The chart shows what ran, to scale, as HTML and as PNG."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.support.bench_report import report, row
from vtbridge.render.benchmark.chart import COLORS, WIDTH, Box, Text, chart
from vtbridge.render.benchmark.chart_html import html_page
from vtbridge.render.benchmark.chart_png import png_bytes
from vtbridge.render.benchmark.promises import promises


def test_bars_are_as_long_as_their_stages_last() -> None:
    marks = chart(report()).marks
    bars = [mark for mark in marks if isinstance(mark, Box) and mark.hint]
    assert bars[0].hint == "reference: rotate 270.0 ms"
    (half,) = (bar for bar in bars if bar.hint == "quality balanced: edit 30.0 ms")
    (whole,) = (bar for bar in bars if bar.hint == "quality exact: edit 60.0 ms")
    assert whole.width == pytest.approx(2 * half.width)
    assert whole.color == COLORS["edit"]
    for box in bars:
        assert 0 <= box.x <= box.x + box.width <= WIDTH


def test_what_did_not_run_has_no_bar_and_an_unknown_stage_has_a_colour() -> None:
    made = chart(report(quality={"exact": row(100, stages_ms={"dream": 90.0})}))
    words = [mark.words for mark in made.marks if isinstance(mark, Text)]
    assert "openvino bf16" not in words
    assert "dream" in words
    assert any(isinstance(mark, Box) and "dream" in mark.hint for mark in made.marks)


def test_nothing_ran_is_still_a_chart() -> None:
    nothing = chart(report(others={}, quality={}, runtimes={}, baseline=None))
    assert png_bytes(nothing)


def test_the_page_needs_nothing_else_and_tells_of_broken_promises() -> None:
    told = report(quality={"exact": row(100, rss_mb=700.0)})
    told["promises"] = promises(told)
    page = html_page(chart(told), told)
    seen: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attrs)))

    Reader().feed(page)
    assert not {"script", "link", "img", "iframe", "cpu"} & {tag for tag, _ in seen}
    assert not any("src" in attrs or "href" in attrs for _, attrs in seen)
    assert "Some &lt;CPU&gt;" in page
    assert page.count('class="broken"') == 1
    assert "<td>memory</td><td>&lt;= 600 MB</td><td>700 MB</td>" in page


def test_the_png_shows_the_bars() -> None:
    made = chart(report())
    picture = Image.open(io.BytesIO(png_bytes(made)))
    assert picture.size == (2 * WIDTH, 2 * made.height)
    pixels = np.asarray(picture.convert("RGB"))
    edit = tuple(bytes.fromhex(COLORS["edit"].removeprefix("#")))
    boxes = [mark for mark in made.marks if isinstance(mark, Box) and mark.color == COLORS["edit"]]
    expected = sum(4 * box.width * box.height for box in boxes)
    assert (pixels == edit).all(axis=2).sum() == pytest.approx(expected, rel=0.03)
