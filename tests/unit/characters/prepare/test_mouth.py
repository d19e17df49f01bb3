"""A mouth that cannot be seen is strengthened or drawn; a clear one, and all else, is left."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.drawings import builtin, without_mouth
from vtbridge.characters import BUILTIN
from vtbridge.characters.prepare.mouth import contrast, with_clear_mouth
from vtbridge.datatypes import U8Array


def faint(rgba: U8Array) -> U8Array:
    """Return a character whose mouth is mixed with skin, three parts of four."""
    bare = without_mouth(rgba).astype(np.float32)
    return np.rint(bare + 0.25 * (rgba - bare)).astype(np.uint8)


@pytest.mark.parametrize("name", BUILTIN)
def test_clear_mouths_stay_nearly_as_they_are(name: str) -> None:
    rgba = builtin(name)
    fixed, _ = with_clear_mouth(rgba)
    assert np.abs(fixed.astype(int) - rgba).mean() < 0.01


@pytest.mark.parametrize("name", BUILTIN)
def test_a_faint_mouth_becomes_as_clear_as_good_ones(name: str) -> None:
    rgba = faint(builtin(name))
    fixed, said = with_clear_mouth(rgba)
    assert contrast(fixed) > 2 * contrast(rgba)
    assert contrast(fixed) > 80
    assert said.startswith("darkened the mouth's line by ")


@pytest.mark.parametrize("large", [False, True])
def test_a_mouth_that_is_not_there_is_drawn(large: bool) -> None:
    rgba = without_mouth(builtin("yuki"))
    if large:
        rgba = rgba.repeat(2, axis=0).repeat(2, axis=1)
    fixed, said = with_clear_mouth(rgba)
    assert contrast(rgba) < 8 < 40 < contrast(fixed)
    assert said.startswith("drew the line")


def test_nothing_but_the_mouth_changes_and_the_given_picture_does_not() -> None:
    rgba = faint(builtin("momo"))
    before = rgba.copy()
    fixed, _ = with_clear_mouth(rgba)
    assert np.array_equal(rgba, before)
    changed = (fixed != rgba).any(axis=2)
    assert changed[166:183, 239:273].any()
    changed[166:183, 239:273] = False
    assert not changed.any()
    assert np.array_equal(fixed[..., 3], rgba[..., 3])
