"""Large frames show the drawing's own pixels, except where the networks changed it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.support.composition import (
    SIDE,
    drawing,
    fields_of,
    levels_off,
    picture,
    plain_levels,
    premultiplied,
    rough_fields,
    still_fields,
)
from tests.support.enlarging import plain_enlarged
from vtbridge.characters import find_picture
from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.compositor import Compositor
from vtbridge.render.face_flow import FaceFlow
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP


def enlarged(fields: FrameFields, of: Picture, size: int = 1024) -> U8Array:
    compositor = Compositor(size)
    compositor.set_picture(of)
    out = np.full((size, size, 4), 99, np.uint8)
    compositor.composite(fields, out)
    return out


def grid(x: float = 0.0, y: float = 0.0) -> F32Array:
    """Return a grid change of so many pixels of the 512x512 picture."""
    change = np.zeros((2, SIDE, SIDE), np.float32)
    change[0], change[1] = x / 256, y / 256
    return change


def edge_energy(frame: U8Array, where: slice | tuple[slice, slice] = np.s_[:]) -> float:
    """Return the mean squared gradient of the luma over grey."""
    levels = frame.astype(np.float32)
    luma = levels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    luma += 128 * (1 - levels[..., 3] / 255)
    slopes = [cv2.Sobel(luma, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))]
    return float((slopes[0] ** 2 + slopes[1] ** 2)[where].mean())


def bicubic(frame: U8Array, size: int) -> U8Array:
    large = cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


@pytest.mark.parametrize("side", [1024, 2048])
def test_a_still_frame_is_the_drawing_itself(side: int) -> None:
    shown = picture(side)
    assert shown.original is not None
    levels = premultiplied(shown.original)
    expected = cv2.resize(levels, (1024, 1024), interpolation=cv2.INTER_AREA)
    off = levels_off(enlarged(still_fields(shown), shown), expected)
    assert (off <= 2).mean() > 0.998
    assert off.max() <= 24  # where the figure ends


@pytest.mark.parametrize(("size", "reach"), [(528, 0.004), (528, 0.03), (768, 0.03), (1024, 0.004)])
def test_a_frame_is_what_the_definition_says(size: int, reach: float) -> None:
    shown = picture(size, seed=11)
    assert shown.original is not None
    fields = rough_fields(11, reach)
    fields = replace(fields, morphed=network_from_straight(shown.rgba))
    fields = fields_of(fields.morphed, fields.grid_change, fields.alpha, fields.color)
    expected = plain_enlarged(fields, shown.rgba, shown.original)
    off = levels_off(enlarged(fields, shown, size), expected)
    assert (off <= 1).mean() > 0.9995
    assert off.max() <= 8


def test_a_posed_face_bends_as_the_definition_says() -> None:
    shown = picture(1024)
    assert shown.original is not None
    moved = np.roll(shown.rgba, 2, axis=1)
    morphed = network_from_straight(shown.rgba)
    face = network_from_straight(moved)[:, FACE_CROP.rows, FACE_CROP.columns]
    morphed[:, FACE_CROP.rows, FACE_CROP.columns] = face
    fields = fields_of(morphed, grid(1.3, -2.6))
    bend = FaceFlow(shown).to_drawing(fields.face)
    expected = plain_enlarged(fields, shown.rgba, shown.original, bend)
    off = levels_off(enlarged(fields, shown), expected)
    assert (off <= 1).mean() > 0.9995


@pytest.mark.parametrize("pixels", [(0.0, 0.0), (0.5, 0.5), (3.25, -7.75), (0.13, 0.37)])
def test_moved_parts_stay_as_sharp_as_the_drawing(pixels: tuple[float, float]) -> None:
    shown = picture(1024)
    assert shown.original is not None
    fields = fields_of(network_from_straight(shown.rgba), grid(*pixels))
    drawn = np.rint(premultiplied(shown.original)).astype(np.uint8)
    small = np.zeros((SIDE, SIDE, 4), np.uint8)
    Compositor().composite(fields, small)
    share = edge_energy(enlarged(fields, shown)) / edge_energy(drawn)
    assert 0.95 < share < 1.1
    assert edge_energy(bicubic(small, 1024)) / edge_energy(drawn) < 0.9 * share


def test_what_the_networks_hardly_move_shows_the_drawing_itself() -> None:
    shown = picture(1024)
    assert shown.original is not None
    planes = network_from_straight(shown.rgba)
    drawn = np.rint(premultiplied(shown.original)).astype(np.uint8)
    off = levels_off(enlarged(fields_of(planes, grid(0.06, -0.06)), shown), drawn)
    assert off.mean() < 0.15


def test_what_moves_slowly_moves_at_every_step_and_never_leaps() -> None:
    shown = picture(1024)
    planes = network_from_straight(shown.rgba)
    compositor = Compositor(1024)
    compositor.set_picture(shown)
    frames = [np.empty((1024, 1024, 4), np.uint8) for _ in range(25)]
    for way, frame in zip(np.linspace(0.0, 1.2, 25), frames, strict=True):
        compositor.composite(fields_of(planes, grid(way)), frame)
    steps = [levels_off(*pair).mean() for pair in pairwise(frames)]
    even = levels_off(frames[-1], frames[0]).mean() / len(steps)
    assert max(steps) < 2.5 * even
    assert min(steps) > 0.3 * even


def test_what_the_networks_paint_hides_the_drawing() -> None:
    shown = picture(1024)
    fields = still_fields(shown)
    patch = np.s_[:, 260:360, 200:300]
    fields.alpha[patch] = 1.0
    fields.color[patch] = np.array([0.2, -0.4, -0.6, 1.0], np.float32)[:, None, None]
    frame = enlarged(fields, shown)[540:700, 420:580]
    assert levels_off(frame, frame[:1, :1]).max() <= 1, "no line of the drawing shines through"
    outside = edge_energy(enlarged(fields, shown), np.s_[760:])
    drawn = np.rint(premultiplied(np.asarray(shown.original))).astype(np.uint8)
    assert outside / edge_energy(drawn, np.s_[760:]) > 0.95


def test_what_the_networks_erase_is_gone() -> None:
    shown = picture(1024)
    fields = still_fields(shown)
    fields.alpha[:, 100:300] = 1.0
    fields.color[:, 100:300] = -1.0
    assert not enlarged(fields, shown)[220:580].any()


def test_a_change_of_brightness_alone_keeps_the_details() -> None:
    shown = picture(1024)
    fields = still_fields(shown)
    fields.alpha[:3] = 0.12
    fields.color[:3] = 0.6
    signals = network_from_straight(np.asarray(shown.original)).astype(np.float64)
    signals[:3] = 0.12 * 0.6 + 0.88 * signals[:3]
    ideal = np.rint(plain_levels(signals)).astype(np.uint8)
    assert edge_energy(enlarged(fields, shown)) / edge_energy(ideal) > 0.9


def test_eyes_that_look_aside_stay_sharp() -> None:
    shown = find_picture("michi")
    large = cv2.resize(shown.rgba, (1024, 1024), interpolation=cv2.INTER_LANCZOS4)
    shown = replace(shown, original=np.asarray(large, np.uint8))
    eyes = np.s_[110:175, 200:312]
    rgba = cv2.GaussianBlur(shown.rgba, (0, 0), 0.4)
    rgba[eyes] = np.roll(rgba, 2, axis=1)[eyes]
    fields = fields_of(network_from_straight(np.asarray(rgba, np.uint8)))
    moved = np.roll(premultiplied(np.asarray(large, np.uint8)), 4, axis=1).astype(np.uint8)
    blurred = np.zeros((SIDE, SIDE, 4), np.uint8)
    Compositor().composite(fields, blurred)
    inside = np.s_[244:326, 424:600]
    wanted = edge_energy(moved, inside)
    assert edge_energy(enlarged(fields, shown), inside) / wanted > 0.85
    assert edge_energy(bicubic(blurred, 1024), inside) / wanted < 0.84


@pytest.mark.parametrize("kind", ["noise", "turned", "nothing"])
def test_a_face_unlike_the_drawing_is_the_networks_face(kind: str) -> None:
    shown = picture(1024)
    rgba = shown.rgba.copy()
    face = np.s_[60:200, 200:312]
    if kind == "noise":
        coarse = np.random.default_rng(1).integers(0, 256, (20, 16, 4), np.uint8)
        rgba[face] = cv2.resize(coarse, (112, 140), interpolation=cv2.INTER_CUBIC)
    elif kind == "turned":
        rgba[face] = rgba[face][::-1, ::-1]
    else:
        rgba[face] = (200, 200, 190, 255)
    small = np.zeros((SIDE, SIDE, 4), np.uint8)
    fields = fields_of(network_from_straight(rgba))
    Compositor().composite(fields, small)
    frame = enlarged(fields, shown)
    reduced = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    off = levels_off(small, reduced)[70:190, 210:302]
    assert off.mean() < 3
    assert (off > 24).mean() < 0.01


def test_small_changes_of_the_fields_make_small_changes_of_the_frame() -> None:
    shown = picture(1024, seed=12)
    fields = rough_fields(12, 0.02)
    fields = fields_of(
        network_from_straight(shown.rgba), fields.grid_change, fields.alpha, fields.color
    )
    frame = enlarged(fields, shown)
    nearly = replace(
        fields,
        alpha=np.clip(fields.alpha + np.float32(1e-3), 0, 1),
        grid_change=fields.grid_change + np.float32(2e-5),
    )
    off = levels_off(enlarged(nearly, shown), frame)
    assert off.mean() < 0.15
    assert np.quantile(off, 0.9999) <= 6


@pytest.mark.parametrize("reach", [0.05, 3.0])
def test_colour_never_exceeds_alpha(reach: float) -> None:
    shown = picture(1024, seed=13)
    frame = enlarged(rough_fields(13, reach), shown)
    assert (frame[..., :3] <= frame[..., 3:]).all()


def test_a_picture_without_more_pixels_is_enlarged_itself() -> None:
    shown = Picture(drawing(SIDE), "small", "")
    frame = enlarged(still_fields(shown), shown)
    levels = premultiplied(shown.rgba)
    expected = cv2.resize(levels, (1024, 1024), interpolation=cv2.INTER_LANCZOS4)
    assert (levels_off(frame, expected) <= 8).mean() > 0.99


def test_a_picture_without_more_pixels_moves_as_the_networks_say() -> None:
    shown = Picture(drawing(SIDE), "small", "")
    large = cv2.resize(shown.rgba, (1024, 1024), interpolation=cv2.INTER_LANCZOS4)
    detailed = replace(shown, original=np.asarray(large, np.uint8))
    moved = fields_of(network_from_straight(shown.rgba), grid(0.12, 0.12))
    ways = [
        levels_off(enlarged(moved, each), enlarged(still_fields(each), each)).mean()
        for each in (shown, detailed)
    ]
    assert ways[0] > 2 * ways[1]


def test_between_two_large_frames_lies_a_large_frame() -> None:
    shown = picture(1024)
    older = fields_of(network_from_straight(shown.rgba), grid(-4, 2))
    newer = fields_of(network_from_straight(shown.rgba), grid(4, -2))
    compositor = Compositor(1024)
    compositor.set_picture(shown)
    out = np.zeros((1024, 1024, 4), np.uint8)
    compositor.between(older, newer, 0.5, out)
    assert (levels_off(out, enlarged(still_fields(shown), shown)) <= 1).all()


def test_a_new_picture_leaves_nothing_of_the_old_one() -> None:
    compositor = Compositor(1024)
    out = np.zeros((1024, 1024, 4), np.uint8)
    for seed in (0, 21):
        shown = picture(1024, seed)
        compositor.set_picture(shown)
        compositor.composite(still_fields(shown), out)
    assert np.array_equal(out, enlarged(still_fields(shown), shown))


def test_large_frames_need_a_picture_first() -> None:
    with pytest.raises(InferenceError, match="set_picture"):
        Compositor(1024).composite(still_fields(picture()), np.zeros((1024, 1024, 4), np.uint8))


@pytest.mark.parametrize("name", ["morphed", "grid_change", "alpha", "color", "face"])
def test_large_frames_refuse_what_is_not_finite(name: str) -> None:
    shown = picture(1024)
    fields = still_fields(shown)
    array = getattr(fields, name).copy()
    array[0, 0, 0] = np.nan
    with pytest.raises(InferenceError, match="not finite"):
        enlarged(replace(fields, **{name: array}), shown)
