"""Fields: copies are whole, and apart from what they were copied of."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.render.fields import FrameFields

PLANES = {"morphed": 4, "grid_change": 2, "alpha": 4, "color": 4, "face": 4}


def filled(value: float, *, bounded: bool = True, premultiplied: bool = False) -> FrameFields:
    def plane(name: str) -> F32Array:
        place = list(PLANES).index(name)
        return np.full((PLANES[name], 8, 8), value + place, np.float32)

    return FrameFields(
        morphed=plane("morphed"),
        grid_change=plane("grid_change"),
        alpha=plane("alpha"),
        color=plane("color"),
        face=plane("face"),
        bounded=bounded,
        premultiplied=premultiplied,
    )


def test_a_copy_outlives_what_it_was_copied_of() -> None:
    original = filled(1)
    copy, target = original.copied(), filled(100)
    original.copy_to(target)
    for name in PLANES:
        getattr(original, name)[...] = -1
    for place, name in enumerate(PLANES):
        assert (getattr(copy, name) == 1 + place).all()
        assert (getattr(target, name) == 1 + place).all()


def test_a_copy_knows_whether_its_values_are_bounded() -> None:
    assert filled(1).copied().bounded
    assert not filled(1, bounded=False).copied().bounded


def test_a_copy_knows_whether_its_colours_are_premultiplied() -> None:
    assert not filled(1).copied().premultiplied
    assert filled(1, premultiplied=True).copied().premultiplied
