"""One file of a data set: a tar that webdataset streams and that can be read at random.

A subject is a sample: ``NAME.poses.json``, ``NAME.rest.png``, then for each pose
``NAME.p00.expression.png`` and ``NAME.p00.posed.png``. Nothing in it tells when or by whom it was
made, so that the same pictures are the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.pictures import encoded
from vtbridge.training.dataset.recipe import DatasetRecipe
from vtbridge.training.dataset.sampling import random_light, random_pose, rest_pose, stream_of
from vtbridge.training.dataset.tha1 import HEAD
from vtbridge.training.dataset.truth import truth_of
from vtbridge.training.sources.subject import Light, Subject

POSES = "poses.json"
REST = "rest.png"


def expression_member(number: int) -> str:
    """Return what follows the subject's name: ``p07.expression.png``."""
    return f"p{number:02d}.expression.png"


def posed_member(number: int) -> str:
    """Return what follows the subject's name: ``p07.posed.png``."""
    return f"p{number:02d}.posed.png"


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """What one subject is asked for.

    Attributes:
        rest: float32 [45].
        poses: float32 [N, 45].
        light: on all its pictures.
    """

    rest: F32Array
    poses: F32Array
    light: Light


def performance_of(recipe: DatasetRecipe, seed: int, subject: Subject) -> Performance:
    """Return the poses of a subject; the same whatever other subjects there are."""
    random = stream_of(seed, subject.name)
    light = random_light(recipe.light, random)
    rest = rest_pose(recipe, random)
    poses = [random_pose(recipe, rest, subject.shows, random) for _ in range(recipe.poses)]
    return Performance(rest, np.stack(poses), light)


def members_of(
    subject: Subject, performance: Performance, size: int, *, truth: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Draw ``subject`` and yield what the shard keeps of it: name and content.

    Args:
        subject: who is drawn.
        performance: how.
        size: side of the pictures.
        truth: whether what the drawer knows is kept too, see ``truth.py``.

    Raises:
        DatasetError: it cannot be drawn, or its drawer does not know the truth.
    """

    def drawn(pose: F32Array) -> bytes:
        return encoded(subject.draw(pose, size=size, light=performance.light))

    still = np.array(HEAD)
    yield POSES, json.dumps(_told(subject, performance), sort_keys=True).encode()
    yield REST, drawn(performance.rest)
    for number, pose in enumerate(performance.poses):
        unturned = pose.copy()
        unturned[still] = 0
        yield expression_member(number), drawn(unturned)
        yield posed_member(number), drawn(pose)
    if truth:
        yield from truth_of(subject, performance.rest, performance.poses, size)


def write_subject(archive: tarfile.TarFile, name: str, members: list[tuple[str, bytes]]) -> None:
    """Add one subject to a shard."""
    for member, content in members:
        info = tarfile.TarInfo(f"{name}.{member}")
        info.size, info.mode = len(content), 0o644
        archive.addfile(info, io.BytesIO(content))


def _told(subject: Subject, performance: Performance) -> dict[str, Any]:
    return {
        "name": subject.name,
        "work": subject.work,
        "shows": sorted(param.label for param in subject.shows),
        "rest": _numbers(performance.rest),
        "poses": [_numbers(pose) for pose in performance.poses],
        "light": asdict(performance.light),
    }


def _numbers(pose: F32Array) -> list[float]:
    return [round(value, 6) for value in pose.tolist()]


def shows_of(labels: list[str]) -> frozenset[PoseParam]:
    """Return the parameters called ``labels``."""
    return frozenset(PoseParam[label.upper()] for label in labels)
