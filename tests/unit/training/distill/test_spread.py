"""What is asked for next is what tells most, and never what is judged by."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.training.distill import spread
from vtbridge.training.distill.spread import Spread

NOTHING = np.empty((0, 2), np.float32)
EQUAL = np.ones(2, np.float32)


def at(x: float, y: float = 0.0) -> F32Array:
    return np.array([x, y], np.float32)


def test_the_farthest_of_what_waits_comes_first_and_then_counts_as_known() -> None:
    points = Spread(np.stack([at(0.3), at(1.0), at(0.9)]), NOTHING, at(0)[None], EQUAL)
    asked = [points.farthest(0.05) for _ in range(4)]
    assert [None if each is None else round(float(each[0]), 1) for each in asked] == [
        *(1.0, 0.3, 0.9),
        None,
    ]


def test_what_was_shown_waits_only_if_it_is_new() -> None:
    points = Spread(NOTHING, NOTHING, at(0)[None], EQUAL)
    assert not points.wait(at(0.04), 0.05)
    assert points.wait(at(0.5), 0.05)
    assert not points.wait(at(0.52), 0.05)
    assert points.wait(at(0.7), 0.05)
    first = points.farthest(0.05)
    assert first is not None
    assert first[0] == np.float32(0.7)
    assert not points.wait(at(0.69), 0.05)


def test_the_first_of_all_may_wait() -> None:
    points = Spread(NOTHING, NOTHING, NOTHING, EQUAL)
    assert points.wait(at(0), 0.05)
    assert points.farthest(0.05) is not None


def test_weights_say_what_is_far() -> None:
    points = Spread(NOTHING, NOTHING, at(0)[None], np.array([1.0, 0.1], np.float32))
    assert not points.wait(at(0, 0.4), 0.05)
    assert points.wait(at(0, 0.6), 0.05)


def test_what_is_held_out_is_never_asked_for_nor_are_its_neighbours() -> None:
    points = Spread(NOTHING, at(0.3)[None], NOTHING, EQUAL)
    assert not points.wait(at(0.305), 0.001)
    assert not points.take(at(0.305))
    assert points.wait(at(0.6), 0.001)
    assert points.wait(at(0.605), 0.001)
    assert points.wait(at(0.8), 0.001)
    points.hold_out(at(0.6))
    assert not points.take(at(0.6))
    left = points.farthest(0.001)
    assert left is not None
    assert left[0] == np.float32(0.8)
    assert points.farthest(0.001) is None


def test_however_much_is_shown_only_so_much_waits_and_the_newest_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spread, "_MOST_WAITING", 8)
    points = Spread(NOTHING, NOTHING, at(0)[None], EQUAL)
    for step in range(1, 41):
        assert points.wait(at(step), 0.5)
    asked = [points.farthest(0.5) for _ in range(9)]
    assert asked[0] is not None
    assert asked[0][0] == 40
    assert [each is None for each in asked].index(True) == 8
