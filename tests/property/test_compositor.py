"""The compositor's C against plain numbers, on fields of any size and any content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.composition import fields_of, levels_off, mixed, plain_levels, plain_signals
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.render import _compositor, _enlarge
from vtbridge.render.fields import FrameFields

SIDES = st.integers(2, 24)
UNIT = st.floats(0, 1, width=32)
SIGNALS = st.floats(-1.25, 1.25, width=32)
FLOWS = st.floats(-3, 3, width=32)
WILD = st.floats(width=32)
LIMITS = (16.0, 0.15, 0.6, 1.5, 3.0)


def planes(count: int, side: int, values: st.SearchStrategy[float]) -> st.SearchStrategy[F32Array]:
    return arrays(np.float32, (count, side, side), elements=values)


@st.composite
def small_fields(draw: st.DrawFn, side: int, *, wild: bool = False) -> FrameFields:
    def part(count: int, values: st.SearchStrategy[float]) -> F32Array:
        return draw(planes(count, side, values | WILD if wild else values))

    return fields_of(part(4, SIGNALS), part(2, FLOWS), part(4, UNIT), part(4, SIGNALS))


def raw(fields: FrameFields, newer: FrameFields | None = None, share: float = 0.0) -> tuple:  # type: ignore[type-arg]
    def parts(each: FrameFields) -> tuple[F32Array, F32Array, F32Array]:
        return each.grid_change, each.alpha, each.color

    later = None if newer is None else parts(newer)
    return fields.morphed, parts(fields), later, share, fields.premultiplied


def shown(fields: tuple, side: int) -> tuple[U8Array, int]:  # type: ignore[type-arg]
    out = np.full((side, side, 4), 77, np.uint8)
    return out, _compositor.shown(fields, out, side, 0, side)


@given(SIDES.flatmap(small_fields))
def test_a_frame_equals_the_definition_within_a_level(fields: FrameFields) -> None:
    frame, not_finite = shown(raw(fields), fields.alpha.shape[1])
    assert not_finite == 0
    assert levels_off(frame, plain_levels(plain_signals(fields))).max() <= 1


@given(st.data(), SIDES, UNIT)
def test_between_equals_the_frame_of_mixed_fields(
    data: st.DataObject, side: int, share: float
) -> None:
    older, newer = data.draw(small_fields(side)), data.draw(small_fields(side))
    newer = replace(newer, morphed=older.morphed)
    frame, _ = shown(raw(older, newer, share), side)
    signals = plain_signals(mixed(older, newer, share))
    off = levels_off(frame, plain_levels(signals))
    # A flow rounded across the middle of a hard edge is off by what the edge is steep.
    assert (off <= 1).mean() > 0.97


@settings(max_examples=200)
@given(st.data(), SIDES, st.booleans())
def test_whatever_the_numbers_the_frame_is_a_frame(
    data: st.DataObject, side: int, multiplied: bool
) -> None:
    fields = replace(data.draw(small_fields(side, wild=True)), premultiplied=multiplied)
    frame, not_finite = shown(raw(fields), side)
    parts = (fields.morphed, fields.grid_change, fields.alpha, fields.color)
    assert not_finite == sum(int((~np.isfinite(part)).sum()) for part in parts)
    assert (frame[..., :3] <= frame[..., 3:]).all()


@settings(max_examples=200)
@given(st.data(), SIDES, st.integers(0, 40), st.booleans(), st.sampled_from([0.0, 0.9]))
def test_whatever_the_numbers_a_large_frame_is_a_frame(
    data: st.DataObject, side: int, more: int, bends: bool, still: float
) -> None:
    size = min(side + more, 4 * side)
    fields = data.draw(small_fields(side, wild=True))
    picture = data.draw(arrays(np.float32, (side, side, 4), elements=st.floats(0, 255, width=32)))
    original = np.full((size + 3, size + 3, 4), 200, np.float32)
    bend = data.draw(arrays(np.float32, (side, side, 3), elements=WILD)) if bends else None
    pairs, marks = np.zeros((side, side, 8), np.float32), np.zeros((4, side, side), np.float32)
    flow, keep = np.zeros((2, side, side), np.float32), np.zeros((side, side), np.float32)
    extents = np.zeros((side, 2), np.int32)
    frame = np.full((size, size, 4), 77, np.uint8)
    _compositor.traced(
        raw(fields), picture, bend, 0, 0, side, pairs, marks, flow, keep, extents, side, 0, side
    )
    _enlarge.keep(marks, flow, extents, keep, LIMITS, side, 0, side)
    _enlarge.enlarge(pairs, keep, flow, extents, original, frame, still, side, size, 0, size)
    assert (frame[..., :3] <= frame[..., 3:]).all()
