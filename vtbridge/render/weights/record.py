"""What the store wrote down about the files it accepted: ``record.json`` of one entry."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Network, NetworkShape
from vtbridge.render.weights.manifest import EntryKind, Sha256, Size

RECORD_FILE = "record.json"
CONVERTER_REVISION = 1
"""Raised when tensor names in the safetensors change; older files are converted again."""

_RECORD_LIMIT = 1 << 20
_CHUNK = 1 << 20


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredFile(_Table):
    """One file of the store and the file it was made from."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    sha256: Sha256
    size: Size
    source_sha256: Sha256
    source_size: Size


class Record(_Table):
    """Everything accepted for one entry.

    Attributes:
        files: keys are networks or file names.
        shapes: sizes of the networks where they are not the variant's own.
    """

    format: Annotated[int, Field(ge=1, le=1)] = 1
    kind: EntryKind
    converter: int = CONVERTER_REVISION
    variant: str = ""
    author: str
    license: str
    credit: str
    source: str
    files: dict[str, StoredFile]
    shapes: dict[Network, NetworkShape] = {}


def read_record(directory: Path) -> Record | None:
    """Return the record of the entry in ``directory``, None if nothing is recorded.

    Raises:
        WeightsError: the record is damaged.
    """
    path = directory / RECORD_FILE
    try:
        if path.stat().st_size > _RECORD_LIMIT:
            raise ValueError("it is far too large")
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{path} is damaged ({reason})") from error


def write_record(directory: Path, record: Record) -> None:
    """Replace the record of the entry in ``directory`` in one step."""
    text = record.model_dump_json(indent=2) + "\n"
    write_atomically(directory / RECORD_FILE, text.encode())


def read_bounded(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: it cannot be read, is no regular file or is larger.
    """
    # Not blocking, for a named pipe in place of a weight file must not hang the daemon.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"{path} is larger than {limit} bytes")
    return content


def sha256_of(path: Path, advanced: Callable[[int], None] | None = None) -> str:
    """Return the sha256 of a file, telling ``advanced`` the bytes done so far."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if advanced is not None:
                advanced(done)
    return digest.hexdigest()
