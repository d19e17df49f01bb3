from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vtbridge.errors import TrainingError
from vtbridge.render.models.he_init import initialise
from vtbridge.training.learn.network_file import build_network, load_network, save_network
from vtbridge.training.learn.recipe import NetworkName, NetworkRecipe

TINY = NetworkRecipe(image_size=32, start_channels=4, bottleneck_size=8, bottleneck_blocks=1).shape


def saved(path: Path, name: NetworkName) -> torch.nn.Module:
    network = build_network(name, TINY)
    initialise(network, torch.Generator().manual_seed(0))
    save_network(path, name, TINY, network, {"examples": "7"})
    return network


@pytest.mark.parametrize("name", NetworkName)
def test_a_network_comes_back_in_half_precision_with_its_sizes(
    tmp_path: Path, name: NetworkName
) -> None:
    path = tmp_path / "network.safetensors"
    network = saved(path, name)
    loaded, about = load_network(path)
    assert about["examples"] == "7"
    assert about["network"] == name
    assert loaded.image_size == 32
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor.half().float()), key
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    saved(whole, NetworkName.MORPHER)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-100])
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(TrainingError, match="is not there"):
        load_network(tmp_path / "absent.safetensors")
    for path in (cut, text):
        with pytest.raises(TrainingError, match="or damaged"):
            load_network(path)
