"""Every parser that sees bytes of others, group by group; each group is a module of rows."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from tests.fuzz.target import Target

REPOSITORY = Path(__file__).parents[2]
CORPUS = REPOSITORY / "tests" / "data" / "fuzz"
GROUPS = ("tracking", "file", "kept", "figure", "control")


@cache
def _group(name: str) -> tuple[Target, ...]:
    module = importlib.import_module(f"tests.fuzz.{name}_targets")
    return tuple(getattr(module, f"{name}_targets")())


def targets() -> dict[str, Target]:
    """Return all targets by their names."""
    return {one.name: one for group in GROUPS for one in _group(group)}


def target_of(name: str) -> Target:
    """Return one target; groups behind its own are not imported, for a fuzzer starts often."""
    for group in GROUPS:
        for one in _group(group):
            if one.name == name:
                return one
    raise KeyError(name)


def corpus_of(name: str) -> list[bytes]:
    """Return the kept inputs of a target, the same order on each machine."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
