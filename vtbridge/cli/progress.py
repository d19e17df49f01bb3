"""How far a long command is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from vtbridge.clock import NS_PER_S, Clock

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much (0 = nobody knows yet)."""

LINE_EVERY_S = 30.0
_TENTHS = 10
_SPEED_KNOWN_AFTER_S = 5.0


@contextmanager
def shown_progress(clock: Clock) -> Iterator[Progress]:
    """Give what shows progress on stderr in the way that suits it."""
    if sys.stderr.isatty():
        with _bars() as progress:
            yield progress
    else:
        yield ProgressLines(lambda line: typer.echo(line, err=True), clock)


class ProgressLines:
    """Say a line for every tenth of a stage, and whenever half a minute went by in silence.

    Args:
        say: takes one line.
        clock: tells how long a stage takes.
    """

    def __init__(self, say: Callable[[str], object], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._stage = ""
        # What an earlier run did must not count as this run's speed.
        self._first = self._begin_ns = 0
        self._said_tenth = self._said_ns = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Hear how far ``stage`` is, and say it if it is time to."""
        now_ns = self._clock.now_ns()
        tenth = _TENTHS * done // total if total else 0
        if stage != self._stage:
            self._stage, self._first, self._begin_ns = stage, done, now_ns
            self._said_tenth, self._said_ns = tenth if done < total else 0, now_ns
        if tenth <= self._said_tenth and now_ns - self._said_ns < LINE_EVERY_S * NS_PER_S:
            return
        self._said_tenth, self._said_ns = tenth, now_ns
        self._say(self._line(done, total, (now_ns - self._begin_ns) / NS_PER_S))

    def _line(self, done: int, total: int, took_s: float) -> str:
        if not total:
            return f"{self._stage}: {done}"
        line = f"{self._stage}: {done} of {total} ({100 * done // total} %)"
        if took_s < _SPEED_KNOWN_AFTER_S or not self._first < done < total:
            return line
        return f"{line}, {_length(took_s * (total - done) / (done - self._first))} left"


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, speed_estimate_period=60) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                # What an earlier run did must not count as this run's speed.
                tasks[stage] = bars.add_task(stage, total=total or None, completed=done)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield progress
