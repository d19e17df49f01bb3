"""The files some runtimes load instead of the safetensors: prepare them, and check them.

Nothing is prepared unasked: the runtime ``native`` reads the weights themselves. What
prepares is imported inside the functions, so that listing weights stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.settings import Precision, RuntimeName
from vtbridge.render.weights.lock import writing
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.record import sha256_of
from vtbridge.render.weights.store import FileCheck, WeightStore

if TYPE_CHECKING:
    from vtbridge.render.runtimes.prepared import PreparedFiles

PREPARABLE = (RuntimeName.OPENVINO, RuntimeName.ONNXRUNTIME)
"""Runtimes that load files of their own."""


def prepare_runtime(
    store: WeightStore,
    name: str,
    runtime: RuntimeName,
    progress: Progress = SILENT,
    waiting: Callable[[], None] | None = None,
    *,
    precision: Precision = Precision.F32,
) -> bool:
    """Make what ``runtime`` loads of ``name`` unless it is there, whole and up to date.

    Args:
        store: where the weights are.
        name: of the weights.
        runtime: one of ``PREPARABLE``.
        progress: told how far it is.
        waiting: called if another process is writing to the store.
        precision: of the networks in the files.

    Returns:
        True if it was made now.

    Raises:
        WeightsError: the weights are absent, or that failed; weights in place stay so.
        RuntimeUnavailable: ``runtime`` has no files in this precision, or what makes them is
            not installed.
    """
    store.record(name)
    with writing(store.root, waiting=waiting):
        return prepare_locked(store, name, runtime, progress, precision=precision)


def prepare_locked(
    store: WeightStore,
    name: str,
    runtime: RuntimeName,
    progress: Progress = SILENT,
    *,
    precision: Precision = Precision.F32,
) -> bool:
    """Do what ``prepare_runtime`` does for a caller who holds the store's lock."""
    from vtbridge.render.models.signatures import Stage
    from vtbridge.render.runtimes.runtime import RUNTIMES

    if store.variant(name).family in RUNTIMES[runtime].unprepared:
        return False
    files = next((each for each in _files_of(runtime) if each.precision is precision), None)
    if files is None:
        raise RuntimeUnavailable(
            f"{runtime} has one set of files for every precision: leave it out"
        )
    if _is_there(files, store, name) and not any(
        check.problem for check in _checks(files, store, name)
    ):
        return False
    progress.begin(f"preparing for {runtime}", len(Stage))
    done = 0

    def told(_stage: str) -> None:
        nonlocal done
        done += 1
        progress.reach(done)

    try:
        files.prepare(store.directory(name), told)
    except WeightsError as error:
        raise WeightsError(
            f"{error}\nThe weights {name} themselves are in place; the runtime native can use them"
        ) from error
    return True


def check_runtime_files(store: WeightStore, name: str) -> list[FileCheck]:
    """Hash every file that was prepared from ``name`` and compare it with its record.

    What was never prepared is no problem.
    """
    return [
        check
        for runtime in PREPARABLE
        for files in _files_of(runtime)
        if _is_there(files, store, name)
        for check in _checks(files, store, name)
    ]


def _files_of(runtime: RuntimeName) -> tuple[PreparedFiles, ...]:
    from vtbridge.render.runtimes.prepared import ONNX_F16_FILES, ONNX_FILES, OPENVINO_FILES

    match runtime:
        case RuntimeName.OPENVINO:
            return (OPENVINO_FILES,)
        case RuntimeName.ONNXRUNTIME:
            return (ONNX_FILES, ONNX_F16_FILES)
        case _:
            raise ValueError(f"{runtime} loads the weights themselves")


def _is_there(files: PreparedFiles, store: WeightStore, name: str) -> bool:
    from vtbridge.render.runtimes.prepared import RECORD

    return (store.directory(name) / files.folder / RECORD).exists()


def _checks(files: PreparedFiles, store: WeightStore, name: str) -> list[FileCheck]:
    folder = store.directory(name) / files.folder
    remedy = files.remedy.format(name)
    if problem := files.problem(store, name):
        return [FileCheck(name, folder, problem, remedy)]
    return [
        FileCheck(name, path, problem, remedy if problem else "")
        for path, sha256 in files.hashes(store, name)
        for problem in [_problem(path, sha256)]
    ]


def _problem(path: Path, sha256: str) -> str:
    try:
        right = sha256_of(path) == sha256
    except OSError as error:
        return f"{path} cannot be read ({error})"
    return "" if right else f"{path} is damaged, its sha256 is not the recorded one"
