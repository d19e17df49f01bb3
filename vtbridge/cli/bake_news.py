"""How far a bake is: a bar on a terminal, lines elsewhere, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from vtbridge.training.distill.job import BakeNews, Told

_LINE_EVERY_S = 15.0


@contextmanager
def shown_news() -> Iterator[Told]:
    """Give what shows how far a bake is: a bar on a terminal, elsewhere a line now and then."""
    if not sys.stderr.isatty():
        yield NewsLines(lambda line: typer.echo(line, err=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[quality]}", style="bold"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("loading", total=1.0, left="", quality="")

        def told(news: BakeNews) -> None:
            bars.update(
                task,
                description=news.phase,
                completed=min(news.baked_s, news.wanted_s),
                total=news.wanted_s,
                left=left(news),
                quality=quality(news),
            )

        yield told


class NewsLines:
    """Say a line at each new best quality, and every quarter of a minute.

    Args:
        say: takes one line.
    """

    def __init__(self, say: Any) -> None:
        self._say = say
        self._said_s: float | None = None
        self._quality = ""

    def __call__(self, news: BakeNews) -> None:
        """Hear how far it is, and say it if it is time to."""
        due = self._said_s is None or news.baked_s - self._said_s >= _LINE_EVERY_S
        if not due and quality(news) == self._quality:
            return
        self._said_s, self._quality = news.baked_s, quality(news)
        self._say(
            f"{news.phase}: {left(news)}, {news.body_samples} turns, {news.face_samples} faces"
            f", {quality(news)}"
        )


class NewsAsJson:
    """Say a line of JSON a second, and one at each new best quality.

    Args:
        say: takes one line.
    """

    def __init__(self, say: Any) -> None:
        self._say = say
        self._said: tuple[int, float | None] | None = None
        self._nobody_hears = False

    def __call__(self, news: BakeNews) -> None:
        """Hear how far it is, and say it if it is time to."""
        import json

        psnr_db = None if news.accuracy is None else round(news.accuracy.psnr_db, 3)
        said = int(news.baked_s), psnr_db
        if said == self._said or self._nobody_hears:
            return
        self._said = said
        told = {
            "phase": news.phase,
            "baked_s": round(news.baked_s, 1),
            "wanted_s": news.wanted_s,
            "psnr_db": psnr_db,
        }
        try:
            self._say(json.dumps({"news": told}))
        except BrokenPipeError:  # what was learnt is still to be written
            self._nobody_hears = True


def left(news: BakeNews) -> str:
    """Return the time left, such as ``2:05 left``."""
    seconds = max(round(news.wanted_s - news.baked_s), 0)
    return f"{seconds // 60}:{seconds % 60:02d} left"


def quality(news: BakeNews) -> str:
    """Return the quality so far, such as ``36.4 dB``."""
    return "no model yet" if news.accuracy is None else f"{news.accuracy.psnr_db:.1f} dB"
