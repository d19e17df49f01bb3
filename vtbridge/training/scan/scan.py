"""Read every model of a folder once, and keep what a person says of them."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation, read_annotations, write_annotations
from vtbridge.training.scan.report import FigureReport, report_on
from vtbridge.training.sources.figures import FigureSource

REPORT_FILE = "scan.json"
ANNOTATION_FILE = "annotations.json"

_REPORTS = TypeAdapter(list[FigureReport])
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found.

    Attributes:
        reports: one a model, in the order of their names.
        annotations: of all models that are there, and of those that were.
        vanished: names of annotated models that are not there any more; their lines are kept.
        reread: how many had to be read; the others were known from an earlier scan.
    """

    reports: tuple[FigureReport, ...]
    annotations: Mapping[str, Annotation]
    vanished: tuple[str, ...]
    reread: int


def scan(folder: Path, out: Path, annotations: Path, processes: int, told: Told) -> Scanned:
    """Read what is new or has changed below ``folder``, and write report and annotations.

    Args:
        folder: of the models.
        out: gets ``scan.json``.
        annotations: the file of corrections; models that it does not have are added.
        processes: how many read at once.
        told: hears how many models are done, and of how many.

    Raises:
        DatasetError: the folder is none, or the annotation file is damaged.
        OSError: something cannot be written.
    """
    said = read_annotations(annotations) if annotations.exists() else {}
    files = FigureSource(folder).files
    out.mkdir(parents=True, exist_ok=True)
    known = _known(out / REPORT_FILE)
    reports: dict[str, FigureReport] = {}
    asked = []
    for name, path in files.items():
        digest = _digest(path, said.get(name))
        if name in known and known[name].digest == digest:
            reports[name] = known[name]
        else:
            asked.append((path, folder, name, digest, said.get(name)))
    told(len(reports), len(files))
    for report in _read(asked, processes):
        reports[report.name] = report
        told(len(reports), len(files))
    ordered = tuple(reports[name] for name in sorted(reports))
    write_atomically(out / REPORT_FILE, _REPORTS.dump_json(list(ordered), indent=1) + b"\n")
    merged = {**{name: Annotation() for name in files}, **said}
    annotations.parent.mkdir(parents=True, exist_ok=True)
    write_annotations(annotations, merged)
    return Scanned(ordered, merged, tuple(sorted(said.keys() - files.keys())), len(asked))


_Asked = tuple[Path, Path, str, str, Annotation | None]


def _read(asked: list[_Asked], processes: int) -> Iterator[FigureReport]:
    """Yield reports as they are ready; few models are read in this process."""
    if processes < 2 or len(asked) < 2 * processes:
        for each in asked:
            yield report_on(*each)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for future in as_completed([pool.submit(report_on, *each) for each in asked]):
            yield future.result()


def _known(path: Path) -> dict[str, FigureReport]:
    """Return the reports of an earlier scan; one that cannot be read is made anew."""
    try:
        return {report.name: report for report in _REPORTS.validate_json(path.read_bytes())}
    except (OSError, ValidationError):
        return {}


def _digest(path: Path, annotation: Annotation | None) -> str:
    digest = hashlib.sha256(repr(annotation or Annotation()).encode())
    try:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}): look at its rights"
        ) from error
    return digest.hexdigest()
