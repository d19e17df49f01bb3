"""Who is liked better: strengths from choices between two (Bradley and Terry, 1952).

The chance that ``a`` is chosen over ``b`` is ``s[a] / (s[a] + s[b])``. Strengths are found by
Hunter's MM algorithm (2004, "MM algorithms for generalized Bradley-Terry models"); a tie is half
a win for each. Every pair that was compared has half a tie added, so that who won everything has
a strength that is finite. How sure a score is, is told by choosing anew among the choices.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vtbridge.errors import TrainingError

COLUMNS: Final = ("case", "left", "right", "choice")
"""Of the file that the viewer exports."""
LEFT, RIGHT, TIE = CHOICES = ("left", "right", "tie")

_PRIOR: Final = 0.25
_STEPS: Final = 10_000
_CLOSE: Final = 1e-10
_SHARE: Final = 95.0

F64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """One look at two: their names, and ``left``, ``right`` or ``tie``."""

    left: str
    right: str
    choice: str


@dataclass(frozen=True, slots=True)
class Rank:
    """How one does against the others.

    Attributes:
        name: its.
        score: natural logarithm of its strength; the mean of all is 0.
        low: lower end of 95 of 100 scores from choices chosen anew.
        high: upper end.
        wins: how often it was chosen.
        ties: how often nothing was between it and another.
        losses: how often another was chosen.
    """

    name: str
    score: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int


def read_choices(path: Path) -> list[Choice]:
    """Return the choices of a file that the viewer exported.

    Raises:
        TrainingError: it cannot be read, or is none; the message tells the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missing := set(COLUMNS) - set(rows.fieldnames or ()):
                raise TrainingError(
                    f"{path} has no column {min(missing)}: export it from the report's comparison"
                )
            return [_choice(row, f"{path}, line {rows.line_num}") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error


def _choice(row: dict[str, str | None], where: str) -> Choice:
    left, right, choice = (row[name] or "" for name in COLUMNS[1:])
    if choice not in CHOICES:
        raise TrainingError(f"{where}: choice is {choice!r} instead of left, right or tie")
    if not left or not right or left == right:
        raise TrainingError(f"{where}: {left!r} and {right!r} are no two to choose between")
    return Choice(left, right, choice)


def ranking(choices: Sequence[Choice], *, resamples: int = 500, seed: int = 0) -> list[Rank]:
    """Return everyone that was compared, the best first.

    Args:
        choices: at least one.
        resamples: how often choices are chosen anew for the confidence.
        seed: of that.

    Raises:
        TrainingError: there are no choices, or two groups were never compared with each other.
    """
    names = sorted({name for each in choices for name in (each.left, each.right)})
    if not names:
        raise TrainingError("there are no choices to rank: compare some pictures first")
    place = {name: number for number, name in enumerate(names)}
    wins: F64Array = np.zeros((len(choices), 2))
    pairs = np.array([(place[each.left], place[each.right]) for each in choices])
    for row, each in zip(wins, choices, strict=True):
        row[:] = {LEFT: (1.0, 0.0), RIGHT: (0.0, 1.0), TIE: (0.5, 0.5)}[each.choice]
    table = _table(pairs, wins, len(names))
    _check_joined(table + table.T, names)
    prior = _PRIOR * ((table + table.T) > 0)
    scores = _scores(table + prior)
    random = np.random.default_rng(seed)
    others = np.array(
        [
            _scores(_table(pairs[picked], wins[picked], len(names)) + prior)
            for picked in random.integers(len(choices), size=(resamples, len(choices)))
        ]
    ).reshape(-1, len(names))
    if len(others):
        low, high = np.percentile(others, [50 - _SHARE / 2, 50 + _SHARE / 2], axis=0)
    else:
        low = high = scores
    ranks = [
        Rank(name, float(scores[n]), float(low[n]), float(high[n]), *_counts(name, choices))
        for n, name in enumerate(names)
    ]
    return sorted(ranks, key=lambda rank: -rank.score)


def _table(pairs: NDArray[np.int64], wins: F64Array, count: int) -> F64Array:
    """Return how often each row was chosen over each column."""
    table: F64Array = np.zeros((count, count))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), wins[:, 0])
    np.add.at(table, (pairs[:, 1], pairs[:, 0]), wins[:, 1])
    return table


def _scores(table: F64Array) -> F64Array:
    """Return the logarithms of the strengths, their mean 0."""
    met = table + table.T
    won = table.sum(axis=1)
    strength: F64Array = np.ones(len(table))
    for _ in range(_STEPS):
        shares = met / (strength[:, None] + strength[None, :])
        better = won / shares.sum(axis=1)
        better /= math.exp(float(np.log(better).mean()))
        done = np.abs(np.log(better) - np.log(strength)).max() < _CLOSE
        strength = better
        if done:
            break
    return np.log(strength)


def _check_joined(met: F64Array, names: Sequence[str]) -> None:
    reached = {0}
    waiting = [0]
    while waiting:
        near = set(np.flatnonzero(met[waiting.pop()]).tolist()) - reached
        reached |= near
        waiting += near
    if alone := [name for number, name in enumerate(names) if number not in reached]:
        raise TrainingError(
            f"{names[0]} and {alone[0]} were never compared, not even by way of others: "
            "compare more pairs, or rank them apart"
        )


def _counts(name: str, choices: Sequence[Choice]) -> tuple[int, int, int]:
    outcomes = [
        each.choice if each.left == name else {LEFT: RIGHT, RIGHT: LEFT}.get(each.choice, TIE)
        for each in choices
        if name in (each.left, each.right)
    ]
    return outcomes.count(LEFT), outcomes.count(TIE), outcomes.count(RIGHT)
