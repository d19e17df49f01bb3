"""Small data sets and recipes for the tests of training."""

from __future__ import annotations

from pathlib import Path

from vtbridge.training.dataset import job
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
