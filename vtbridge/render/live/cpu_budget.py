"""How much of the processor the networks may use."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuBudget:
    """A share of the machine for the networks.

    Attributes:
        threads: that they compute with.
        duty: share of the time in which they may compute, 0..1; below 1 only where the budget
            is less than one core.
    """

    threads: int
    duty: float = 1.0

    def rest_ns(self, busy_ns: int, duty: float = 1.0) -> int:
        """Return how long to rest after ``busy_ns`` of computing; ``duty`` asks for more rest."""
        return round(busy_ns * (1.0 / min(self.duty, duty) - 1.0))


def cpu_budget(share: float, cores: int, *, threads: int = 0) -> CpuBudget:
    """Return the budget of ``share`` (0..1] of ``cores``; ``threads`` > 0 overrides it."""
    if threads > 0:
        return CpuBudget(threads)
    allowed = share * cores
    return CpuBudget(max(1, round(allowed)), min(allowed, 1.0))


def cores_here() -> int:
    """Return how many logical cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
