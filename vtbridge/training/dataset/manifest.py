"""What a finished data set says of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import DatasetError
from vtbridge.training.dataset.split import Split

MANIFEST_FILE = "manifest.json"


class ShardRecord(BaseModel):
    """One file of a data set.

    Attributes:
        file: its path in the data set, with ``/``.
        sha256: of its bytes, hexadecimal.
        bytes: its length.
        subjects: names of those in it.
        poses: pictures of each kind but the rest pictures.
        failed: names of those that could not be drawn, with the reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Annotated[str, Field(pattern=r"^(train|validation|test)/[0-9]{5,}\.tar$")]
    sha256: str
    bytes: int
    subjects: tuple[str, ...]
    poses: int
    failed: Mapping[str, str] = {}


class Manifest(BaseModel):
    """A data set.

    Attributes:
        version: of vtbridge that made it.
        recipe: as it was validated.
        seed: of everything random.
        shards: all files, in order.
        digest: of all bytes, hexadecimal: the same pictures in the same order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    recipe: Mapping[str, Any]
    seed: int
    shards: tuple[ShardRecord, ...]
    digest: str

    @model_validator(mode="after")
    def _tells_what_it_is(self) -> Manifest:
        for key, kind in (("name", str), ("size", int)):
            if not isinstance(self.recipe.get(key), kind):
                raise ValueError(f"its recipe has no {key}")
        return self

    @property
    def size(self) -> int:
        """Side of the pictures, pixels."""
        return int(self.recipe["size"])

    def of(self, split: Split) -> tuple[ShardRecord, ...]:
        """Return the files of one side of the split."""
        return tuple(shard for shard in self.shards if shard.file.startswith(f"{split}/"))


def new_manifest(
    recipe: Mapping[str, Any], seed: int, shards: tuple[ShardRecord, ...], *, version: str
) -> Manifest:
    """Return the manifest of finished shards."""
    told = "\n".join(f"{shard.file} {shard.sha256}" for shard in shards)
    digest = hashlib.sha256(told.encode()).hexdigest()
    return Manifest(version=version, recipe=recipe, seed=seed, shards=shards, digest=digest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest`` into its data set."""
    write_atomically(folder / MANIFEST_FILE, (manifest.model_dump_json(indent=1) + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a data set.

    Raises:
        DatasetError: ``folder`` is none, is unfinished, or its manifest is damaged.
    """
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DatasetError(
            f"{folder} is no finished data set ({MANIFEST_FILE} is missing): make it with "
            "`vtbridge dataset render`, which goes on where it was"
        ) from error
    except (OSError, ValidationError) as error:
        raise DatasetError(f"{path} is damaged: render the data set again") from error
