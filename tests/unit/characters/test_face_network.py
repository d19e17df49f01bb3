from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from vtbridge.characters.decode import MAX_SIDE
from vtbridge.characters.face_network import WEIGHTS, confidence_from_score, face_network
from vtbridge.characters.find import BUILTIN
from vtbridge.characters.picture import load_picture
from vtbridge.datatypes import U8Array

HEAD_END_Y = 200
"""Below the chin of every built-in character, in their pictures of 512 pixels."""


def michi() -> U8Array:
    return load_picture(BUILTIN["michi"]).rgba.copy()


def noise(shape: tuple[int, int], grain: int) -> U8Array:
    small = np.random.default_rng(grain).integers(0, 256, (grain, grain, 4), np.uint8)
    rows = np.arange(shape[0]) * grain // shape[0]
    columns = np.arange(shape[1]) * grain // shape[1]
    return small[rows][:, columns]


def checkered() -> U8Array:
    y, x = np.mgrid[0:200, 0:300]
    board = ((x // 20 + y // 20) % 2 * 255).astype(np.uint8)
    return np.dstack([board, board, board, np.full_like(board, 255)])


def test_weights_are_small_and_of_half_precision() -> None:
    assert WEIGHTS.stat().st_size <= 600_000
    assert {tensor.dtype for tensor in load_file(WEIGHTS).values()} == {np.dtype(np.float16)}


@pytest.mark.parametrize("grain", [2, 7, 16, 60, 300])
def test_noise_has_no_face(grain: int) -> None:
    assert face_network().find(noise((240, 300), grain)) is None


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_picture_has_no_face(value: int) -> None:
    assert face_network().find(np.full((100, 80, 4), value, np.uint8)) is None


def test_a_checkered_board_has_no_face() -> None:
    assert face_network().find(checkered()) is None


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_a_body_alone_has_no_face(name: str) -> None:
    rgba = load_picture(BUILTIN[name]).rgba
    assert face_network().find(rgba[HEAD_END_Y * len(rgba) // 512 :]) is None


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_a_head_whose_face_is_painted_over_has_no_face(name: str) -> None:
    rgba = load_picture(BUILTIN[name]).rgba.copy()
    unit = len(rgba) / 512
    forehead = rgba[round(166 * unit), round(256 * unit)]
    rgba[round(130 * unit) : round(182 * unit), round(214 * unit) : round(298 * unit)] = forehead
    assert face_network().find(rgba) is None


def test_the_picture_is_left_alone_and_the_answer_repeats() -> None:
    rgba = michi()
    before = rgba.copy()
    first = face_network().find(rgba)
    assert first is not None
    assert face_network().find(rgba) == first
    np.testing.assert_array_equal(rgba, before)


def test_left_is_the_subjects_own_also_where_the_picture_is_mirrored() -> None:
    for rgba in (michi(), michi()[:, ::-1]):
        found = face_network().find(rgba)
        assert found is not None
        assert found.right_eye[0] < found.left_eye[0]


def test_colours_of_transparent_pixels_do_not_matter() -> None:
    rgba = michi()
    rgba[rgba[..., 3] == 0, :3] = 255
    found, plain = face_network().find(rgba), face_network().find(michi())
    assert found is not None
    assert found == plain


def test_the_largest_picture_is_searched() -> None:
    rgba = np.zeros((MAX_SIDE, 64, 4), np.uint8)
    assert face_network().find(rgba) is None


def test_confidence_grows_with_the_score_within_0_and_1() -> None:
    confidences = [confidence_from_score(score) for score in np.linspace(0, 1, 20)]
    assert confidences == sorted(confidences)
    assert confidences[0] > 0
    assert confidences[-1] < 1
