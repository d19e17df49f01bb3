"""Read a 3D model of any known format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.draft import Draft, figure_from_draft
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.licence import licence_of
from vtbridge.training.figures.pmd import parse_pmd
from vtbridge.training.figures.pmx import parse_pmx
from vtbridge.training.figures.textures import read_textures
from vtbridge.training.figures.vrm import parse_vrm

SUFFIXES = (".pmx", ".pmd", ".vrm")
MAX_FILE_BYTES = 512 << 20


def read_figure(path: Path) -> Figure:
    """Return the model at ``path`` with its textures and the terms found with it.

    Raises:
        DatasetError: it cannot be read, is damaged, or is no character; the message names it.
    """
    if path.exists() and not path.is_file():  # a pipe would wait for its other end
        raise DatasetError(f"{path} is no file: look at its path")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}): look at its path") from error
    if len(data) > MAX_FILE_BYTES:
        raise DatasetError(
            f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB: no character's model"
        )
    try:
        # Sizes of a hostile file may overflow; what is not finite in the end is refused.
        with np.errstate(all="ignore"):
            draft, textures = _parsed(path, data)
            draft = replace(draft, licence=licence_of([draft.licence], path))
            return figure_from_draft(draft, path, textures)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _parsed(path: Path, data: bytes) -> tuple[Draft, list[U8Array | None]]:
    suffix = path.suffix.lower()
    if suffix == ".vrm":
        return parse_vrm(data)
    if suffix == ".pmx":
        draft, names = parse_pmx(data)
    elif suffix == ".pmd":
        draft, names = parse_pmd(data)
    else:
        raise DatasetError(f"{suffix or 'a file without a suffix'} is not one of {SUFFIXES}")
    used = {material.texture for material in draft.materials}
    wanted = [name if i in used else "" for i, name in enumerate(names)]
    return draft, read_textures(wanted, path.parent)
