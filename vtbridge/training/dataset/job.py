"""Render a data set: shard by shard, resumably.

A shard is a function of recipe, seed and its subjects, so it does not matter which process
draws it, nor when. What is finished says so in ``NAME.tar.json`` beside it.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vtbridge import __version__
from vtbridge.atomic_file import whole, write_atomically
from vtbridge.errors import DatasetError, VtbridgeError
from vtbridge.training.dataset.manifest import (
    MANIFEST_FILE,
    Manifest,
    ShardRecord,
    new_manifest,
    write_manifest,
)
from vtbridge.training.dataset.place import Identity, claimed
from vtbridge.training.dataset.recipe import DatasetRecipe
from vtbridge.training.dataset.shard import members_of, performance_of, write_subject
from vtbridge.training.dataset.sources import characters_of, open_source
from vtbridge.training.dataset.split import Split, split_by_work
from vtbridge.training.sources.subject import Source

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


def make_shard(task: ShardTask, stop: Callable[[], bool] = lambda: False) -> ShardRecord:
    """Draw the subjects of a shard and write it; one that cannot be drawn is left out, named.

    Raises:
        DatasetError: the source cannot be opened, or the shard not be written.
        KeyboardInterrupt: ``stop`` said so; nothing of the shard is left.
    """
    source = open_source(task.recipe.source)
    path = task.folder / task.file
    drawn: list[str] = []
    failed: dict[str, str] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
                for name in task.subjects:
                    try:
                        members = _drawn(source, name, task, stop)
                    except VtbridgeError as error:
                        failed[name] = str(error)
                        continue
                    # Hours of other characters must not be lost to one that nobody foresaw.
                    except Exception as error:  # noqa: BLE001
                        failed[name] = f"{type(error).__name__}: {error}"
                        continue
                    write_subject(archive, name, members)
                    drawn.append(name)
            _synced(part)
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be written ({error.strerror or error}): the same command goes on "
            "where it was when that is mended"
        ) from error
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


def _drawn(
    source: Source, name: str, task: ShardTask, stop: Callable[[], bool]
) -> list[tuple[str, bytes]]:
    """Return what the shard keeps of one subject: names and contents."""
    recipe = task.recipe
    subject = source.open(name)
    performance = performance_of(recipe, task.seed, subject)
    members = []
    for member in members_of(subject, performance, recipe.size, truth=recipe.truth):
        if stop():
            raise KeyboardInterrupt
        members.append(member)
    return members


def one_after_the_other(tasks: list[ShardTask]) -> Iterator[ShardRecord]:
    """Make all shards in this process; see ``ShardRunner``."""
    return (make_shard(task) for task in tasks)


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
        DatasetError: the folder holds another data set, the source cannot be used, or none of its
            characters can be drawn.
    """
    # Looked at first: what is finished stays so when the source is gone.
    tasks = plan(folder, recipe, seed)
    wanted = Identity(
        name=recipe.name,
        seed=seed,
        digest=recipe.digest(seed),
        characters=characters_of(recipe.source),
    )
    with claimed(folder, wanted) as begun:
        records = {task.file: _finished(task) for task in tasks}
        left = [task for task in tasks if records[task.file] is None]
        if left:
            if begun.version != __version__:
                raise DatasetError(
                    f"vtbridge {begun.version} began {folder}, and {__version__} may draw "
                    "differently: go on with the former, or name another folder with -o"
                )
            (folder / MANIFEST_FILE).unlink(missing_ok=True)
            _make(left, records, recipe.poses, run, told)
        manifest = _manifest_of(recipe, begun, records)
        write_manifest(folder, manifest)
    return manifest


def _make(
    left: list[ShardTask],
    records: dict[str, ShardRecord | None],
    poses: int,
    run: ShardRunner,
    told: Callable[[int, int], None],
) -> None:
    """Have ``left`` made and put what becomes of it into ``records``."""
    done = sum(_asked(record) for record in records.values() if record is not None) * poses
    total = done + sum(len(task.subjects) for task in left) * poses
    told(done, total)
    for record in run(left):
        records[record.file] = record
        done += _asked(record) * poses
        told(done, total)


def _asked(record: ShardRecord) -> int:
    """Return how many subjects were to be in a shard."""
    return len(record.subjects) + len(record.failed)


def _manifest_of(
    recipe: DatasetRecipe, begun: Identity, records: Mapping[str, ShardRecord | None]
) -> Manifest:
    shards = tuple(record for record in records.values() if record is not None)
    if not any(shard.subjects for shard in shards):
        name, reason = next(iter(failures(shards).items()))
        raise DatasetError(f"none of the characters can be drawn; {name}: {reason}")
    return new_manifest(recipe.model_dump(mode="json"), begun.seed, shards, version=begun.version)


def failures(shards: Iterable[ShardRecord]) -> dict[str, str]:
    """Return the subjects that could not be drawn, with the reason."""
    return {name: reason for shard in shards for name, reason in shard.failed.items()}


def _finished(task: ShardTask) -> ShardRecord | None:
    """Return the record of a shard that is there whole, else None.

    One of which nothing could be drawn counts as not there: what was missing may have come.
    """
    path = task.folder / task.file
    try:
        record = ShardRecord.model_validate_json(_record_path(path).read_bytes())
        whole_one = record.subjects and _sha256(path) == record.sha256
    except (OSError, ValueError):
        return None
    return record if whole_one else None


def _record_path(shard: Path) -> Path:
    return shard.with_name(shard.name + _RECORD_SUFFIX)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synced(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
