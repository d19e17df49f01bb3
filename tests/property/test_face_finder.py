"""Any picture of any size gives None or a face inside it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from vtbridge.characters.face_landmarks import FaceLandmarks
from vtbridge.characters.face_network import WEIGHTS, FaceNetwork
from vtbridge.characters.find import BUILTIN
from vtbridge.characters.picture import load_picture
from vtbridge.datatypes import U8Array

CREDULOUS = FaceNetwork(load_file(WEIGHTS), least=0.0)
"""Takes everything that it suspects for a face."""
MICHI = load_picture(BUILTIN["michi"]).rgba
SIDES = st.integers(1, 400)


def assert_inside(found: FaceLandmarks | None, rgba: U8Array) -> None:
    if found is None:
        return
    height, width = rgba.shape[:2]
    for x, y, wide, high in (found.head_box, found.left_eye, found.right_eye, found.mouth):
        assert 0 <= x < x + wide <= width + 1e-3
        assert 0 <= y < y + high <= height + 1e-3
    assert 0 <= found.confidence <= 1


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_noise_of_any_size(height: int, width: int, grain: int, seed: int) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (grain, grain, 4), np.uint8)
    rgba = small[np.arange(height) * grain // height][:, np.arange(width) * grain // width]
    assert_inside(CREDULOUS.find(rgba), rgba)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_piece_of_a_character(data: st.DataObject) -> None:
    top = data.draw(st.integers(0, 250))
    left = data.draw(st.integers(0, 300))
    bottom = data.draw(st.integers(top + 1, 512))
    right = data.draw(st.integers(left + 1, 512))
    step = data.draw(st.integers(1, 4))
    rgba = MICHI[top:bottom:step, left:right:step]
    assert_inside(CREDULOUS.find(rgba), rgba)
