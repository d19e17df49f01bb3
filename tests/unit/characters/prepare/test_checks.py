"""A character is judged by the pixels that change where they should; a fault is told once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vtbridge.characters.prepare.checks import CHECKS, SEEN, Check, examine
from vtbridge.characters.prepare.sheet import sheet_of, verdicts
from vtbridge.datatypes import F32Array, U8Array

GREY = np.full((512, 512, 4), (100, 100, 100, 255), np.uint8)


class Obedient:
    """Draws what each check wants to see, save in those that it is told to fail.

    Args:
        faults: checks by name, and how many pixels change in them instead.
        strength: of the change.
    """

    def __init__(self, faults: dict[str, int] | None = None, strength: int = SEEN) -> None:
        self._faults = faults or {}
        self._strength = strength
        self._buffer = GREY.copy()

    def render(self, pose: F32Array) -> U8Array:
        """Draw into the same frame each time, as posers may."""
        self._buffer[:] = GREY
        for check in CHECKS:
            if pose.any() and set(np.flatnonzero(pose)) == {int(one) for one in check.pose}:
                self._move(check, self._faults.get(check.name, check.wanted))
        return self._buffer

    def _move(self, check: Check, pixels: int) -> None:
        left, top, right, bottom = check.region
        rows, columns = np.unravel_index(np.arange(pixels), (bottom - top, right - left))
        self._buffer[top + rows, left + columns, :3] += np.uint8(self._strength)


def test_who_does_all_that_is_asked_has_no_finding() -> None:
    told: list[tuple[int, int]] = []
    found = examine(Obedient().render, lambda done, count: told.append((done, count)))
    assert all(score.passed for score in found.scores)
    assert found.findings() == []
    assert told == [(number, len(CHECKS)) for number in range(1, len(CHECKS) + 1)]


def test_changes_that_nobody_sees_do_not_count() -> None:
    found = examine(Obedient(strength=SEEN - 1).render)
    assert [score.seen for score in found.scores] == [0] * len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_each_fault_is_told_with_its_figure_and_remedy(check: Check) -> None:
    found = examine(Obedient({check.name: check.wanted - 1}).render).findings()
    assert [one.remedy for one in found] == [check.remedy]
    assert f"{check.wanted - 1} of {check.wanted} pixels change" in found[0].sentence
    assert found[0].fix == check.fix


def test_faults_of_one_remedy_are_told_once() -> None:
    found = examine(Obedient({"mouth-opens": 3, "mouth-shapes": 0, "brows-rise": 0}).render)
    assert [one.fix for one in found.findings()] == ["mouth", ""]


def test_where_nearly_nothing_moves_the_place_is_blamed() -> None:
    names = [check.name for check in CHECKS[:5]]
    (found,) = examine(Obedient(dict.fromkeys(names, 0)).render).findings()
    assert found.sentence.startswith(f"5 of {len(CHECKS)} movements are not seen")
    assert "--face X,Y,SIZE" in found.remedy


def test_the_sheet_shows_what_was_given_and_grows_with_what_came_before() -> None:
    faulty = examine(Obedient({"mouth-opens": 3}).render)
    sound = examine(Obedient().render)
    drawing = np.zeros((60, 90, 4), np.uint8)
    drawing[:] = (10, 200, 30, 255)
    alone = Image.open(io.BytesIO(sheet_of(drawing, sound, title="me")))
    both = Image.open(io.BytesIO(sheet_of(drawing, sound, title="me", before=faulty)))
    assert (10, 200, 30) in {colour for _, colour in alone.getcolors(1 << 20) or []}
    assert both.width == alone.width
    assert both.height > 1.5 * alone.height
    assert verdicts(faulty.scores) == f"{len(CHECKS) - 1} of {len(CHECKS)} movements are seen"
