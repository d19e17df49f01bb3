"""Look at one model: what it offers, and a row of pictures of it.

Both are kept as ``NAME.json`` and ``NAME.png``, so that a scan that was interrupted goes on, and
the next one looks only at what has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from vtbridge import __version__
from vtbridge.atomic_file import write_atomically
from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.framing import head_box
from vtbridge.training.figures.read import SUFFIXES, read_figure
from vtbridge.training.scan.contact_sheet import row_of
from vtbridge.training.scan.report import FigureReport, readable, report_on
from vtbridge.training.sources.figures import FigureSubject, work_of


@dataclass(frozen=True, slots=True)
class Task:
    """One model to look at.

    Attributes:
        name: of the model.
        path: its file.
        folder: that is scanned.
        annotation: what a person says of it.
        beside: tells whether something has changed that lies beside it, see ``Surroundings``.
        cards: folder of what is kept.
        draw: whether pictures are wanted.
    """

    name: str
    path: Path
    folder: Path
    annotation: Annotation
    beside: str
    cards: Path
    draw: bool


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model.

    Attributes:
        report: what it offers.
        new: False if an earlier scan had looked at it.
    """

    report: FigureReport
    new: bool


MakeCard = Callable[[Task], Card]


class Surroundings:
    """What lies beside models: textures, and texts that tell their terms.

    Args:
        out: is left out, because a scan writes there.
    """

    def __init__(self, out: Path) -> None:
        self._out = out.absolute()
        self._known: dict[tuple[Path, bool], str] = {}

    def of(self, model: Path) -> str:
        """Return what changes when a file that ``model`` may use does, hexadecimal."""
        # A VRM holds its textures.
        key = model.parent, model.suffix.lower() != ".vrm"
        if key not in self._known:
            self._known[key] = self._digest(*key)
        return self._known[key]

    def _digest(self, parent: Path, textures: bool) -> str:
        digest = hashlib.sha256()
        for place, folders, files in os.walk(parent):
            folders[:] = sorted(
                name for name in folders if textures and Path(place, name).absolute() != self._out
            )
            for name in sorted(files):
                low = name.lower()
                if low.endswith(SUFFIXES) or not (textures or low.endswith(".txt")):
                    continue
                path = Path(place, name)
                # One that goes meanwhile is as good as gone before.
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    digest.update(os.fsencode(path.relative_to(parent)))
                    digest.update(f"\0{stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def make_card(task: Task) -> Card:
    """Return what is known of a model; look at it if it has changed, and keep what is seen.

    One that cannot be read says why; so does one that cannot be drawn.

    Raises:
        DatasetError: what is seen cannot be kept.
    """
    known = _unread(task)
    if task.path.exists() and not task.path.is_file():
        return Card(known.model_copy(update={"error": "it is no file"}), new=True)
    try:
        content = _sha256(task.path)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror}): look at its rights"
        return Card(known.model_copy(update={"error": reason}), new=True)
    known = known.model_copy(update={"content": content, "digest": _digest(task, content)})
    kept = _kept(task)
    if kept is not None and kept.digest == known.digest and not _lacks_pictures(task, kept):
        return Card(kept, new=False)
    report, picture, final = _looked_at(task, known)
    if final:
        _keep(task, report, picture)
    return Card(report, new=True)


def file_of(model: Path, folder: Path) -> str:
    """Return the path of a model below ``folder`` as text."""
    return readable(model.relative_to(folder).as_posix())


def picture_of(cards: Path, name: str) -> Path:
    """Return where the row of pictures of a model is, if there is one."""
    return cards / f"{name}.png"


def lost_card(task: Task) -> Card:
    """Return the card of a model that ends the process that looks at it."""
    reason = "the process that looked at it was killed: it is damaged, or memory ran out"
    return Card(_unread(task).model_copy(update={"error": reason}), new=True)


def _unread(task: Task) -> FigureReport:
    return FigureReport(
        name=task.name,
        file=file_of(task.path, task.folder),
        digest="",
        content="",
        format=task.path.suffix.lower().removeprefix("."),
    )


def _looked_at(task: Task, known: FigureReport) -> tuple[FigureReport, bytes | None, bool]:
    """Return the report, the pictures if it can be drawn, and whether it is worth keeping."""
    try:
        figure = read_figure(task.path)
        binding = bind(figure, task.annotation)
        box = head_box(figure, binding, task.annotation)
        report = report_on(known, figure, binding, box)
    except DatasetError as error:
        return known.model_copy(update={"error": _reason(task, error)}), None, True
    # Thousands of other models must not be lost to one that nobody foresaw.
    except Exception as error:  # noqa: BLE001
        reason = readable(f"{type(error).__name__}: {error}")
        return known.model_copy(update={"error": reason}), None, False
    if not task.draw:
        return report, None, True
    try:
        work = work_of(task.path, task.folder)
        subject = FigureSubject(task.name, work, figure, task.annotation)
        try:
            return report, row_of(subject), True
        finally:
            subject.close()
    except DatasetError as error:
        reason = _reason(task, error)
    except Exception as error:  # noqa: BLE001
        reason = readable(f"{type(error).__name__}: {error}")
    return report.model_copy(update={"undrawn": reason}), None, True


def _reason(task: Task, error: DatasetError) -> str:
    return readable(str(error).removeprefix(f"{task.path}: "))


def _digest(task: Task, content: str) -> str:
    told = "\n".join((__version__, content, task.beside, task.annotation.corrections))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def _kept(task: Task) -> FigureReport | None:
    """Return what an earlier scan kept; what cannot be read is as good as none."""
    try:
        return FigureReport.model_validate_json(_report_path(task).read_bytes())
    except (OSError, ValidationError):
        return None


def _lacks_pictures(task: Task, kept: FigureReport) -> bool:
    return task.draw and not kept.error and not picture_of(task.cards, task.name).exists()


def _keep(task: Task, report: FigureReport, picture: bytes | None) -> None:
    path = picture_of(task.cards, task.name)
    try:
        if picture is None:
            path.unlink(missing_ok=True)  # it shows what was
        else:
            write_atomically(path, picture)
        # The report comes last: it says that both belong together.
        write_atomically(_report_path(task), (report.model_dump_json() + "\n").encode())
    except OSError as error:
        raise DatasetError(
            f"{task.cards} cannot be written ({error.strerror}): the same command goes on where "
            "it was when that is mended"
        ) from error


def _report_path(task: Task) -> Path:
    return task.cards / f"{task.name}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
