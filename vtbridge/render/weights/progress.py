"""How a long operation tells how far it is, whoever draws it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What fetching, extracting and converting report to."""

    def begin(self, step: str, total: int | None) -> None:
        """Start a step of ``total`` bytes or files, None if that is unknown."""

    def reach(self, done: int) -> None:
        """Say how much of the current step is done."""


class Silent:
    """Report to nobody."""

    def begin(self, step: str, total: int | None) -> None:
        """Ignore the step."""

    def reach(self, done: int) -> None:
        """Ignore the progress."""


SILENT: Progress = Silent()
