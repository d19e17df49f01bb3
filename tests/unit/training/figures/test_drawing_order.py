"""The order of the file is kept, in as few calls as look the same."""

from __future__ import annotations

from dataclasses import replace

from vtbridge.training.figures.drawing_order import drawing_order
from vtbridge.training.figures.figure import Material

SKIN = Material("skin", first=0, count=5, texture=0)
FACE = replace(SKIN, name="face", first=5, count=3)


def spans(*materials: Material) -> list[tuple[int, int]]:
    return [(run.look.first, run.look.count) for run in drawing_order(materials)]


def test_neighbours_that_look_the_same_are_drawn_in_one_call() -> None:
    assert spans(SKIN, FACE, replace(FACE, first=8, count=2)) == [(0, 10)]


def test_what_differs_in_any_way_is_drawn_by_itself() -> None:
    for change in (
        {"texture": 1},
        {"color": (1.0, 1.0, 1.0, 0.5)},
        {"double_sided": True},
        {"edge_width": 0.01},
        {"edge_color": (1.0, 0.0, 0.0, 1.0)},
        {"cutoff": 0.5},
    ):
        assert spans(SKIN, replace(FACE, **change)) == [(0, 5), (5, 3)]


def test_the_order_is_the_files_also_of_what_is_transparent() -> None:
    glass = replace(SKIN, color=(1.0, 1.0, 1.0, 0.5))
    assert spans(glass, FACE, replace(glass, first=8)) == [(0, 5), (5, 3), (8, 5)]


def test_triangles_that_are_apart_are_not_joined() -> None:
    assert spans(SKIN, replace(FACE, first=6)) == [(0, 5), (6, 3)]
    assert spans(FACE, SKIN) == [(5, 3), (0, 5)]


def test_what_nobody_sees_is_left_out() -> None:
    hidden = replace(FACE, color=(1.0, 1.0, 1.0, 0.0))
    assert spans(SKIN, hidden, replace(FACE, count=0)) == [(0, 5)]


def test_nothing_but_a_cutoff_is_drawn_without_blending() -> None:
    blended, cut = drawing_order([SKIN, replace(FACE, cutoff=0.4)])
    assert not blended.opaque
    assert 0.0 < blended.cutoff < 1 / 255
    assert cut.opaque
    assert cut.cutoff == 0.4
