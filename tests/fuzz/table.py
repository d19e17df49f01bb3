"""Every parser that sees bytes of others: one row each, nothing else to register."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.fuzz.control_targets import control_targets
from tests.fuzz.figure_targets import figure_targets
from tests.fuzz.file_targets import file_targets
from tests.fuzz.kept_targets import kept_targets
from tests.fuzz.target import Target
from tests.fuzz.tracking_targets import tracking_targets

REPOSITORY = Path(__file__).parents[2]
CORPUS = REPOSITORY / "tests" / "data" / "fuzz"


@cache
def targets() -> dict[str, Target]:
    """Return the targets by their names."""
    rows = [
        *tracking_targets(),
        *control_targets(),
        *file_targets(),
        *kept_targets(),
        *figure_targets(),
    ]
    return {row.name: row for row in rows}


def corpus_of(name: str) -> list[bytes]:
    """Return the kept inputs of a target, the same order on each machine."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
