"""The folder of a data set: whose it is, and that one job at a time works in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vtbridge import __version__
from vtbridge.atomic_file import PART_SUFFIX, write_atomically
from vtbridge.errors import DatasetError
from vtbridge.flow.file_lock import FileLock, LocksUnsupported

PLAN_FILE = "plan.json"
LOCK_FILE = ".lock"


class Identity(BaseModel):
    """What every shard of a folder has in common.

    Attributes:
        name: of the recipe.
        seed: of everything random.
        digest: of recipe and seed.
        characters: of which characters there are and what is known of them; "" where the recipe
            says it all.
        version: of vtbridge that began it; another one may draw in another way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int
    digest: str
    characters: str = ""
    version: str = __version__


@contextmanager
def claimed(folder: Path, wanted: Identity) -> Iterator[Identity]:
    """Make ``folder`` that of a data set, keep other jobs out, and give who began it.

    Raises:
        DatasetError: it is another data set's, holds other files, or another job works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN_FILE
    if not path.exists() and any(map(_is_foreign, folder.iterdir())):
        raise DatasetError(f"{folder} holds other files: name an empty folder with -o")
    with FileLock(folder / LOCK_FILE) as lock:
        try:
            held = lock.acquire()
        except LocksUnsupported as error:
            raise DatasetError(
                f"{folder} cannot be locked ({error}): choose a folder on a disk with locks"
            ) from error
        if not held:
            raise DatasetError(
                f"another vtbridge ({lock.holder()}) is rendering into {folder}: wait until it is "
                "done, or end it"
            )
        if not path.exists():
            write_atomically(path, (wanted.model_dump_json() + "\n").encode())
        begun = _read(path)
        _refuse_another(folder, begun, wanted)
        yield begun


def _is_foreign(path: Path) -> bool:
    return path.name != LOCK_FILE and not path.name.endswith(PART_SUFFIX)


def _read(path: Path) -> Identity:
    try:
        return Identity.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DatasetError(
            f"{path} is damaged: name another folder with -o, or delete this one"
        ) from error


def _refuse_another(folder: Path, begun: Identity, wanted: Identity) -> None:
    if begun.digest != wanted.digest:
        raise DatasetError(
            f"{folder} holds the data set {begun.name} with other settings or another seed: name "
            "another folder with -o"
        )
    if begun.characters != wanted.characters:
        # What is drawn already may be on the other side of the new split.
        raise DatasetError(
            f"the characters of {begun.name}, or the annotations of them, are others than when "
            f"{folder} was begun: name another folder with -o"
        )
