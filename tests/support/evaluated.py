"""A run of small networks that learnt nothing, to evaluate."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from vtbridge.render.models.variants import NetworkShape
from vtbridge.training.learn.network_file import build_network, save_network
from vtbridge.training.learn.recipe import NetworkName, NetworkRecipe, StageName


def shape_of(size: int) -> NetworkShape:
    return NetworkRecipe(
        image_size=size, start_channels=4, bottleneck_size=8, bottleneck_blocks=1
    ).shape


def random_run(folder: Path, stages: Iterable[StageName], *, face: int, head: int) -> Path:
    """Write a network of random weights for each stage."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    for stage in stages:
        shape = shape_of(face if stage.network is NetworkName.MORPHER else head)
        about = {"examples": "16", "loss": stage.loss.value}
        network = build_network(stage.network, shape)
        save_network(folder / f"{stage}.safetensors", stage.network, shape, network, about)
    return folder
