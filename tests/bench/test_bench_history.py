"""The kept ratios: each line of the history is a run, and the last one is no step back.

``make bench`` adds to it. A ratio that fell is worth a look, not a red build: machines of one
class still differ.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from vtbridge.render.benchmark.history import TOLERANCE, read_history, regressions

HISTORY = Path(__file__).parent / "history.jsonl"


class SlowerThanBefore(UserWarning):
    """A ratio fell by more than the tolerance."""


@pytest.mark.filterwarnings("always::tests.bench.test_bench_history.SlowerThanBefore")
def test_warn_if_the_last_run_is_slower_than_those_before() -> None:
    history = read_history(HISTORY)
    assert history, f"{HISTORY} holds no run: make bench"
    assert all(ratio > 0 for entry in history for ratio in entry.ratios.values())
    for regression in regressions(history[:-1], history[-1]):
        warnings.warn(f"over {100 * TOLERANCE:.0f} %: {regression}", SlowerThanBefore, stacklevel=1)
