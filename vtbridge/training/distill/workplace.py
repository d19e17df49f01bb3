"""What a bake goes on from: samples, checkpoint and clock, kept for one picture and its weights."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import AlreadyBaking, WeightsError
from vtbridge.flow.file_lock import FileLock, LocksUnsupported
from vtbridge.render.baked.store import BAKE_FOLDER
from vtbridge.render.weights.manifest import Sha256
from vtbridge.render.weights.record import read_bounded

_IDENTITY: Final = "identity.json"
_CLOCK: Final = "clock.json"
_LOCK: Final = ".lock"
_LIMIT: Final = 1 << 16


class Identity(BaseModel):
    """Whose samples these are; of others nothing can be used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(1, ge=1, le=1)
    picture_sha256: Sha256
    weights: str
    weights_sha256: Sha256

    def change_to(self, other: Identity) -> str:
        """Return what of this is another in ``other``, for people; empty if nothing is."""
        if self.picture_sha256 != other.picture_sha256:
            return "the picture has changed"
        if self.weights != other.weights:
            return f"the weights are {other.weights} now, and were {self.weights}"
        if self.weights_sha256 != other.weights_sha256:
            return f"the weights {self.weights} have changed"
        return ""


class _Clock(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    baked_s: float = Field(ge=0, le=1e9, allow_inf_nan=False)


class Workplace:
    """The folder ``bake`` of a package; one process at a time works in it.

    Args:
        package: its folder.
    """

    def __init__(self, package: Path) -> None:
        self.package = package
        self.folder = package / BAKE_FOLDER
        self.baked_s = 0.0

    @property
    def body(self) -> Path:
        """Folder of the samples of head and body."""
        return self.folder / "body"

    @property
    def face(self) -> Path:
        """Folder of the faces and the checkpoint."""
        return self.folder / "face"

    @property
    def held_out(self) -> Path:
        """File of the frames to be judged by."""
        return self.folder / "held_out.npz"

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep all others out; a process that dies lets them in.

        Raises:
            OSError: the folder cannot be made.
            AlreadyBaking: another one works here.
            WeightsError: the disk has no locks.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / _LOCK) as lock:
            try:
                held = lock.acquire()
            except LocksUnsupported as error:
                raise WeightsError(
                    f"{self.folder} cannot be locked ({error}): choose a folder on a local disk "
                    "with --output"
                ) from error
            if not held:
                raise AlreadyBaking(
                    f"another vtbridge ({lock.holder()}) is baking {self.package}: wait until it "
                    "is done, or end it"
                )
            yield

    def begin(self, identity: Identity) -> str:
        """Make ready for ``identity``: what is of another one is cleared away.

        Returns:
            why it was, for people; empty if it was not.

        Raises:
            OSError: the folder cannot be written.
        """
        found = self._read_identity()
        reason = ""
        if found == identity:
            self.baked_s = self._read_clock()
        else:
            reason = "" if found is None else found.change_to(identity)
            # The identity comes last: killed before, the next start clears once more.
            self._clear()
            write_atomically(self.folder / _IDENTITY, identity.model_dump_json().encode())
            self.baked_s = 0.0
        self.body.mkdir(exist_ok=True)
        self.face.mkdir(exist_ok=True)
        return reason

    def note(self, baked_s: float) -> None:
        """Keep how long was baked altogether.

        Raises:
            OSError: it cannot be written.
        """
        self.baked_s = baked_s
        write_atomically(self.folder / _CLOCK, _Clock(baked_s=baked_s).model_dump_json().encode())

    def _read_identity(self) -> Identity | None:
        try:
            content = read_bounded(self.folder / _IDENTITY, _LIMIT)
            return Identity.model_validate_json(content)
        except (OSError, ValidationError):
            return None

    def _read_clock(self) -> float:
        try:
            content = read_bounded(self.folder / _CLOCK, _LIMIT)
            return _Clock.model_validate_json(content).baked_s
        except (OSError, ValidationError):
            return 0.0

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
