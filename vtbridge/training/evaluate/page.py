"""The report as one HTML page with its pictures beside it; it loads nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
from torch import Tensor

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import Picture
from vtbridge.training.evaluate import plots, tables
from vtbridge.training.evaluate.measure import (
    IDENTITY,
    PARAMETERS,
    Lookout,
    Measured,
    chosen,
    look_at_faces,
    look_at_heads,
)
from vtbridge.training.evaluate.networks import TrainedRun
from vtbridge.training.evaluate.pictures import ACTS, GAIN, PictureFolder, acted, framed
from vtbridge.training.learn.batches import ExampleList

PAGE_FILE: Final = "index.html"
REPORT_FILE: Final = "report.json"
_WORST: Final = 4
_COMPARED: Final = 24
_HEAD: Final = 3
"""Columns of ``PARAMETERS`` that turn the head; the others move the face."""

_FILES = resources.files("vtbridge.training.evaluate")

Told = Callable[[str, int, int], None]
Case = dict[str, Any]


def write_page(
    folder: Path,
    report: Mapping[str, Any],
    run: TrainedRun,
    examples: ExampleList,
    measured: Measured,
    drawings: Sequence[Picture],
    told: Told,
) -> None:
    """Write ``index.html``, ``report.json`` and ``pictures/``.

    Args:
        folder: where; it is made.
        report: of ``report_of``.
        run: the networks, to answer again what is shown.
        examples: that ``measured`` is of.
        measured: marks of the answers.
        drawings: characters without truth, to look at.
        told: hears how many pictures' rows are done.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    kept = PictureFolder(folder)
    size = len(examples[measured.examples[0]].rest)
    parts = [tables.head(report), *_plots(measured), _worst(run, examples, measured, kept, told)]
    shown, cases = _drawings(run, drawings, size, kept)
    cases = [*_test_cases(run, examples, measured, kept, told), *cases]
    parts += [shown, _compare(report, cases)]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report['run'])}: evaluation</title><style>{_text('page.css')}</style>"
        f"</head><body><main>{''.join(parts)}</main></body></html>\n"
    )
    write_atomically(folder / REPORT_FILE, (json.dumps(report, indent=1) + "\n").encode())
    write_atomically(folder / PAGE_FILE, page.encode())


def _text(name: str) -> str:
    return (_FILES / name).read_text("utf-8")


def _plots(measured: Measured) -> Iterator[str]:
    """Yield the plots of heads over head values, and of faces over face values."""
    yield "<h2>PSNR over the pose</h2>"
    kinds = ((measured.morpher, range(_HEAD, len(PARAMETERS)), 0.0, "Face morpher"),
             (measured.head, range(_HEAD), -1.0, "Head"))  # fmt: skip
    for rows, columns, low, title in kinds:
        if rows:
            psnr_db = {name: marks["psnr_db"] for name, marks in rows.items()}
            drawn = (
                plots.plot(PARAMETERS[c], measured.poses[:, c], psnr_db, low=low) for c in columns
            )
            yield f'<h3>{title}</h3><div class="plots">{"".join(drawn)}</div>'
            yield plots.legend(list(psnr_db))


def _worst(
    run: TrainedRun, examples: ExampleList, measured: Measured, kept: PictureFolder, told: Told
) -> str:
    """Return the worst answers of everything that is trained."""
    parts = [f"<h2>Worst answers</h2><p>Differences are shown {GAIN} times as large.</p>"]
    looks = ((measured.morpher, look_at_faces), (measured.head, look_at_heads))
    for rows, look in looks:
        for done, (name, marks) in enumerate(rows.items()):
            if name == IDENTITY:
                continue
            told(f"worst of {name}", done, len(rows))
            order = np.argsort(marks["psnr_db"], kind="stable")[:_WORST].tolist()
            lines = []
            for place in order:
                looked = look(run, [examples[measured.examples[place]]])
                if looked is not None:
                    label = f"{measured.subjects[place]}, {marks['psnr_db'][place]:.1f} dB"
                    lines.append((label, _pose(measured, place), *_four(looked, name, kept)))
            parts.append(tables.worst(name, lines))
    return "".join(parts)


def _four(looked: Lookout, name: str, kept: PictureFolder) -> tuple[str, str, str, str]:
    """Return the paths of source, truth, result and difference."""
    picture, truth = looked.answers[name].picture[0], looked.truth[0]
    return (
        kept.keep(looked.shown[0]),
        kept.keep(truth),
        kept.keep(picture),
        kept.keep_difference(picture, truth),
    )


def _pose(measured: Measured, place: int) -> str:
    values = zip(PARAMETERS, measured.poses[place].tolist(), strict=True)
    return ", ".join(f"{name}\u00a0{value:.2f}" for name, value in values)


def _test_cases(
    run: TrainedRun, examples: ExampleList, measured: Measured, kept: PictureFolder, told: Told
) -> Iterator[Case]:
    """Yield what can be compared of the examples, spread over all of them."""
    places = chosen(len(measured.examples), _COMPARED) if len(measured.head) > 2 else ()
    for done, place in enumerate(places):
        told("comparison", done + 1, len(places))
        looked = look_at_heads(run, [examples[measured.examples[place]]])
        if looked is not None:
            pictures = {name: answer.picture[0] for name, answer in looked.answers.items()}
            yield _case(f"{measured.subjects[place]} {place}", "", looked.shown[0], pictures, kept)


def _drawings(
    run: TrainedRun, drawings: Sequence[Picture], size: int, kept: PictureFolder
) -> tuple[str, list[Case]]:
    """Return the drawings in all acts, and what can be compared of them."""
    parts, cases = [], []
    for drawing in drawings:
        rest = framed(drawing, size)
        acts: dict[str, Mapping[str, str]] = {}
        source = kept.keep(rest[0])
        for act in ACTS:
            made = acted(run, rest, act, mouth=0.0)
            paths = {name: kept.keep(picture) for name, picture in made.items()}
            acts[act] = paths
            if len(paths) > 1:
                case = {"name": f"{drawing.name} {act}", "act": act, "source": source}
                cases.append(case | {"pictures": paths})
        parts.append(tables.drawing(drawing.name, drawing.credit, source, acts))
    return ("<h2>Drawings</h2>" + "".join(parts) if parts else ""), cases


def _case(
    name: str, act: str, source: Tensor, pictures: Mapping[str, Tensor], kept: PictureFolder
) -> Case:
    paths = {each: kept.keep(picture) for each, picture in pictures.items()}
    return {"name": name, "act": act, "source": kept.keep(source), "pictures": paths}


def _compare(report: Mapping[str, Any], cases: Sequence[Case]) -> str:
    """Return the blind comparison, or why there is none."""
    if not cases:
        return "<h2>Blind comparison</h2><p>It takes two configurations that are trained.</p>"
    names = sorted({name for case in cases for name in case["pictures"]})
    options = "".join(f"<option>{escape(name)}</option>" for name in names)
    told = {"id": f"{report['run']}-{report['data']['digest'][:12]}", "cases": list(cases)}
    # ``</script>`` in a character's name must not end the script.
    data = json.dumps(told).replace("<", "\\u003c")
    return (
        Template(_text("compare.html")).substitute(options=options)
        + f'<script type="application/json" id="cases">{data}</script>'
        + f"<script>{_text('compare.js')}</script>"
    )
