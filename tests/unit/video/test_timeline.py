"""Each picture at its own time, or one at every step: never backwards, never a hole."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.video.timeline import EvenTimes, OwnTimes, Placed

START_NS = 5 * NS_PER_S
MS = 1_000_000


def at(ms: int) -> int:
    return START_NS + ms * MS


def test_own_times_are_kept_from_the_first_picture_on() -> None:
    line: OwnTimes[str] = OwnTimes(Fraction(1, 1000))
    placed = [line.add(name, at(ms)) for name, ms in (("a", 0), ("b", 17), ("c", 1033))]
    assert placed == [[Placed("a", 0)], [Placed("b", 17)], [Placed("c", 1033)]]
    assert line.hold(at(5000)) == line.end(at(5000)) == []
    assert line.end_tick(at(2000)) == 2000


def test_two_pictures_within_one_tick_are_moved_apart() -> None:
    line: OwnTimes[str] = OwnTimes(Fraction(1, 1000))
    assert [line.add("x", START_NS)[0].tick for _ in range(3)] == [0, 1, 2]
    assert line.end_tick(START_NS) == 3


def ticks(placed: list[Placed[str]]) -> list[tuple[str, int, bool]]:
    return [(one.picture, one.tick, one.repeated) for one in placed]


def test_step_without_a_picture_shows_the_one_before_again() -> None:
    line: EvenTimes[str] = EvenTimes(Fraction(10))
    assert line.add("a", at(0)) == []
    assert ticks(line.add("b", at(290))) == [("a", 0, False), ("a", 1, True), ("a", 2, True)]
    assert ticks(line.end(at(500))) == [("b", 3, False), ("b", 4, True)]
    assert line.end_tick(at(500)) == 5


def test_of_several_pictures_for_a_step_the_last_is_taken() -> None:
    line: EvenTimes[str] = EvenTimes(Fraction(10))
    line.add("a", at(0))
    assert line.add("b", at(20)) == []
    assert line.add("c", at(40)) == []
    assert ticks(line.add("d", at(100))) == [("c", 0, False)]
    assert ticks(line.end(at(100))) == [("d", 1, False)]


def test_unsteady_pictures_of_the_same_rate_are_each_shown_once() -> None:
    line: EvenTimes[int] = EvenTimes(Fraction(60))
    placed = []
    for number in range(60):
        jitter_ms = (number * 7) % 11 - 5
        placed += line.add(number, at(round(number * 1000 / 60) + (jitter_ms if number else 0)))
    placed += line.end(at(1000))
    assert [one.picture for one in placed] == list(range(60))
    assert not any(one.repeated for one in placed)


def test_wait_is_filled_while_it_goes_on() -> None:
    line: EvenTimes[str] = EvenTimes(Fraction(10))
    assert line.hold(at(1000)) == []
    line.add("a", at(0))
    assert ticks(line.hold(at(200))) == [("a", 0, False), ("a", 1, True)]
    assert line.hold(at(200)) == []
    assert ticks(line.add("b", at(400))) == [("a", 2, True), ("a", 3, True)]


def test_picture_that_comes_after_its_step_was_filled_takes_the_next() -> None:
    line: EvenTimes[str] = EvenTimes(Fraction(10))
    line.add("a", at(0))
    line.hold(at(500))
    assert line.add("b", at(300)) == []
    assert ticks(line.end(at(300))) == [("b", 5, False)]


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30), Fraction(60)])
def test_steps_do_not_drift_from_the_clock(fps: Fraction) -> None:
    line: EvenTimes[str] = EvenTimes(fps)
    line.add("a", START_NS)
    for minute in range(1, 61):
        line.hold(START_NS + minute * 6 * NS_PER_S)
    assert line.end_tick(0) == round(360 * fps)
