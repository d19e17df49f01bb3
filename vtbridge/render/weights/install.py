"""Putting checked files into the store: rename, then record, so a kill leaves no lie behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.render.weights.manifest import Entry
from vtbridge.render.weights.record import (
    CONVERTER_REVISION,
    Record,
    StoredFile,
    read_record,
    write_record,
)
from vtbridge.render.weights.remedies import source_text
from vtbridge.render.weights.store import ROOT_VARIABLE, WeightStore

STAGING_FOLDER = ".staging"
"""Where downloads and half-made files lie, below the store's root; never read by a runtime."""


def blank_record(entry: Entry, source: str) -> Record:
    """Return the record of an entry of which no file is in the store yet."""
    return Record(
        kind=entry.kind,
        variant=entry.variant,
        author=entry.author,
        license=entry.license_text,
        credit=entry.credit,
        source=source,
        files={},
    )


def install_files(
    directory: Path, record: Record, files: Mapping[str, tuple[Path, StoredFile]]
) -> Record:
    """Move finished files into an entry's folder and return the record it then has.

    Each rename is atomic. If the process dies between the renames and the record, the
    sizes and hashes no longer agree, which every reader notices.

    Args:
        directory: the entry's folder; created if it is missing.
        record: what is to stay recorded beside the new files.
        files: where each finished file lies and what to record of it, by record key.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for path, stored in files.values():
        path.replace(directory / stored.file)
    merged = dict(record.files) | {key: stored for key, (_, stored) in files.items()}
    written = record.model_copy(update={"files": merged})
    write_record(directory, written)
    return written


def kept_record(store: WeightStore, name: str) -> Record:
    """Return the record of a manifest entry with only those files that are still right.

    Every byte is read: what is kept is whole, and made from what the manifest pins.
    """
    entry = store.manifest.entry(name)
    blank = blank_record(entry, source_text(store.manifest, entry))
    try:
        record = read_record(store.directory(name))
    except WeightsError:
        return blank
    if record is None or record.converter != CONVERTER_REVISION:
        return blank
    return blank.model_copy(update={"files": store.intact_files(name, record)})


@contextmanager
def staging(store: WeightStore, folder: str) -> Iterator[Path]:
    """Give a folder for half-made files; it goes when the work succeeds and stays if not.

    What stays makes the next attempt shorter; unfinished ``.part`` files never stay.

    Raises:
        WeightsError: the disk is full or the folder cannot be written.
    """
    path = store.root / STAGING_FOLDER / folder
    try:
        path.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        except BaseException:
            for part in path.glob("*.part"):
                part.unlink(missing_ok=True)
            if _remove_if_empty(path):
                _remove_if_empty(path.parent)
            raise
        shutil.rmtree(path)
        _remove_if_empty(path.parent)
    except OSError as error:
        raise WeightsError(
            f"the store {store.root} cannot be written ({error}): free some space, or set "
            f"{ROOT_VARIABLE} to another folder"
        ) from error


def check_free_space(root: Path, wanted: int) -> None:
    """Refuse work that the disk has no room for.

    Raises:
        WeightsError: fewer than ``wanted`` bytes are free at ``root``.
    """
    free = shutil.disk_usage(root).free
    if free < wanted:
        raise WeightsError(
            f"{root} has {free >> 20} MiB free and {wanted >> 20} MiB are needed: make room, or "
            f"set {ROOT_VARIABLE} to a folder on another disk"
        )


def _remove_if_empty(folder: Path) -> bool:
    if any(folder.iterdir()):
        return False
    folder.rmdir()
    return True
