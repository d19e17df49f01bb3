"""Render a data set: shard by shard, in as many processes as there are cores, resumably.

A shard is a function of recipe, seed and its subjects, so it does not matter which process
draws it, nor when. What is finished says so in ``NAME.tar.json`` beside it.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Protocol

from vtbridge.atomic_file import whole, write_atomically
from vtbridge.errors import DatasetError, VtbridgeError
from vtbridge.training.dataset.manifest import (
    MANIFEST_FILE,
    Manifest,
    ShardRecord,
    new_manifest,
    write_manifest,
)
from vtbridge.training.dataset.recipe import DatasetRecipe
from vtbridge.training.dataset.shard import members_of, performance_of, write_subject
from vtbridge.training.dataset.sources import open_source
from vtbridge.training.dataset.split import Split, split_by_work
from vtbridge.training.figures.gl_context import use_one_thread

PLAN_FILE = "plan.json"
_RECORD_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to make.

    Attributes:
        folder: of the data set.
        file: in it, ``train/00000.tar``.
        recipe: of the data set.
        seed: of the data set.
        subjects: names, in order.
    """

    folder: Path
    file: str
    recipe: DatasetRecipe
    seed: int
    subjects: tuple[str, ...]


class ShardRunner(Protocol):
    """Where shards are made: processes here, or other computers."""

    def __call__(self, tasks: list[ShardTask]) -> Iterator[ShardRecord]:
        """Make all shards and yield what is finished, in any order."""


def plan(folder: Path, recipe: DatasetRecipe, seed: int) -> list[ShardTask]:
    """Return all shards of a data set.

    Raises:
        DatasetError: the source cannot be opened, or has no characters.
    """
    source = open_source(recipe.source)
    names = source.names()
    if not names:
        raise DatasetError(f"{recipe.source.folder}: there are no characters in it")
    works = {name: source.work_of(name) for name in names}
    sides = split_by_work(works.values(), recipe.shares, seed)
    tasks = []
    for split in Split:
        chosen = [name for name in names if sides[works[name]] is split]
        for number, first in enumerate(range(0, len(chosen), recipe.shard)):
            subjects = tuple(chosen[first : first + recipe.shard])
            tasks.append(ShardTask(folder, f"{split}/{number:05d}.tar", recipe, seed, subjects))
    return tasks


def make_shard(task: ShardTask) -> ShardRecord:
    """Draw the subjects of a shard and write it; one that cannot be drawn is left out, named."""
    source = open_source(task.recipe.source)
    path = task.folder / task.file
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn: list[str] = []
    failed: dict[str, str] = {}
    with whole(path) as part:
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name in task.subjects:
                try:
                    subject = source.open(name)
                    performance = performance_of(task.recipe, task.seed, subject)
                    recipe = task.recipe
                    drawn_of = members_of(subject, performance, recipe.size, truth=recipe.truth)
                    members = list(drawn_of)
                except VtbridgeError as error:
                    failed[name] = str(error)
                    continue
                write_subject(archive, name, members)
                drawn.append(name)
        _synced(part)
    record = ShardRecord(
        file=task.file,
        sha256=_sha256(path),
        bytes=path.stat().st_size,
        subjects=tuple(drawn),
        poses=len(drawn) * task.recipe.poses,
        failed=failed,
    )
    write_atomically(_record_path(path), (record.model_dump_json() + "\n").encode())
    return record


def one_after_the_other(tasks: list[ShardTask]) -> Iterator[ShardRecord]:
    """Make all shards in this process; see ``ShardRunner``."""
    return map(make_shard, tasks)


class Processes:
    """Make shards in processes of this computer, one a core.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __call__(self, tasks: list[ShardTask]) -> Iterator[ShardRecord]:
        """Make all shards; see ``ShardRunner``."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(
            min(self._count, len(tasks)), mp_context=context, initializer=alone_on_a_core
        )
        pending: set[Future[ShardRecord]] = {pool.submit(make_shard, task) for task in tasks}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def render(
    folder: Path,
    recipe: DatasetRecipe,
    seed: int,
    run: ShardRunner,
    told: Callable[[int, int], None],
) -> Manifest:
    """Render a data set, or the rest of one, and return its manifest.

    Args:
        folder: made if it is missing; empty, or of the same recipe and seed.
        recipe: what to render.
        seed: of everything random.
        run: makes the shards.
        told: hears how many poses are done, and of how many.

    Raises:
        DatasetError: the folder holds another data set, or the source cannot be used.
    """
    _claim(folder, recipe, seed)
    tasks = plan(folder, recipe, seed)
    records = {task.file: _finished(task) for task in tasks}
    total = sum(len(task.subjects) for task in tasks) * recipe.poses
    done = sum(record.poses for record in records.values() if record is not None)
    told(done, total)
    left = [task for task in tasks if records[task.file] is None]
    for record in run(left) if left else ():
        records[record.file] = record
        done += record.poses + len(record.failed) * recipe.poses
        told(done, total)
    shards = tuple(record for record in records.values() if record is not None)
    manifest = new_manifest(recipe.model_dump(mode="json"), seed, shards)
    write_manifest(folder, manifest)
    return manifest


def failures(shards: Iterable[ShardRecord]) -> dict[str, str]:
    """Return the subjects that could not be drawn, with the reason."""
    return {name: reason for shard in shards for name, reason in shard.failed.items()}


def _claim(folder: Path, recipe: DatasetRecipe, seed: int) -> None:
    """Make ``folder`` that of this data set, or refuse another's."""
    path = folder / PLAN_FILE
    digest = recipe.digest(seed)
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        known = json.loads(path.read_text("utf-8"))
        if known.get("digest") != digest:
            raise DatasetError(
                f"{folder} holds the data set {known.get('name')} with other settings or another "
                "seed: name another folder with -o"
            )
    elif any(folder.iterdir()):
        raise DatasetError(f"{folder} holds other files: name an empty folder with -o")
    else:
        told = {"name": recipe.name, "seed": seed, "digest": digest}
        write_atomically(path, (json.dumps(told) + "\n").encode())
    (folder / MANIFEST_FILE).unlink(missing_ok=True)


def _finished(task: ShardTask) -> ShardRecord | None:
    """Return the record of a shard that is there whole, else None."""
    path = task.folder / task.file
    try:
        record = ShardRecord.model_validate_json(_record_path(path).read_bytes())
        return record if path.stat().st_size == record.bytes else None
    except (OSError, ValueError):
        return None


def _record_path(shard: Path) -> Path:
    return shard.with_name(shard.name + _RECORD_SUFFIX)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synced(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def alone_on_a_core() -> None:
    """Keep the libraries of a worker process to one thread, and end it with its parent."""
    import cv2

    threading.Thread(target=_end_with_parent, daemon=True).start()

    use_one_thread()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """Leave when the parent has gone, however it went: nobody waits for the shard any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
