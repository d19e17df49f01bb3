"""A body model is drawn from any rotation, and never trusted."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.body_model import body_tensors
from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.baked.body import BakedBody
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields

TENSORS = body_tensors()
BODY = BakedBody(TENSORS)
MORPHED = np.random.default_rng(0).uniform(-1, 1, (4, 512, 512)).astype(np.float32)
ANY = st.floats(-(2.0**127), 2.0**127, width=32)


@settings(deadline=None, max_examples=25)
@given(arrays(np.float32, 6, elements=st.floats(-2, 2, width=32)))
def test_pixels_are_those_of_the_fields(rotation: F32Array) -> None:
    out, wanted = np.empty((2, 512, 512, 4), np.uint8)
    BODY.draw(rotation, MORPHED, out)
    grid_change, alpha, color = BODY.fields(rotation)
    assert np.isfinite(grid_change).all()
    assert ((alpha >= 0) & (alpha <= 1)).all()
    assert ((color >= -1) & (color <= 1)).all()
    fields = FrameFields(MORPHED, grid_change, alpha, color, MORPHED[:, 32:224, 160:352].copy())
    Compositor().composite(fields, wanted)
    assert (np.abs(out.astype(int) - wanted) <= 1).mean() > 0.999


@settings(deadline=None, max_examples=15)
@given(arrays(np.float32, 6, elements=ANY))
def test_any_rotation_gives_premultiplied_pixels(rotation: F32Array) -> None:
    out = np.empty((512, 512, 4), np.uint8)
    BODY.draw(rotation, MORPHED, out)
    assert (out[..., :3] <= out[..., 3:]).all()


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(TENSORS)), st.data())
def test_a_model_with_any_numbers_is_refused_or_drawn(name: str, data: st.DataObject) -> None:
    held = TENSORS[name].copy()
    flat = held.reshape(-1)
    places = data.draw(st.lists(st.integers(0, flat.size - 1), min_size=1, max_size=5))
    if held.dtype.kind == "f":
        flat[places] = data.draw(st.sampled_from([np.nan, np.inf, 0, 6e4, -6e4, 1e-30]))
    else:
        bounds = np.iinfo(held.dtype)
        flat[places] = data.draw(st.integers(int(bounds.min), int(bounds.max)))
    try:
        body = BakedBody({**TENSORS, name: held})
    except WeightsError:
        return
    out = np.empty((512, 512, 4), np.uint8)
    body.draw(np.full(6, 0.3, np.float32), MORPHED, out)
    assert (out[..., :3] <= out[..., 3:]).all()
