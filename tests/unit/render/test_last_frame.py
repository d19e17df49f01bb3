"""The frame shown last: drawn once, and never spoilt by one that fails."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.last_frame import LastFrame


class Painter:
    """Fills frames with a level; remembers how many."""

    def __init__(self) -> None:
        self.level = 1
        self.drawn = 0
        self.fails = False

    def draw(self, out: U8Array) -> None:
        self.drawn += 1
        out[:4] = self.level
        if self.fails:
            raise InferenceError("no luck")
        out[4:] = self.level


def test_a_frame_of_the_same_key_is_drawn_once() -> None:
    last, painter = LastFrame(8), Painter()
    first = last.of("a", painter.draw)
    repeated = [last.repeated]
    assert last.of("a", painter.draw) is first
    assert [*repeated, last.repeated] == [False, True]
    assert painter.drawn == 1
    assert np.array_equal(first, np.ones((8, 8, 4), np.uint8))


def test_a_frame_handed_out_outlives_the_next_one() -> None:
    last, painter = LastFrame(8), Painter()
    first = last.of("a", painter.draw)
    painter.level = 2
    second = last.of("b", painter.draw)
    assert (first == 1).all()
    assert (second == 2).all()
    assert not last.repeated


def test_a_frame_that_fails_leaves_the_last_one_whole() -> None:
    last, painter = LastFrame(8), Painter()
    first = last.of("a", painter.draw)
    painter.level, painter.fails = 2, True
    with pytest.raises(InferenceError):
        last.of("b", painter.draw)
    assert (first == 1).all()
    assert last.of("a", painter.draw) is first


def test_what_is_forgotten_is_drawn_again() -> None:
    last, painter = LastFrame(8), Painter()
    last.of("a", painter.draw)
    last.forget()
    painter.level = 2
    assert (last.of("a", painter.draw) == 2).all()
    assert not last.repeated
