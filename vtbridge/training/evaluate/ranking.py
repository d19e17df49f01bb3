"""What people preferred, as scores: Bradley-Terry, fitted by minorisation-maximisation.

Each comparison of two configurations is won by one of them; a tie counts half for each. A score
of ``s`` is preferred over one of ``t`` with probability ``exp(s) / (exp(s) + exp(t))``; scores
sum to 0.

Sources: R. Bradley, M. Terry (1952); D. Hunter, "MM algorithms for generalized Bradley-Terry
models" (2004).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtbridge.errors import TrainingError

F64Array = NDArray[np.float64]
COLUMNS = ("picture", "left", "right", "choice")
_CHOICES = ("left", "right", "tie")
_ROUNDS = 10_000
_STILL = 1e-10
_PRIOR = 0.1
"""Of a tie that every pair is given, so that who never lost has a score."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One answer: of ``left`` and ``right``, ``choice`` (left, right or tie) was better."""

    left: str
    right: str
    choice: str


@dataclass(frozen=True, slots=True)
class Rank:
    """A configuration: its score, and the range of 95 % of the bootstraps."""

    name: str
    score: float
    low: float
    high: float
    comparisons: int


def read_comparisons(path: Path) -> list[Comparison]:
    """Return the answers of a CSV file that the viewer saved.

    Raises:
        TrainingError: it cannot be read, or a line is none; the message tells which.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    answers = []
    for number, row in enumerate(rows, start=2):
        left, right, choice = (row.get(name) or "" for name in COLUMNS[1:])
        if not left or not right or left == right or choice not in _CHOICES:
            raise TrainingError(
                f"{path}, line {number}: expected {', '.join(COLUMNS)} with a choice of "
                f"{', '.join(_CHOICES)}"
            )
        answers.append(Comparison(left, right, choice))
    if not answers:
        raise TrainingError(f"{path} holds no comparison")
    return answers


def ranking(answers: Sequence[Comparison], *, bootstraps: int = 200, seed: int = 0) -> list[Rank]:
    """Return the configurations, the best first."""
    names = sorted({name for answer in answers for name in (answer.left, answer.right)})
    index = {name: number for number, name in enumerate(names)}
    scores = _scores(_wins(answers, index))
    random = np.random.default_rng(seed)
    again = np.array(
        [
            _scores(
                _wins([answers[i] for i in random.integers(len(answers), size=len(answers))], index)
            )
            for _ in range(bootstraps)
        ]
    )
    low, high = np.percentile(again, (2.5, 97.5), axis=0)
    ranks = [
        Rank(
            name=name,
            score=float(scores[i]),
            low=float(low[i]),
            high=float(high[i]),
            comparisons=sum(name in (answer.left, answer.right) for answer in answers),
        )
        for name, i in index.items()
    ]
    return sorted(ranks, key=lambda rank: -rank.score)


def _wins(answers: Sequence[Comparison], index: dict[str, int]) -> F64Array:
    """Return how often each won over each other."""
    wins = np.full((len(index), len(index)), _PRIOR / 2)
    np.fill_diagonal(wins, 0)
    for answer in answers:
        left, right = index[answer.left], index[answer.right]
        share = {"left": 1.0, "right": 0.0, "tie": 0.5}[answer.choice]
        wins[left, right] += share
        wins[right, left] += 1 - share
    return wins


def _scores(wins: F64Array) -> F64Array:
    strength: F64Array = np.ones(len(wins))
    won, played = wins.sum(axis=1), wins + wins.T
    for _ in range(_ROUNDS):
        weight = played / (strength[:, None] + strength[None, :])
        fitted = won / weight.sum(axis=1)
        fitted /= np.exp(np.log(fitted).mean())
        if np.abs(fitted - strength).max() < _STILL:
            break
        strength = fitted
    centred: F64Array = np.log(strength) - np.log(strength).mean()
    return centred
