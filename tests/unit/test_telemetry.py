from __future__ import annotations

from vtbridge.clock import ManualClock
from vtbridge.telemetry import Histogram, Telemetry


def test_percentiles_lie_within_a_bucket_of_the_truth() -> None:
    histogram = Histogram()
    for ms in range(1, 101):
        histogram.add(ms * 1_000_000)
    summary = histogram.summary()
    assert summary.count == 100
    assert 50 <= summary.p50_ms <= 50 * 1.05
    assert 99 <= summary.p99_ms <= 99 * 1.05
    assert summary.max_ms == 100


def test_empty_histogram_is_all_zero() -> None:
    assert Histogram().summary().p99_ms == 0


def test_timed_block_is_observed_even_if_it_raises() -> None:
    clock = ManualClock()
    telemetry = Telemetry(clock)
    try:
        with telemetry.timed("render"):
            clock.advance(0.01)
            raise ValueError
    except ValueError:
        pass
    assert telemetry.latencies()["render"].max_ms == 10


def test_counters_are_copies() -> None:
    telemetry = Telemetry()
    telemetry.count("packets", 3)
    telemetry.counters()["packets"] = 0
    assert telemetry.counters() == {"packets": 3}


def test_cumulative_buckets_hold_every_duration_below_their_bound() -> None:
    telemetry = Telemetry()
    for us in (1, 50, 900, 5_000, 40_000):
        telemetry.observe("render", us * 1_000)
    summary = telemetry.latencies()["render"]
    bounds, counts = zip(*summary.buckets, strict=True)
    assert list(bounds) == sorted(set(bounds))
    durations_s = [us * 1e-6 for us in (1, 50, 900, 5_000, 40_000)]
    assert list(counts) == [sum(each <= bound for each in durations_s) for bound in bounds]
    assert summary.total_ms == 45.951
    telemetry.observe("render", 1_000)
    assert summary.count == 5
