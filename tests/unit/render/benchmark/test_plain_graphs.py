"""The plain graphs compute what the networks do one by one."""

from __future__ import annotations

import numpy as np
import torch

from tests.support.tha3 import randomise, run_networks, thinned
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, POSE_SIZE, ROTATION_SLICE
from vtbridge.render.alpha import straight_from_network
from vtbridge.render.benchmark.plain_graphs import PlainDecompose, PlainFrame
from vtbridge.render.models.tha3 import build_networks
from vtbridge.render.models.variants import VARIANTS


def test_both_graphs_together_give_the_networks_own_frame() -> None:
    networks = build_networks(thinned(VARIANTS["separable_float"]))
    randomise(networks, 7)
    generator = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 4, 512, 512, generator=generator) * 2 - 1
    pose = torch.rand(1, POSE_SIZE, generator=generator)
    layers = PlainDecompose(networks)(picture)
    pixels = PlainFrame(networks)(
        picture, *layers, pose[:, BROW_SLICE], pose[:, FACE_SLICE], pose[:, ROTATION_SLICE]
    )
    image = run_networks(networks, picture, pose).edited.image[0].contiguous().numpy()
    expected = np.empty((512, 512, 4), np.uint8)
    straight_from_network(image, expected)
    assert pixels.dtype == torch.uint8
    apart = np.abs(pixels.numpy().astype(int) - expected)
    shown = expected[..., 3] > 0  # where nothing is, the colours are anybody's
    assert apart[shown].max() <= 1
    assert apart[..., 3].max() <= 1
    assert len(np.unique(expected[shown])) > 50, "the frame shows something"
