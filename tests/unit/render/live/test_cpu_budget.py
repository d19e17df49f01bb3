from __future__ import annotations

import pytest

from vtbridge.render.live.cpu_budget import CpuBudget, cores_here, cpu_budget


@pytest.mark.parametrize(
    ("share", "cores", "threads", "duty"),
    [(1.0, 2, 2, 1.0), (0.5, 2, 1, 1.0), (0.5, 16, 8, 1.0), (0.25, 2, 1, 0.5), (0.01, 1, 1, 0.01)],
)
def test_budget_is_a_share_of_the_cores(
    share: float, cores: int, threads: int, duty: float
) -> None:
    budget = cpu_budget(share, cores)
    assert budget.threads == threads
    assert budget.duty == pytest.approx(duty)


def test_threads_that_are_named_override_the_share() -> None:
    assert cpu_budget(0.1, 8, threads=6) == CpuBudget(6)


def test_rest_makes_up_for_what_was_used_too_much() -> None:
    assert CpuBudget(1).rest_ns(40) == 0
    assert CpuBudget(1, duty=0.25).rest_ns(40) == 120


def test_some_core_is_here() -> None:
    assert cores_here() >= 1
