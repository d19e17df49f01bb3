"""The compositor against torch's own operations, on which the networks were trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.composition import rough_fields
from vtbridge.datatypes import U8Array
from vtbridge.render.alpha import premultiplied_from_network
from vtbridge.render.compositor import Compositor
from vtbridge.render.models.blocks import GridWarp, blend


@pytest.mark.parametrize("reach", [0.02, 0.3, 2.0])
def test_a_frame_is_what_torch_composes(reach: float) -> None:
    fields = rough_fields(30, reach)
    with torch.inference_mode():
        parts = [
            torch.from_numpy(part)[None]
            for part in (fields.grid_change, fields.morphed, fields.alpha, fields.color)
        ]
        warped = GridWarp(512)(parts[0], parts[1])
        theirs = blend(parts[2], parts[3], warped)[0].numpy()
    assert np.abs(Compositor().signals(fields) - theirs).max() < 2e-6
    frames: list[U8Array] = [np.zeros((512, 512, 4), np.uint8) for _ in range(2)]
    Compositor().composite(fields, frames[0])
    premultiplied_from_network(np.ascontiguousarray(theirs), frames[1])
    off = np.abs(frames[0].astype(int) - frames[1])
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-4
