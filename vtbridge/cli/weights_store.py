"""What the commands of ``vtbridge weights`` share: the store's option, and a bar a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from vtbridge.render.weights.store import WeightStore

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Where the weights lie, instead of VTBRIDGE_WEIGHTS_DIR or the usual folder.",
    ),
]


class StepBar:
    """Draw what ``weights.progress.Progress`` is told, one line a step, on stderr."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> StepBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, step: str, total: int | None) -> None:
        """Start a line for ``step``."""
        if self._task is not None:
            self._progress.stop_task(self._task)
        self._task = self._progress.add_task(step, total=total)

    def reach(self, done: int) -> None:
        """Move the current line's bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done)


def opened_store(folder: Path | None) -> WeightStore:
    """Return the store that ``--store`` names, by default the user's own."""
    from vtbridge.render.weights.store import WeightStore

    return WeightStore(folder)


def tell_waiting(console: Console) -> None:
    """Say why nothing happens."""
    console.print("another vtbridge is writing to the store; waiting for it")
