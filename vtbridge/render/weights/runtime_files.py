"""The files OpenVINO loads instead of the safetensors: prepare them, and check them.

OpenVINO is imported inside the functions, so that listing weights stays fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.record import sha256_of
from vtbridge.render.weights.store import FileCheck, WeightStore


def prepare_runtimes(store: WeightStore, name: str, progress: Progress = SILENT) -> bool:
    """Make OpenVINO's files of ``name`` unless they are there, whole and up to date.

    Returns:
        True if they were made now.

    Raises:
        WeightsError: that failed; the weights themselves are in place.
    """
    if not any(check.problem for check in check_runtime_files(store, name)):
        return False
    from vtbridge.render.models.signatures import Stage
    from vtbridge.render.runtimes.openvino import export

    progress.begin("preparing for OpenVINO", len(Stage))
    done = 0

    def told(_stage: str) -> None:
        nonlocal done
        done += 1
        progress.reach(done)

    try:
        export(store.directory(name), told)
    except WeightsError as error:
        raise WeightsError(
            f"{error}\nThe weights {name} themselves are in place: run "
            f"`vtbridge weights pull {name}` again, or set runtime to pytorch"
        ) from error
    return True


def check_runtime_files(store: WeightStore, name: str) -> list[FileCheck]:
    """Hash every file that was prepared from ``name`` and compare it with its record."""
    from vtbridge.render.runtimes.openvino import EXPORT_FOLDER, export_problem

    folder = store.directory(name) / EXPORT_FOLDER
    remedy = f"vtbridge weights pull {name}"
    if problem := export_problem(store, name):
        return [FileCheck(name, folder, problem, remedy)]
    return [
        FileCheck(name, path, problem, remedy if problem else "")
        for path, sha256 in _recorded_hashes(folder)
        for problem in [_problem(path, sha256)]
    ]


def _recorded_hashes(folder: Path) -> Iterator[tuple[Path, str]]:
    from vtbridge.render.runtimes.openvino import EXPORT_RECORD, ExportRecord, ir_paths

    record = ExportRecord.model_validate_json((folder / EXPORT_RECORD).read_bytes())
    for stage, hashes in record.stages.items():
        graph, constants = ir_paths(folder, stage)
        yield graph, hashes.xml_sha256
        yield constants, hashes.bin_sha256


def _problem(path: Path, sha256: str) -> str:
    try:
        right = sha256_of(path) == sha256
    except OSError as error:
        return f"{path} cannot be read ({error})"
    return "" if right else f"{path} is damaged, its sha256 is not the recorded one"
