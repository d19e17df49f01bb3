"""Fields become the frame that the networks mean, whole or not at all."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.support.composition import (
    ARRAYS,
    drawing,
    fields_of,
    levels_off,
    mixed,
    picture,
    plain_levels,
    plain_signals,
    premultiplied,
    rough_fields,
    still_fields,
)
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.alpha import network_from_straight, premultiplied_signals
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP


def composite(fields: FrameFields, compositor: Compositor | None = None) -> U8Array:
    compositor = compositor or Compositor()
    out = np.full((compositor.size, compositor.size, 4), 99, np.uint8)
    compositor.composite(fields, out)
    return out


def between(older: FrameFields, newer: FrameFields, share: float) -> U8Array:
    out = np.full((512, 512, 4), 99, np.uint8)
    Compositor().between(older, newer, share, out)
    return out


def with_face(fields: FrameFields, value: float) -> FrameFields:
    """Return ``fields`` with another face, pasted where it belongs."""
    morphed = fields.morphed.copy()
    morphed[:, FACE_CROP.rows, FACE_CROP.columns] += np.float32(value)
    face = np.ascontiguousarray(morphed[:, FACE_CROP.rows, FACE_CROP.columns])
    return replace(fields, morphed=morphed, face=face)


def test_the_picture_itself_comes_back_to_the_level() -> None:
    rgba = drawing(512)
    frame = composite(still_fields(picture()))
    assert levels_off(frame, premultiplied(rgba)).max() <= 1
    assert np.array_equal(frame[..., 3], rgba[..., 3])


@pytest.mark.parametrize("reach", [0.01, 0.3, 3.0])
def test_a_frame_is_what_the_definition_says_within_a_level(reach: float) -> None:
    fields = rough_fields(1, reach)
    off = levels_off(composite(fields), plain_levels(plain_signals(fields)))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.02


@pytest.mark.parametrize("size", [512, 1024])
def test_premultiplied_fields_show_the_same_picture(size: int) -> None:
    shown = picture()
    compositor = Compositor(size)
    compositor.set_picture(shown)
    straight = still_fields(shown)
    multiplied = replace(fields_of(premultiplied_signals(straight.morphed)), premultiplied=True)
    off = levels_off(composite(multiplied, compositor), composite(straight, compositor))
    assert (off <= 1).mean() > 0.999
    signals = compositor.signals(multiplied)
    solid = straight.morphed[3] > 0
    assert np.abs(signals - straight.morphed)[:, solid].max() < 1e-4


def test_premultiplied_fields_are_composed_before_they_are_divided() -> None:
    fields = replace(rough_fields(14), premultiplied=True)
    off = levels_off(composite(fields), plain_levels(plain_signals(fields)))
    assert (off <= 1).mean() > 0.9995  # a faint colour is divided by nearly nothing


@pytest.mark.parametrize("far", [1e3, -1e3, 3e38, -3e38])
def test_a_flow_beyond_the_picture_shows_its_border(far: float) -> None:
    rgba = np.full((512, 512, 4), 255, np.uint8)
    rgba[:, :8] = (250, 0, 0, 255)
    rgba[:, -8:] = (0, 0, 250, 255)
    grid = np.zeros((2, 512, 512), np.float32)
    grid[0] = far
    frame = composite(fields_of(network_from_straight(rgba), grid))
    assert (frame == ((0, 0, 250, 255) if far > 0 else (250, 0, 0, 255))).all()


def test_signals_are_the_networks_numbers_at_any_frame_size() -> None:
    fields = rough_fields(2)
    for size in (256, 512, 640):
        signals = Compositor(size).signals(fields)
        assert signals.shape == (4, 512, 512)
        assert np.abs(signals - plain_signals(fields)).max() < 1e-4


def test_signals_belong_to_the_caller() -> None:
    compositor = Compositor()
    first = compositor.signals(rough_fields(3))
    kept = first.copy()
    compositor.signals(rough_fields(4))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["morphed", "grid_change", "alpha", "color"])
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 300, 257), (-1, 511, 511)])
def test_one_number_that_is_not_finite_is_enough(
    name: str, place: tuple[int, int, int], value: float
) -> None:
    fields = still_fields(picture())  # its corners are empty
    spoilt = getattr(fields, name).copy()
    spoilt[place] = value
    out = np.zeros((512, 512, 4), np.uint8)
    bad = replace(fields, **{name: spoilt})
    with pytest.raises(InferenceError, match="1 values that are not finite"):
        Compositor().composite(bad, out)
    with pytest.raises(InferenceError, match="not finite"):
        Compositor().signals(bad)
    if name != "morphed":
        with pytest.raises(InferenceError, match="not finite"):
            Compositor().between(fields, bad, 0.0, out)
        with pytest.raises(InferenceError, match="not finite"):
            Compositor().between(bad, fields, 1.0, out)


@pytest.mark.parametrize("spoils_older", [True, False])
def test_a_face_that_is_not_finite_is_refused_between(spoils_older: bool) -> None:
    fields = still_fields(picture())
    face = fields.face.copy()
    face[2, 100, 100] = np.nan
    pair = [fields, replace(fields, face=face)]
    with pytest.raises(InferenceError, match="not finite"):
        Compositor().between(pair[spoils_older], pair[not spoils_older], 0.5, np.empty_like(FRAME))


FRAME = np.zeros((512, 512, 4), np.uint8)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((512, 512, 3), np.uint8),
        np.zeros((512, 512, 4), np.int8),
        np.zeros((256, 256, 4), np.uint8),
        np.zeros((512, 1024, 4), np.uint8)[:, ::2],
        np.frombuffer(FRAME.tobytes(), np.uint8).reshape(FRAME.shape),
    ],
    ids=["three channels", "signed", "another size", "strided", "read-only"],
)
def test_a_frame_that_cannot_be_written_is_refused(out: U8Array) -> None:
    with pytest.raises((ValueError, BufferError)):
        Compositor().composite(still_fields(picture()), out)


@pytest.mark.parametrize("name", ARRAYS)
def test_fields_that_do_not_fit_are_refused(name: str) -> None:
    fields = still_fields(picture())
    array = getattr(fields, name)
    wrong = [array[:, ::2], array.astype(np.float64), array[None], np.asfortranarray(array)]
    for other in wrong:
        with pytest.raises(ValueError, match=name):
            Compositor().composite(replace(fields, **{name: other}), FRAME.copy())
        with pytest.raises(ValueError, match=name):
            Compositor().between(fields, replace(fields, **{name: other}), 0.5, FRAME.copy())


@pytest.mark.parametrize("share", [0.0, 0.25, 0.7, 1.0])
def test_between_is_the_frame_of_the_fields_between(share: float) -> None:
    older, newer = rough_fields(5), with_face(rough_fields(6), 0.0)
    newer = with_face(replace(newer, morphed=older.morphed), -0.4)
    expected = plain_levels(plain_signals(mixed(older, newer, share)))
    assert levels_off(between(older, newer, share), expected).max() <= 1


def test_both_ends_of_between_are_the_frames_themselves() -> None:
    older = rough_fields(7)
    newer = with_face(replace(rough_fields(8), morphed=older.morphed), 0.3)
    assert np.array_equal(between(older, newer, 0.0), composite(older))
    assert np.array_equal(between(older, newer, 1.0), composite(newer))


def test_between_follows_to_another_picture() -> None:
    compositor, out = Compositor(), np.zeros((512, 512, 4), np.uint8)
    for seed in (0, 5):
        shown = picture(seed=seed)
        compositor.set_picture(shown)
        compositor.between(still_fields(shown), still_fields(shown), 0.5, out)
        assert np.array_equal(out, composite(still_fields(shown)))


def test_between_does_not_write_to_the_fields() -> None:
    older, newer = rough_fields(9), with_face(rough_fields(9), 0.5)
    kept = [older.copied(), newer.copied()]
    between(older, newer, 0.5)
    for before, after in zip(kept, (older, newer), strict=True):
        for name in ARRAYS:
            assert np.array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("share", [-0.01, 1.01, np.nan])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    fields = still_fields(picture())
    with pytest.raises(ValueError, match="share"):
        Compositor().between(fields, fields, share, FRAME.copy())


@pytest.mark.parametrize("size", [256, 272, 384, 496])
def test_smaller_frames_are_averaged_not_thinned_out(size: int) -> None:
    fields = still_fields(picture())
    frame = composite(fields, Compositor(size))
    levels = premultiplied(drawing(512))
    expected = cv2.resize(levels, (size, size), interpolation=cv2.INTER_AREA)
    assert levels_off(frame, expected).max() <= 2
    assert (frame[..., :3] <= frame[..., 3:]).all()


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_threads_change_no_pixel(size: int) -> None:
    fields: FrameFields = rough_fields(10, 0.02)
    shown = picture(1024)
    frames = []
    for threads in (1, 2, 3):
        compositor = Compositor(size, threads=threads)
        compositor.set_picture(shown)
        frames.append(composite(fields, compositor))
    assert np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[0], frames[2])


def test_what_is_not_finite_is_counted_once_by_several_threads() -> None:
    fields = still_fields(picture())
    alpha: F32Array = fields.alpha.copy()
    alpha[0, [0, 200, 511], 5] = np.nan
    with pytest.raises(InferenceError, match="3 values"):
        Compositor(threads=3).composite(replace(fields, alpha=alpha), FRAME.copy())


@pytest.mark.parametrize(("size", "threads"), [(8, 1), (2064, 1), (512, 0)])
def test_sizes_that_cannot_be_drawn_are_refused(size: int, threads: int) -> None:
    with pytest.raises(ValueError, match=r"frame of|threads"):
        Compositor(size, threads=threads)
