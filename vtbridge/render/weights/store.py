"""Where weights lie, and reading them: every byte is hashed before it is parsed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import platformdirs
from numpy.typing import NDArray

from vtbridge.errors import WeightsError
from vtbridge.pose_schema import THA3, PoseSchema
from vtbridge.render.models.tha4_student import STUDENT_VARIANT, StudentNetwork
from vtbridge.render.models.variants import VARIANTS, Network, Tha3Variant
from vtbridge.render.weights import remedies
from vtbridge.render.weights.manifest import (
    Entry,
    EntryKind,
    Manifest,
    Origin,
    check_name,
    read_manifest,
)
from vtbridge.render.weights.record import (
    CONVERTER_REVISION,
    RECORD_FILE,
    Record,
    StoredFile,
    read_bounded,
    read_record,
)
from vtbridge.render.weights.tensors import parse_tensors
from vtbridge.resources import in_checkout, shipped_file

ROOT_VARIABLE = "VTBRIDGE_WEIGHTS_DIR"
"""Environment variable that moves the store."""

STUDENT_PICTURE = "picture"
"""Record key of the picture that lies beside a student's networks."""


class EntryState(StrEnum):
    """How far an entry can be used."""

    READY = "ready"
    MISSING = "missing"
    INCOMPLETE = "incomplete"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class EntryStatus:
    """One row of ``vtbridge weights list``.

    Attributes:
        name: the entry, such as ``tha3-separable-float``.
        kind: networks, a picture or a face model.
        state: judged by record and sizes; only ``verify`` reads every byte.
        size: bytes on disk of the recorded files, 0 if there are none.
        license: as people write it.
        author: who made it.
        source: where it comes or came from.
        directory: where it lies or would lie.
        problem: what is wrong, empty if nothing is.
    """

    name: str
    kind: EntryKind
    state: EntryState
    size: int
    license: str
    author: str
    source: str
    directory: Path
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What rehashing one file gave; ``problem`` is empty if it is what was recorded."""

    name: str
    path: Path
    problem: str = ""
    remedy: str = ""


def default_root(environ: Mapping[str, str] | None = None) -> Path:
    """Return the store's folder: the variable's, the checkout's, else the user's data folder."""
    chosen = (os.environ if environ is None else environ).get(ROOT_VARIABLE, "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if in_checkout():
        return shipped_file("weights/manifest.toml").parent
    return Path(platformdirs.user_data_dir("vtbridge")) / "weights"


class WeightStore:
    """Read access to everything fetched or imported; changes nothing.

    Args:
        root: folder of the store; None takes ``default_root()``.
        manifest: what is known; None reads the shipped one.
        shipped: folder of the entries that come with vtbridge; None takes the installation's.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        manifest: Manifest | None = None,
        shipped: Path | None = None,
    ) -> None:
        self.root = default_root() if root is None else Path(root).absolute()
        self.manifest = read_manifest() if manifest is None else manifest
        self._shipped = shipped

    def directory(self, name: str) -> Path:
        """Return the folder of the entry ``name``, whether it exists or not.

        What comes with vtbridge lies there, unless the store has its own of that name.

        Raises:
            WeightsError: ``name`` cannot name an entry.
        """
        own = self.own_directory(name)
        entry = self.manifest.entries.get(name)
        if entry is None or entry.origin is not Origin.SHIPPED or (own / RECORD_FILE).exists():
            return own
        shipped = (self._shipped or shipped_file("weights/manifest.toml").parent) / name
        return shipped if (shipped / RECORD_FILE).exists() else own

    def own_directory(self, name: str) -> Path:
        """Return where in this store the entry ``name`` lies or would lie.

        Raises:
            WeightsError: ``name`` cannot name an entry.
        """
        return self.root / check_name(name)

    def is_ready(self, name: str) -> bool:
        """Return True if the entry is recorded in full and its files have their sizes."""
        return self._state(name)[0] is EntryState.READY

    def record(self, name: str) -> Record:
        """Return what was recorded when the entry was accepted.

        Raises:
            WeightsError: it is not in the store in full, or was made by an older converter.
        """
        state, problem = self._state(name)
        if state is EntryState.MISSING:
            raise WeightsError(remedies.missing(self.manifest, name, self.root))
        record = None if state is EntryState.DAMAGED else self._read_record(name)
        if state is not EntryState.READY or record is None:
            raise WeightsError(f"{problem}: run `{self.remedy(name)}`")
        return record

    def network_bytes(self, name: str, network: Network | StudentNetwork) -> bytes:
        """Return the safetensors file of one network, its sha256 checked in memory.

        Args:
            name: the entry.
            network: which of its networks.

        Raises:
            WeightsError: it is absent or not the bytes that were recorded.
        """
        record = self.record(name)
        if network not in record.files:
            raise WeightsError(f"{name} holds no {network}, only {', '.join(record.files)}")
        return self._read_checked(name, record.files[network])

    def networks(self, name: str) -> dict[Network, dict[str, NDArray[Any]]]:
        """Return every network's arrays by tensor name, checked before they are parsed.

        Raises:
            WeightsError: see ``network_bytes``.
        """
        networks = self.variant(name).family.networks
        return {network: parse_tensors(self.network_bytes(name, network)) for network in networks}

    def variant(self, name: str) -> Tha3Variant:
        """Return which variant the entry's networks are, in their own sizes.

        Raises:
            WeightsError: it is not in the store, or is a picture.
        """
        record = self.record(name)
        if record.variant not in VARIANTS:
            raise WeightsError(f"{name} holds no networks of a known variant ({record.variant!r})")
        variant = VARIANTS[record.variant]
        return replace(variant, shapes=record.shapes) if record.shapes else variant

    def schema(self, name: str) -> PoseSchema:
        """Return what of a pose the entry's networks can show.

        Raises:
            WeightsError: it is not in the store, or is a picture.
        """
        return THA3 if self.is_student(name) else self.variant(name).family.schema

    def is_student(self, name: str) -> bool:
        """Return True if ``name`` is an entry that poses one character only, its own.

        False for any other text; whether the entry is whole shows when it is read.
        """
        try:
            record = self._read_record(name)
        except WeightsError:
            return False
        return record is not None and record.variant == STUDENT_VARIANT

    def student_picture(self, name: str) -> Path:
        """Return the path of a student's character after hashing it.

        Raises:
            WeightsError: it is absent, damaged, or the entry is no student.
        """
        record = self.record(name)
        if STUDENT_PICTURE not in record.files:
            raise WeightsError(f"{name} poses any picture and has none of its own")
        stored = record.files[STUDENT_PICTURE]
        self._read_checked(name, stored)
        return self.directory(name) / stored.file

    def picture(self, name: str) -> Path | None:
        """Return the path of a fetched picture whose bytes are right, None if it is not there.

        Raises:
            WeightsError: it is there and damaged, or ``name`` is no picture.
        """
        if self.manifest.entry(name).kind is not EntryKind.PICTURE:
            raise WeightsError(f"{name} is not a picture")
        if self._state(name)[0] is EntryState.MISSING:
            return None
        return self._checked_file(name)

    def face_model(self, name: str) -> Path:
        """Return the path of a fetched face model whose bytes are right.

        Raises:
            WeightsError: it is not there or damaged, with the remedy; or it is something else.
        """
        if self.manifest.entry(name).kind is not EntryKind.FACE_MODEL:
            raise WeightsError(f"{name} is not a face model")
        return self._checked_file(name)

    def names(self) -> list[str]:
        """Return the manifest's entries, then what was imported under other names."""
        known = list(self.manifest.entries)
        found = self.root.glob(f"[a-z0-9]*/{RECORD_FILE}") if self.root.is_dir() else ()
        return known + sorted({path.parent.name for path in found} - set(known))

    def status(self) -> list[EntryStatus]:
        """Return the state of every entry without reading the files themselves."""
        return [self._status(name) for name in self.names()]

    def verify(self, name: str) -> list[FileCheck]:
        """Hash every file of one entry again; damage is in the result, not raised.

        Raises:
            WeightsError: nothing of the entry is in the store.
        """
        directory = self.directory(name)
        if self._state(name)[0] is EntryState.MISSING:
            self.record(name)
        try:
            record = read_record(directory)
        except WeightsError as error:
            return [FileCheck(name, directory / RECORD_FILE, str(error), self.remedy(name))]
        files = {} if record is None else record.files
        checks = []
        for stored in files.values():
            problem = ""
            try:
                self._read_checked(name, stored)
            except WeightsError as error:
                problem = str(error)
            remedy = self.remedy(name) if problem else ""
            checks.append(FileCheck(name, directory / stored.file, problem, remedy))
        state, problem = self._state(name)
        if state is not EntryState.READY and not any(check.problem for check in checks):
            checks.append(FileCheck(name, directory, problem, self.remedy(name)))
        return checks

    def intact_files(self, name: str, record: Record) -> dict[str, StoredFile]:
        """Return those of the recorded files that are whole and made from what is pinned."""
        intact = {}
        for key in record.files:
            stored = current_file(record, self.manifest.entries.get(name), key)
            if stored is None:
                continue
            try:
                self._read_checked(name, stored)
            except WeightsError:
                continue
            intact[key] = stored
        return intact

    def remedy(self, name: str) -> str:
        """Return the command that puts the entry right."""
        return remedies.remedy(self.manifest, name)

    def _read_record(self, name: str) -> Record | None:
        return read_record(self.directory(name))

    def _checked_file(self, name: str) -> Path:
        """Return the path of an entry's only file after hashing it."""
        (stored,) = self.record(name).files.values()
        self._read_checked(name, stored)
        return self.directory(name) / stored.file

    def _read_checked(self, name: str, stored: StoredFile) -> bytes:
        path = self.directory(name) / stored.file
        remedy = f"run `{self.remedy(name)}`"
        try:
            content = read_bounded(path, stored.size)
        except OSError as error:
            raise WeightsError(f"{path} cannot be read ({error}): {remedy}") from error
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            raise WeightsError(f"{path} is damaged, its sha256 is not the recorded one: {remedy}")
        return content

    def _state(self, name: str) -> tuple[EntryState, str]:
        directory = self.directory(name)
        entry = self.manifest.entries.get(name)
        try:
            record = read_record(directory)
        except WeightsError as error:
            return EntryState.DAMAGED, str(error)
        if record is None:
            return EntryState.MISSING, ""
        wanted = _own_keys(record) if entry is None else entry.keys
        if absent := [key for key in wanted if not current_file(record, entry, key)]:
            return EntryState.INCOMPLETE, f"{directory} lacks {', '.join(absent)}"
        for stored in record.files.values():
            path = directory / stored.file
            size = path.stat().st_size if path.is_file() else -1
            if size != stored.size:
                what = "is missing" if size < 0 else f"has {size} bytes instead of {stored.size}"
                return EntryState.DAMAGED, f"{path} {what}"
        return EntryState.READY, ""

    def _status(self, name: str) -> EntryStatus:
        state, problem = self._state(name)
        record = self._read_record(name) if state is not EntryState.DAMAGED else None
        entry = self.manifest.entries.get(name)
        about: Entry | Record | None = entry or record
        files = record.files.values() if record else ()
        return EntryStatus(
            name=name,
            kind=about.kind if about else EntryKind.NETWORKS,
            state=state,
            size=sum(stored.size for stored in files),
            license=(entry.license_text if entry else record.license if record else ""),
            author=about.author if about else "",
            source=record.source if record else self._source(entry),
            directory=self.directory(name),
            problem=problem,
        )

    def _source(self, entry: Entry | None) -> str:
        if entry is None:
            return ""
        return remedies.source_text(self.manifest, entry)


def _own_keys(record: Record) -> tuple[str, ...]:
    """Return the keys that make an entry complete which the manifest does not know."""
    if record.variant == STUDENT_VARIANT:
        return (*StudentNetwork, STUDENT_PICTURE)
    variant = VARIANTS.get(record.variant)
    return tuple(Network) if variant is None else variant.family.networks


def current_file(record: Record, entry: Entry | None, key: str) -> StoredFile | None:
    """Return the recorded file of ``key`` if it was made from what the manifest pins.

    Args:
        record: the entry's record.
        entry: the manifest's entry, None for weights imported under a name of their own.
        key: a network or a file's name.
    """
    stored = record.files.get(key)
    if stored is None or record.converter != CONVERTER_REVISION:
        return None
    pinned = {file.key: file.sha256 for file in entry.files} if entry else {}
    return stored if pinned.get(key, stored.source_sha256) == stored.source_sha256 else None
