"""Where a stage stands, kept so that it can go on as if nothing had happened."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vtbridge.atomic_file import whole
from vtbridge.errors import TrainingError


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A stage after a whole step.

    Attributes:
        done: examples learnt from.
        identity: what the stage is; another one cannot go on from here.
        network: its weights.
        averaged: their moving average, empty where none is kept.
        optimizer: its state.
    """

    done: int
    identity: str
    network: dict[str, Tensor]
    averaged: dict[str, Tensor]
    optimizer: dict[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` whole or not at all."""
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        torch.save(fields, part)


def read_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """Return the checkpoint of a file, None if there is none.

    Raises:
        TrainingError: it is damaged, or of another stage than ``identity``.
    """
    try:
        fields = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint = Checkpoint(**fields)
    except FileNotFoundError:
        return None
    except (
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise TrainingError(f"{path} is damaged: delete it to begin the stage anew") from error
    if checkpoint.identity != identity:
        raise TrainingError(
            f"{path} is of another data set, or the recipe has changed: give the run another "
            "folder with -o, or delete this file to begin the stage anew"
        )
    return checkpoint
