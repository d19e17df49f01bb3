"""On which line of a TOML file an entry stands, for messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([^=#\[\]{}]{1,200}?)\s*=")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line of the deepest part of ``path`` that stands in ``text``, from 1.

    Args:
        text: a TOML document.
        path: names of tables and of a key, and places in arrays of tables.
    """
    wanted = list(path)
    counts: dict[tuple[str, ...], int] = {}
    table: list[str | int] = []
    best_line, best_depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            parts = _parts(header[2])
            if header[1] == "[[":
                counts[tuple(parts)] = counts.get(tuple(parts), -1) + 1
            here = table = _with_places(parts, counts)
        elif key := _KEY.match(line):
            here = [*table, *_parts(key[1])]
        else:
            continue
        if len(here) > best_depth and here == wanted[: len(here)]:
            best_line, best_depth = number, len(here)
    return best_line


def _with_places(parts: list[str], counts: dict[tuple[str, ...], int]) -> list[str | int]:
    """Return the path of a table, with the place in each array that it lies in."""
    path: list[str | int] = []
    for depth, part in enumerate(parts, 1):
        path.append(part)
        place = counts.get(tuple(parts[:depth]))
        if place is not None:
            path.append(place)
    return path


def _parts(key: str) -> list[str]:
    return [part.strip().strip("\"'") for part in key.split(".")[:20]]
