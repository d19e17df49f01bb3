from __future__ import annotations

from tests.support.live import fields_of
from vtbridge.render.live.fields_pool import FieldsPool
from vtbridge.render.live.timeline import LONGEST, TimedFields, Timeline

MS = 1_000_000
BEAT = 20 * MS


class Bench:
    """A timeline fed with fields that hold their own moment, in milliseconds."""

    def __init__(self, buffers: int = LONGEST + 1) -> None:
        self.timeline = Timeline(BEAT)
        self.pool = FieldsPool(buffers)

    def add(
        self, moment_ms: float, *, now_ms: float, capture_ms: float | None = None
    ) -> TimedFields:
        copy = self.pool.copy_of(fields_of(moment_ms))
        assert copy is not None, "the timeline gives back what it no longer needs"
        capture = moment_ms if capture_ms is None else capture_ms
        timed = TimedFields.at(copy, round(moment_ms * MS), round(capture * MS), self.pool)
        self.timeline.add(timed, round(now_ms * MS))
        return timed


def test_nothing_to_show_at_first() -> None:
    assert Timeline(BEAT).at(0) is None


def test_first_fields_are_shown_as_they_are() -> None:
    bench = Bench()
    timed = bench.add(0, now_ms=60, capture_ms=-5)
    view = bench.timeline.at(60 * MS)
    assert view is not None
    assert view.older is view.newer is timed
    assert view.capture_ns == -5 * MS


def test_beats_between_two_fields_mix_them_in_proportion_to_time() -> None:
    bench = Bench()
    for number in range(40):
        bench.add(60 * number, now_ms=60 * (number + 1), capture_ms=60 * number - 7)
        for beat in range(3):
            now = (60 * (number + 1) + 20 * beat) * MS
            view = bench.timeline.at(now)
            assert view is not None
            mixed = view.older.fields.alpha.flat[0] * (1 - view.share) + (
                view.newer.fields.alpha.flat[0] * view.share
            )
            if number > 20:
                assert abs(mixed * MS - view.capture_ns - 7 * MS) < MS, "time and picture agree"
                assert now - view.capture_ns == bench.timeline.playout.delay_ns + 7 * MS


def test_same_moment_draws_the_same_and_another_does_not() -> None:
    bench = Bench()
    bench.add(0, now_ms=60)
    first = bench.timeline.at(60 * MS)
    again = bench.timeline.at(80 * MS)
    assert first is not None
    assert again is not None
    assert again.draws_same_as(first)
    bench.add(60, now_ms=120)
    moved = bench.timeline.at(120 * MS)
    assert moved is not None
    assert not moved.draws_same_as(first)
    assert not first.draws_same_as(None)


def test_pose_that_stayed_is_not_blended_from_its_beginning() -> None:
    bench = Bench()
    still = bench.add(0, now_ms=40)
    for now in range(60, 5000, 20):
        bench.timeline.extend(still, (now - 20) * MS, (now - 25) * MS)
        view = bench.timeline.at(now * MS)
        assert view is not None
        assert view.newer is still
        assert (now - 45) * MS <= view.capture_ns, "what is shown is as new as it can be"
    for now in (5000, 5020):
        bench.timeline.at(now * MS)
    bench.add(5000, now_ms=5040)
    later = bench.timeline.at(5040 * MS)
    assert later is not None
    assert later.older is still
    assert later.capture_ns <= 4990 * MS, "the motion begins where it really began"


def test_only_the_newest_fields_can_last_on() -> None:
    bench = Bench()
    old = bench.add(0, now_ms=40)
    bench.add(40, now_ms=80)
    bench.timeline.extend(old, 500 * MS, 500 * MS)
    assert old.until_ns == 0


def test_buffers_always_suffice() -> None:
    bench = Bench()
    for number in range(200):
        bench.add(number * 10, now_ms=number * 10 + 200)  # and nothing is shown for long
        if number % 50 == 0:
            bench.timeline.at((number * 10 + 200) * MS)
    assert len(bench.timeline) == LONGEST


def test_unfit_fields_go_and_the_older_ones_stay() -> None:
    bench = Bench()
    good = bench.add(0, now_ms=60)
    bench.timeline.at(60 * MS)
    bench.add(60, now_ms=120)
    view = bench.timeline.at(130 * MS)
    assert view is not None
    assert view.newer is not good
    bench.timeline.drop(view)
    assert bench.pool.copy_of(fields_of(1)) is view.newer.fields, "its buffer is free again"
    after = bench.timeline.at(140 * MS)
    assert after is not None
    assert after.newer is good


def test_clearing_gives_everything_back() -> None:
    bench = Bench(buffers=2)
    bench.add(0, now_ms=60)
    bench.add(60, now_ms=120)
    bench.timeline.clear()
    assert bench.timeline.at(200 * MS) is None
    bench.add(120, now_ms=180)
    bench.add(180, now_ms=240)
