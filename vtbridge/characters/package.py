"""A character package: a folder with a picture, and beside it what was prepared of it.

::

    picture.png         the drawing, as it was given
    character.json      what to call it, and the line that must be shown with it
    baked.safetensors   what `vtbridge character bake` learnt
    baked.png           that beside the truth, to look at
    bake/               samples and checkpoint, to go on from; may be deleted
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from vtbridge.atomic_file import write_atomically
from vtbridge.characters.decode import decode_picture
from vtbridge.characters.picture import inspect_picture, load_picture
from vtbridge.characters.specification import Severity
from vtbridge.datatypes import Picture
from vtbridge.errors import PictureError

PICTURE_FILE = "picture.png"
RECORD_FILE = "character.json"

_PICTURES = ("*.png", "*.webp", "*.jpg", "*.jpeg")
_RECORD_LIMIT = 1 << 16

Line = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CharacterRecord(BaseModel):
    """What is known of a package's picture: its name, and the line to show with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line = ""
    credit: Line = ""


def is_package(folder: Path) -> bool:
    """Return True if ``folder`` is a folder that holds a package's picture."""
    return (folder / PICTURE_FILE).is_file()


def load_from_folder(folder: Path) -> Picture:
    """Return the picture of a package, or the only picture of any other folder.

    Raises:
        PictureError: there is none, there are several, or it cannot be used.
    """
    if is_package(folder):
        record = read_record(folder)
        name = record.name or folder.resolve().name
        return load_picture(folder / PICTURE_FILE, name=name, credit=record.credit)
    return load_picture(picture_in(folder))


def picture_in(folder: Path) -> Path:
    """Return the picture's file of a package, or the only picture of any other folder.

    Raises:
        PictureError: there is none, or there are several.
    """
    if is_package(folder):
        return folder / PICTURE_FILE
    found = sorted(path for pattern in _PICTURES for path in folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise PictureError(f"{folder} must hold one picture, not {names}: name the picture itself")
    return found[0]


def read_record(folder: Path) -> CharacterRecord:
    """Return the record of the package ``folder``; empty if it has none.

    Raises:
        PictureError: it is damaged.
    """
    path = folder / RECORD_FILE
    try:
        with path.open("rb") as file:
            content = file.read(_RECORD_LIMIT + 1)
        if len(content) > _RECORD_LIMIT:
            raise ValueError("it is far too large")
        return CharacterRecord.model_validate_json(content)
    except FileNotFoundError:
        return CharacterRecord()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        raise PictureError(f"{path} is damaged ({problem}): delete it") from error
    except (OSError, ValueError) as error:
        raise PictureError(f"{path} cannot be used ({error}): delete it") from error


def write_package(folder: Path, source: Path, *, name: str = "", credit: str = "") -> Picture:
    """Make ``folder`` the package of the picture at ``source``, and return that picture.

    What else is in the folder stays; whether it still fits is for those to say who use it.

    Args:
        folder: made if it is missing; a package already, or empty.
        source: a PNG, kept byte for byte, or another picture, kept as PNG.
        name: what to call it.
        credit: line that must be shown with it.

    Raises:
        PictureError: the picture cannot be used, or the folder holds other things.
        OSError: the folder cannot be written.
    """
    _refuse_unfit(source)  # before anything is changed
    if folder.is_dir() and not is_package(folder) and any(folder.iterdir()):
        raise PictureError(
            f"{folder} holds other files and is no character package: name a new folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = source.read_bytes() if _is_png(source) else _as_png(source)
    _write(folder / PICTURE_FILE, content)
    record = CharacterRecord(name=name, credit=credit)
    _write(folder / RECORD_FILE, (json.dumps(record.model_dump(), indent=2) + "\n").encode())
    return load_from_folder(folder)


def _refuse_unfit(source: Path) -> None:
    _, findings = inspect_picture(source)
    for finding in findings:
        if finding.severity is Severity.ERROR:
            raise PictureError(f"{source}: {finding}")


def _is_png(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89PNG\r\n\x1a\n"


def _as_png(path: Path) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(decode_picture(path).rgba).save(content, format="PNG")
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Make ``path`` hold ``content``; one that holds it already is left alone."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    write_atomically(path, content)
