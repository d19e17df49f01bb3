"""Small data sets and recipes for the tests of training."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.dataset import job
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.manifest import Manifest
from vtbridge.training.dataset.recipe import DatasetRecipe, SourceRecipe
from vtbridge.training.dataset.split import Split

SIZE = 64


def small_dataset(subjects: int = 6, poses: int = 2, **more: object) -> DatasetRecipe:
    """Return a recipe of procedural characters, drawn without supersampling."""
    settings: dict[str, object] = {
        "name": "small",
        "poses": poses,
        "size": SIZE,
        "shard": 2,
        "shares": {Split.TRAIN: 0.5, Split.VALIDATION: 0.25, Split.TEST: 0.25},
        "source": SourceRecipe(kind="procedural", subjects=subjects, supersample=1),
    }
    return DatasetRecipe.model_validate(settings | more)


def rendered(folder: Path, recipe: DatasetRecipe, seed: int = 0) -> Manifest:
    """Render a data set in this process."""
    return job.render(folder, recipe, seed, job.one_after_the_other, lambda done, total: None)


def with_members(shard: bytes, suffix: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a shard whose members that end in ``suffix`` are changed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(shard)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            content = file.read()
            if member.name.endswith(suffix):
                content = change(content)
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return out.getvalue()


class MadeUpExamples:
    """Examples of coloured squares: the face's brightness is the mouth, a turn moves all of it.

    Args:
        count: how many.
        first: number of the first one; each number is another picture.
    """

    def __init__(self, count: int, first: int = 0) -> None:
        self._count = count
        self._first = first

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        random = np.random.default_rng(self._first + index)
        rest_pose = np.zeros(POSE_SIZE, np.float32)
        pose = rest_pose.copy()
        pose[PoseParam.MOUTH_AAA], pose[PoseParam.HEAD_Y] = random.random(), random.uniform(-1, 1)
        hue = random.integers(60, 255, 3)
        rest = np.zeros((SIZE, SIZE, 4), np.uint8)
        rest[16:48, 16:48] = (*hue, 255)
        expression = rest.copy()
        expression[30:40, 24:40, :3] = round(255 * float(pose[PoseParam.MOUTH_AAA]))
        posed = np.roll(expression, round(6 * float(pose[PoseParam.HEAD_Y])), axis=1)
        return Example(
            subject=f"square-{self._first + index}",
            rest=rest,
            expression=expression,
            posed=posed,
            rest_pose=rest_pose,
            pose=pose,
            shows=frozenset(PoseParam),
        )
