"""Make shards on the computers of a Ray cluster that share the data set's folder.

Sources: Ray Data's documentation (https://docs.ray.io/en/latest/data/data.html).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vtbridge.errors import DatasetError
from vtbridge.training.dataset.job import ShardTask, make_shard
from vtbridge.training.dataset.manifest import ShardRecord
from vtbridge.training.dataset.recipe import DatasetRecipe

LOCAL = "local"
"""Instead of an address: a cluster of this computer alone, that ends with the job."""


class RayCluster:
    """Make each shard as a task of Ray Data; see ``job.ShardRunner``.

    Every computer needs vtbridge with the extra ``cluster``, and the data set's folder at the
    same path. The bytes are those of any other runner.

    Args:
        address: of the cluster's head, ``host:port`` or ``ray://host:port``; or ``LOCAL``.
        workers: how many tasks run at once; 0 = as many as the cluster has cores.
    """

    def __init__(self, address: str, workers: int = 0) -> None:
        self._address = address
        self._workers = workers

    def __call__(self, tasks: list[ShardTask]) -> Iterator[ShardRecord]:
        """Make all shards and yield what is finished.

        Raises:
            DatasetError: Ray is not installed, or no cluster answers there.
        """
        # Nothing of a data set is anybody's business but its owner's.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise DatasetError(
                "a cluster needs more: pip install 'vtbridge[train,cluster]'"
            ) from error
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._connect(ray)
        try:
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            rows = [{"task": _told(task)} for task in tasks]
            made = ray.data.from_items(rows, override_num_blocks=len(rows)).map(_made)
            for row in made.iter_rows():
                yield ShardRecord.model_validate_json(row["record"])
        finally:
            ray.shutdown()

    def _connect(self, ray: Any) -> None:
        settings: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self._address == LOCAL:
            settings |= {"num_cpus": self._workers or os.cpu_count(), "include_dashboard": False}
        else:
            settings["address"] = self._address
        try:
            ray.init(**settings)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DatasetError(
                f"no Ray cluster answers at {self._address} ({error}): start one with "
                "`ray start --head`, or use --ray local"
            ) from error


def _told(task: ShardTask) -> str:
    """Return a task as text, which Arrow's tables carry as they are; its paths are whole."""
    recipe = task.recipe.model_dump(mode="json")
    for key in ("folder", "annotations"):
        if path := recipe["source"][key]:
            recipe["source"][key] = str(Path(path).absolute())
    return json.dumps(
        {
            "folder": str(task.folder.absolute()),
            "file": task.file,
            "recipe": recipe,
            "seed": task.seed,
            "subjects": task.subjects,
        }
    )


def _made(row: dict[str, Any]) -> dict[str, Any]:
    """Make the shard of a row, wherever this runs."""
    told = json.loads(row["task"])
    task = ShardTask(
        folder=Path(told["folder"]),
        file=told["file"],
        recipe=DatasetRecipe.model_validate(told["recipe"]),
        seed=told["seed"],
        subjects=tuple(told["subjects"]),
    )
    return {"record": make_shard(task).model_dump_json()}
