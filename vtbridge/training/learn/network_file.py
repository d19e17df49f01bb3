"""A trained network as one safetensors file that tells its own sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import TrainingError
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher
from vtbridge.render.models.variants import NetworkShape
from vtbridge.training.learn.recipe import NetworkName, NetworkRecipe

Tha1Network: TypeAlias = Morpher | HeadRotator | Combiner

_CLASSES: Mapping[NetworkName, type[Tha1Network]] = {
    NetworkName.MORPHER: Morpher,
    NetworkName.ROTATOR: HeadRotator,
    NetworkName.COMBINER: Combiner,
}
_SIZES = tuple(NetworkRecipe.model_fields)


def build_network(name: NetworkName, shape: NetworkShape) -> Tha1Network:
    """Return a network with weights of no meaning."""
    return _CLASSES[name](shape)


def save_network(
    path: Path, name: NetworkName, shape: NetworkShape, network: nn.Module, about: Mapping[str, str]
) -> None:
    """Write the weights in half precision, whole or not at all.

    Args:
        path: of the file.
        name: which network it is.
        shape: its sizes.
        network: it.
        about: what else to remember.
    """
    tensors = {key: value.detach().half().cpu() for key, value in network.state_dict().items()}
    sizes = {size: str(getattr(shape, size)) for size in _SIZES}
    metadata = {**about, "network": name.value, **sizes}
    write_atomically(path, save({k: v.contiguous() for k, v in tensors.items()}, metadata))


def load_network(path: Path) -> tuple[Tha1Network, dict[str, str]]:
    """Return the network of a file, float32, ready for inference, and what is remembered of it.

    Raises:
        TrainingError: the file is absent, damaged or none of these.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        name = NetworkName(about["network"])
        shape = NetworkRecipe(**{size: int(about[size]) for size in _SIZES}).shape
        with torch.device("meta"):
            network = build_network(name, shape)
        network.load_state_dict(tensors, assign=True)
    except FileNotFoundError as error:
        raise TrainingError(f"{path} is not there") from error
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} is no network of version 1, or damaged: {error}") from error
    network.eval().requires_grad_(False)
    return network, about
