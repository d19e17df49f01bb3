"""Students of THA4 with random weights, as arrays and as the author's tools write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.render.models.tha4_student import (
    STUDENT_SHAPES,
    StudentNetwork,
    author_key,
)

SEEDS = {StudentNetwork.FACE: 1, StudentNetwork.BODY: 2}

MODEL = """character_image_file_name: character.png
face_morpher_file_name: face_morpher.pt
body_morpher_file_name: body_morpher.pt
"""


def random_student() -> dict[StudentNetwork, dict[str, F32Array]]:
    """Return the weights of a student that knows nobody, by our names; always the same.

    ``tests/data/tha/student_random.npz`` was made with them.
    """
    weights: dict[StudentNetwork, dict[str, F32Array]] = {}
    for network, seed in SEEDS.items():
        generator = np.random.default_rng(seed)
        weights[network] = {}
        for name, shape in STUDENT_SHAPES[network].tensors().items():
            bound = 0.1
            if len(shape) == 2:
                bound = (6 / shape[1]) ** 0.5 / (1 if name.startswith("last") else 30)
            weights[network][name] = generator.uniform(-bound, bound, shape).astype(np.float32)
    return weights


def author_state(network: StudentNetwork, weights: dict[str, F32Array]) -> dict[str, torch.Tensor]:
    """Return ``weights`` as the author's file holds them."""
    return {
        author_key(network, name): torch.from_numpy(
            array.reshape(*array.shape, 1, 1) if array.ndim == 2 else array
        )
        for name, array in weights.items()
    }


def figure() -> U8Array:
    """Return a picture [512, 512, 4] of head and body, transparent around them."""
    rgba = np.zeros((PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)
    rows, columns = np.mgrid[:PICTURE_SIZE, :PICTURE_SIZE]
    head = (rows - 128) ** 2 + (columns - 256) ** 2 < 60**2
    body = (rows > 180) & (abs(columns - 256) < 80)
    rgba[head] = (230, 200, 180, 255)
    rgba[body] = (60, 90, 140, 255)
    return rgba


def silhouette() -> NDArray[np.bool_]:
    """Return where ``figure`` is, [512, 512]."""
    seen: NDArray[np.bool_] = figure()[..., 3] > 0
    return seen


def write_student(folder: Path, model: str = MODEL) -> Path:
    """Write the folder of the random student and return it."""
    folder.mkdir(parents=True)
    weights = random_student()
    for network, file in (
        (StudentNetwork.FACE, "face_morpher.pt"),
        (StudentNetwork.BODY, "body_morpher.pt"),
    ):
        torch.save(author_state(network, weights[network]), folder / file)
    Image.fromarray(figure(), "RGBA").save(folder / "character.png")
    (folder / "character_model.yaml").write_text(model, "utf-8")
    return folder
