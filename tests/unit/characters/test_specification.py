"""check_picture: says what is wrong with a silhouette, and nothing about a good one."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from vtbridge.characters import Severity, check_picture
from vtbridge.datatypes import Picture, U8Array

AsPicture = Callable[[U8Array], Picture]


def sentences(picture: Picture, severity: Severity) -> str:
    return "; ".join(f.sentence for f in check_picture(picture) if f.severity is severity)


def moved(rgba: U8Array, dx: int, dy: int, scale: float = 1.0) -> U8Array:
    matrix = np.array([[scale, 0, dx], [0, scale, dy]], np.float32)
    return np.asarray(cv2.warpAffine(rgba, matrix, (512, 512)), np.uint8)


def test_well_placed_character_has_no_findings(character: U8Array, as_picture: AsPicture) -> None:
    assert check_picture(as_picture(character)) == []


def test_ears_and_ahoge_above_the_box_are_fine(character: U8Array, as_picture: AsPicture) -> None:
    for x in (200, 285):
        character[30:100, x : x + 24] = (90, 60, 60, 255)
    assert check_picture(as_picture(character)) == []


def test_empty_picture_is_an_error(as_picture: AsPicture) -> None:
    empty = np.zeros((512, 512, 4), np.uint8)
    assert "is empty" in sentences(as_picture(empty), Severity.ERROR)


def test_opaque_picture_is_an_error(as_picture: AsPicture) -> None:
    opaque = np.full((512, 512, 4), 255, np.uint8)
    assert "no transparency" in sentences(as_picture(opaque), Severity.ERROR)


def test_background_with_a_few_holes_is_an_error(character: U8Array, as_picture: AsPicture) -> None:
    character[..., 3] = 255
    character[:10, :10, 3] = 0
    assert "background is opaque" in sentences(as_picture(character), Severity.ERROR)


def test_empty_head_box_is_an_error(character: U8Array, as_picture: AsPicture) -> None:
    picture = as_picture(moved(character, 0, 190))
    assert "head box" in sentences(picture, Severity.ERROR)


@pytest.mark.parametrize(
    ("dx", "dy", "scale", "words"),
    [
        (0, -45, 1.0, "too high"),
        (0, 50, 1.0, "too low"),
        (130, 60, 0.5, "too small"),
        (-110, -70, 1.45, "too high or too large"),
        (40, 0, 1.0, "too far right"),
        (-40, 0, 1.0, "too far left"),
    ],
)
def test_misplaced_head_is_told(
    character: U8Array, as_picture: AsPicture, dx: int, dy: int, scale: float, words: str
) -> None:
    picture = as_picture(moved(character, dx, dy, scale))
    assert words in sentences(picture, Severity.WARNING)
    assert sentences(picture, Severity.ERROR) == ""


def test_head_alone_is_told(character: U8Array, as_picture: AsPicture) -> None:
    character[200:] = 0
    assert "below the head" in sentences(as_picture(character), Severity.WARNING)


@pytest.mark.parametrize(
    ("rows", "columns", "edge"),
    [
        (slice(300, 400), slice(0, 200), "left"),
        (slice(300, 400), slice(300, 512), "right"),
        (slice(0, 80), slice(250, 256), "top"),
    ],
)
def test_character_cut_by_an_edge_is_told(
    character: U8Array, as_picture: AsPicture, rows: slice, columns: slice, edge: str
) -> None:
    character[rows, columns] = (200, 150, 120, 255)
    assert f"touches the {edge} edge" in sentences(as_picture(character), Severity.WARNING)


def test_lower_edge_may_cut_the_body(character: U8Array, as_picture: AsPicture) -> None:
    assert character[-1, :, 3].any()
    assert "edge" not in sentences(as_picture(character), Severity.WARNING)


def test_haze_around_the_character_is_told(character: U8Array, as_picture: AsPicture) -> None:
    character[20:60, 20:120] = (0, 0, 0, 30)
    picture = as_picture(character)
    assert "not quite transparent" in sentences(picture, Severity.WARNING)


def test_soft_edges_are_no_haze(character: U8Array, as_picture: AsPicture) -> None:
    character[..., 3] = cv2.GaussianBlur(character[..., 3], (0, 0), 1.5)
    assert check_picture(as_picture(character)) == []


def test_translucent_character_is_told(character: U8Array, as_picture: AsPicture) -> None:
    character[..., 3] = character[..., 3] // 255 * 160
    assert "translucent" in sentences(as_picture(character), Severity.WARNING)


def test_every_finding_has_a_remedy(character: U8Array, as_picture: AsPicture) -> None:
    findings = check_picture(as_picture(moved(character, 190, -45)))
    assert findings
    assert all(f.remedy and str(f) == f"{f.sentence}. {f.remedy}" for f in findings)
