"""Read a data set at random: each pose of each subject is an example."""

from __future__ import annotations

import bisect
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from vtbridge.closing import Closing
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.dataset.manifest import read_manifest
from vtbridge.training.dataset.pictures import picture_of
from vtbridge.training.dataset.shard import (
    POSES,
    REST,
    expression_member,
    posed_member,
    shows_of,
)
from vtbridge.training.dataset.split import Split

_REMEDY: Final = "render the data set again"


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One pose of one subject.

    Attributes:
        subject: its name.
        rest: uint8 [S, S, 4], sRGB, straight alpha: as it is drawn.
        expression: likewise: its face moved.
        posed: likewise: its head turned besides.
        rest_pose: float32 [45].
        pose: float32 [45].
        shows: the parameters that move this subject.
    """

    subject: str
    rest: U8Array
    expression: U8Array
    posed: U8Array
    rest_pose: F32Array
    pose: F32Array
    shows: frozenset[PoseParam]


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Where a subject lies: in which shard, and offset and length of each member there."""

    name: str
    shard: int
    rest_pose: F32Array
    poses: F32Array
    shows: frozenset[PoseParam]
    members: Mapping[str, tuple[int, int]]


_Value = Annotated[float, Field(ge=-1, le=1)]
_Values = Annotated[list[_Value], Field(min_length=POSE_SIZE, max_length=POSE_SIZE)]


class _Record(BaseModel):
    """What is read of a subject's ``poses.json``."""

    shows: list[str]
    rest: _Values
    poses: Annotated[list[_Values], Field(min_length=1)]


class Examples(Closing):
    """One side of a data set, as a sequence; several threads may read it.

    Args:
        folder: of the data set.
        split: which side.

    Raises:
        DatasetError: the data set is not finished, or a shard is missing or damaged.
    """

    def __init__(self, folder: Path, split: Split) -> None:
        self._files: list[int] = []
        manifest = read_manifest(folder)
        self._size = manifest.size
        self._paths = [folder / shard.file for shard in manifest.of(split)]
        self._samples: list[_Sample] = []
        try:
            for number, path in enumerate(self._paths):
                self._samples += _indexed(path, number)
                self._files.append(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
        except BaseException:
            self.close()
            raise
        counts = np.cumsum([len(sample.poses) for sample in self._samples])
        self._ends: list[int] = counts.tolist()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, in order."""
        return [sample.name for sample in self._samples]

    def __getitem__(self, index: int) -> Example:
        """Return an example, its pictures decoded.

        Raises:
            IndexError: there is none of that number.
            DatasetError: a picture is damaged.
            ValueError: it was closed.
        """
        if self._paths and not self._files:
            # No IndexError, which would end a loop over it as if all had been read.
            raise ValueError("these examples are closed")
        if not 0 <= index < len(self):
            raise IndexError(index)
        at = bisect.bisect_right(self._ends, index)
        sample = self._samples[at]
        number = index - (self._ends[at - 1] if at else 0)
        return Example(
            subject=sample.name,
            rest=self._picture(sample, REST),
            expression=self._picture(sample, expression_member(number)),
            posed=self._picture(sample, posed_member(number)),
            rest_pose=sample.rest_pose,
            pose=sample.poses[number],
            shows=sample.shows,
        )

    def close(self) -> None:
        """Close the files; nothing can be read afterwards."""
        while self._files:
            os.close(self._files.pop())

    def __del__(self) -> None:
        self.close()

    def _picture(self, sample: _Sample, member: str) -> U8Array:
        offset, length = sample.members[member]
        content = os.pread(self._files[sample.shard], length, offset)
        what = f"{self._paths[sample.shard]}: {sample.name}.{member}"
        return picture_of(content, self._size, what)


def _indexed(path: Path, shard: int) -> list[_Sample]:
    """Return the samples of a shard.

    Raises:
        DatasetError: it is missing or damaged.
    """
    found: dict[str, dict[str, tuple[int, int]]] = {}
    told: dict[str, bytes] = {}
    try:
        end = path.stat().st_size
        with tarfile.open(path, "r:") as archive:
            for info in archive:
                name, _, member = info.name.partition(".")
                # A sparse file may claim to be larger than any memory.
                if not info.isreg() or info.issparse() or info.offset_data + info.size > end:
                    raise ValueError(f"{info.name} is no whole file")
                found.setdefault(name, {})[member] = (info.offset_data, info.size)
                if member == POSES and (file := archive.extractfile(info)) is not None:
                    told[name] = file.read()
        return [_sample(name, shard, told[name], members) for name, members in found.items()]
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing: {_REMEDY}") from error
    except KeyError as error:
        raise DatasetError(f"{path} is damaged ({error} is missing): {_REMEDY}") from error
    except (OSError, tarfile.TarError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}): {_REMEDY}") from error


def _sample(name: str, shard: int, told: bytes, members: Mapping[str, tuple[int, int]]) -> _Sample:
    try:
        record = _Record.model_validate_json(told)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise ValueError(f"{name}.{POSES} {key}: {first['msg']}") from error
    poses = np.array(record.poses, np.float32)
    wanted = {REST, *(f(n) for n in range(len(poses)) for f in (expression_member, posed_member))}
    if missing := wanted - members.keys():
        raise ValueError(f"{name}.{min(missing)} is missing")
    rest = np.array(record.rest, np.float32)
    return _Sample(name, shard, rest, poses, shows_of(record.shows), members)
