"""Counters and latency histograms that the hot path can afford."""

from __future__ import annotations

import bisect
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vtbridge.clock import Clock, MonotonicClock

# Bucket bounds in nanoseconds: 1 us to about 20 s in steps of 5 %, so that a
# percentile is never further than 5 % from the truth.
_BOUNDS_NS: tuple[int, ...] = tuple(round(1_000 * 1.05**step) for step in range(345))

# Every 14th of them, each about twice the one before: what Prometheus is told.
_TOLD_EVERY = 14
_TOLD: tuple[int, ...] = tuple(range(_TOLD_EVERY, len(_BOUNDS_NS), _TOLD_EVERY))


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles of one stage, in milliseconds.

    Attributes:
        total_ms: the sum of all durations.
        buckets: bounds in seconds, rising, and how many durations do not exceed each.
    """

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    total_ms: float = 0.0
    buckets: tuple[tuple[float, int], ...] = ()


class Histogram:
    """Durations in buckets 5 % wide; memory does not grow with use."""

    def __init__(self) -> None:
        self._buckets = [0] * (len(_BOUNDS_NS) + 1)
        self._count = 0
        self._max_ns = 0
        self._total_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration >= 0."""
        self._buckets[bisect.bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self._count += 1
        self._total_ns += duration_ns
        self._max_ns = max(self._max_ns, duration_ns)

    def copy(self) -> Histogram:
        """Return what was counted so far, which counts no more."""
        other = Histogram()
        other._buckets = self._buckets.copy()
        other._count, other._max_ns, other._total_ns = self._count, self._max_ns, self._total_ns
        return other

    def percentile_ns(self, share: float) -> int:
        """Return a bound that ``share`` (0..1) of the durations do not exceed, 0 if none."""
        wanted = share * self._count
        seen = 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                bound = _BOUNDS_NS[bucket] if bucket < len(_BOUNDS_NS) else self._max_ns
                return min(bound, self._max_ns)
        return 0

    def summary(self) -> LatencySummary:
        """Return the percentiles so far."""
        p50, p90, p99 = (self.percentile_ns(share) / 1e6 for share in (0.5, 0.9, 0.99))
        upto = list(itertools.accumulate(self._buckets))
        return LatencySummary(
            self._count,
            p50,
            p90,
            p99,
            self._max_ns / 1e6,
            self._total_ns / 1e6,
            tuple((_BOUNDS_NS[step] / 1e9, upto[step]) for step in _TOLD),
        )


class Telemetry:
    """Everything measured in one process; safe to use from any thread."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._histograms: dict[str, Histogram] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add to the counter ``name``, such as ``tracking.rejected``."""
        with self._lock:
            self._counters[name] += by

    def observe(self, stage: str, duration_ns: int) -> None:
        """Add one duration of ``stage``."""
        with self._lock:
            self._histograms.setdefault(stage, Histogram()).add(duration_ns)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure the body of a ``with`` statement."""
        start_ns = self._clock.now_ns()
        try:
            yield
        finally:
            self.observe(stage, self._clock.now_ns() - start_ns)

    def counters(self) -> dict[str, int]:
        """Return a copy of all counters."""
        with self._lock:
            return dict(self._counters)

    def latency_ms(self) -> dict[str, dict[str, float]]:
        """Return median and 99th percentile of every stage, milliseconds, for people."""
        return {
            stage: {"p50": round(summary.p50_ms, 3), "p99": round(summary.p99_ms, 3)}
            for stage, summary in sorted(self.latencies().items())
        }

    def latencies(self) -> dict[str, LatencySummary]:
        """Return the percentiles of every stage."""
        with self._lock:  # no longer than a copy takes, for the hot path waits
            copies = {stage: histogram.copy() for stage, histogram in self._histograms.items()}
        return {stage: histogram.summary() for stage, histogram in copies.items()}
