"""Look at every model of a folder once, and keep what a person says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation, read_annotations, write_annotations
from vtbridge.training.figures.read import SUFFIXES
from vtbridge.training.scan.card import Card, Surroundings, Task, file_of
from vtbridge.training.scan.report import FigureReport
from vtbridge.training.sources.figures import FigureSource

REPORT_FILE = "scan.json"
ANNOTATION_FILE = "annotations.json"
CARDS_FOLDER = "cards"

MakeCards = Callable[[Sequence[Task]], Iterator[Card]]
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found.

    Attributes:
        reports: one a model, in the order of their names.
        annotations: of all models that are there, and of those that were.
        copies: models whose file is the same as one before them, with the name of that.
        vanished: names of annotated models that are not there any more; their lines are kept.
        new: how many had to be looked at; the others were known from an earlier scan.
    """

    reports: tuple[FigureReport, ...]
    annotations: Mapping[str, Annotation]
    copies: Mapping[str, str]
    vanished: tuple[str, ...]
    new: int


def scan(
    folder: Path, out: Path, annotations: Path, make: MakeCards, told: Told, *, draw: bool
) -> Scanned:
    """Look at what is new or has changed below ``folder``, and write report and annotations.

    It may be interrupted at any time; the next one goes on where it was.

    Args:
        folder: of the models.
        out: gets ``scan.json``, and ``cards/`` with what is known of each model.
        annotations: the file of corrections; models that it does not have are added.
        make: looks at models.
        told: hears how many models are done, and of how many.
        draw: whether pictures of them are wanted.

    Raises:
        DatasetError: the folder is none or holds no model, the annotation file is damaged, or
            something cannot be written.
    """
    said = _said(annotations)
    files = FigureSource(folder).files
    if not files:
        raise DatasetError(
            f"{folder} holds no model ({', '.join(SUFFIXES)}): unpack archives, and name the "
            "folder that has what was in them"
        )
    cards = out / CARDS_FOLDER
    _make_folders(cards, annotations.parent)
    surroundings = Surroundings(out)
    tasks = [
        Task(
            name=name,
            path=path,
            folder=folder,
            annotation=said.get(name, Annotation()),
            beside=surroundings.of(path),
            cards=cards,
            draw=draw,
        )
        for name, path in files.items()
    ]
    told(0, len(tasks))
    made: list[Card] = []
    for card in make(tasks):
        made.append(card)
        told(len(made), len(tasks))
    reports = tuple(sorted((card.report for card in made), key=lambda report: report.name))
    copies = _copies(reports)
    # Read anew: a person may have corrected something while models were looked at.
    said = _said(annotations)
    merged = _merged(said, {name: file_of(path, folder) for name, path in files.items()})
    try:
        _write_report(out / REPORT_FILE, reports, copies)
        if merged != said or not annotations.exists():
            write_annotations(annotations, merged)
    except OSError as error:
        raise DatasetError(f"the scan cannot be written ({error.strerror}): {out}") from error
    return Scanned(
        reports=reports,
        annotations=merged,
        copies=copies,
        vanished=tuple(sorted(said.keys() - files.keys())),
        new=sum(card.new for card in made),
    )


def _said(annotations: Path) -> dict[str, Annotation]:
    return read_annotations(annotations) if annotations.exists() else {}


def _make_folders(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(
                f"{folder} cannot be made ({error.strerror}): choose another one with -o"
            ) from error


def _copies(reports: Sequence[FigureReport]) -> dict[str, str]:
    """Return which models are others once more: a split could have one on both sides."""
    first: dict[str, str] = {}
    copies = {}
    for report in reports:
        if report.content and first.setdefault(report.content, report.name) != report.name:
            copies[report.name] = first[report.content]
    return copies


def _merged(said: Mapping[str, Annotation], files: Mapping[str, str]) -> dict[str, Annotation]:
    """Return what was said, with new models added and vanished ones marked."""
    merged = {
        name: replace(said.get(name, Annotation()), file=file, vanished=False)
        for name, file in files.items()
    }
    gone = said.keys() - files.keys()
    return merged | {name: replace(said[name], vanished=True) for name in gone}


def _write_report(path: Path, reports: Sequence[FigureReport], copies: Mapping[str, str]) -> None:
    told: list[dict[str, Any]] = [
        report.model_dump(mode="json")
        | {"usable": report.usable, "copy_of": copies.get(report.name, "")}
        for report in reports
    ]
    text = json.dumps(told, indent=1, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())
