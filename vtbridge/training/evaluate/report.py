"""The report of an evaluation: a page with tables, plots and pictures, and the same as JSON.

``report.json``: ``run`` and ``data`` (where, digests, how many examples), ``networks`` (what each
file says of itself), ``morpher`` and ``heads`` (``size``, ``examples``, ``means`` by contender and
metric, ``gain_db`` over the identity, ``missing``), ``strayed`` (share of a value's change outside
its part), ``paper`` (the write-up's table). Numbers that do not exist are null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from vtbridge.atomic_file import write_atomically
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.evaluate.contenders import IDENTITY, RunNetworks
from vtbridge.training.evaluate.drawings import Compared, Posed
from vtbridge.training.evaluate.measure import Findings
from vtbridge.training.evaluate.metrics import METRICS
from vtbridge.training.evaluate.pictures import Sheets
from vtbridge.training.evaluate.plots import COLOURS, error_by

PAPER: Final[Mapping[str, tuple[float, float]]] = {
    "PU-L1": (0.010311, 0.837049),
    "PU-P": (0.009831, 0.837744),
    "ZH-L1": (0.010657, 0.841081),
    "ZH-P": (0.010326, 0.844812),
    "FU-L1-L1": (0.010080, 0.851760),
    "FU-L1-P": (0.009982, 0.850675),
    "FU-P-L1": (0.009870, 0.854050),
    "FU-P-P": (0.009789, 0.852795),
}
"""The write-up's table of version 1: what it calls RMSE, and SSIM; 10 000 poses of MMD models."""

PAGE_FILE, DATA_FILE = "report.html", "report.json"
_HEAD_VALUES = ("head_x", "head_y", "neck_z")
_FACE_VALUES = ("left_eye", "right_eye", "mouth")


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that was found out.

    Attributes:
        run: the networks.
        run_folder: where they are.
        data_digest: of the data set.
        split: which side was looked at.
        subjects: how many characters are on it.
        morpher: what was seen of the morpher.
        heads: what was seen of rotators and combiners.
        strayed: share of each value's change that lies outside its part.
        drawings: real ones in several poses, by name.
        compared: the same, turned by each configuration.
    """

    run: RunNetworks
    run_folder: Path
    data_digest: str
    split: str
    subjects: int
    morpher: Findings | None
    heads: Findings | None
    strayed: Mapping[str, float]
    drawings: Mapping[str, list[Posed]]
    compared: Mapping[str, list[Compared]]


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the report as plain data; see the module."""
    return {
        "run": str(evaluation.run_folder),
        "data": {
            "digest": evaluation.data_digest,
            "split": evaluation.split,
            "subjects": evaluation.subjects,
        },
        "networks": {stage.value: about for stage, about in evaluation.run.about.items()},
        "morpher": _findings(evaluation.morpher),
        "heads": _findings(evaluation.heads),
        "strayed": dict(evaluation.strayed),
        "paper": {name: {"rmse": a, "ssim": b} for name, (a, b) in PAPER.items()},
    }


def write_report(folder: Path, evaluation: Evaluation, examples: Examples) -> Path:
    """Write page, data and pictures into ``folder`` and return the page's path."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    folder.mkdir(parents=True, exist_ok=True)
    sheets = Sheets(folder / "pictures", evaluation.run, examples)
    data = as_json(evaluation)
    environment = Environment(
        loader=PackageLoader("vtbridge.training.evaluate", "page"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(
        data=data,
        metrics=METRICS,
        paper=PAPER,
        colours=COLOURS,
        identity=IDENTITY,
        number=_number,
        plots=_plots(evaluation),
        worst_faces=sheets.worst(evaluation.morpher, faces=True),
        worst_heads=sheets.worst(evaluation.heads, faces=False),
        drawings=sheets.drawings(evaluation.drawings),
        viewer=json.dumps(sheets.comparisons(evaluation.heads, evaluation.compared)),
        style=_text("report.css"),
        script=_text("viewer.js"),
    )
    write_atomically(folder / DATA_FILE, (json.dumps(data, indent=1) + "\n").encode())
    write_atomically(folder / PAGE_FILE, page.encode())
    return folder / PAGE_FILE


def _findings(findings: Findings | None) -> dict[str, Any] | None:
    if findings is None:
        return None
    means = findings.means()
    base = means[IDENTITY]["psnr_db"] if means else math.nan
    return {
        "size": findings.size,
        "examples": len(findings.looks),
        "means": {
            name: {metric: _finite(value) for metric, value in each.items()}
            for name, each in means.items()
        },
        "gain_db": {name: _finite(each["psnr_db"] - base) for name, each in means.items()},
        "missing": list(findings.missing),
    }


def _plots(evaluation: Evaluation) -> dict[str, list[str]]:
    """Return the plots of faces and heads: RMSE by each value of the pose."""
    plots: dict[str, list[str]] = {}
    for kind, findings, labels, low in (
        ("faces", evaluation.morpher, _FACE_VALUES, 0.0),
        ("heads", evaluation.heads, _HEAD_VALUES, -1.0),
    ):
        plots[kind] = []
        if findings is None:
            continue
        errors = {
            name: [look.scores[name].rmse for look in findings.looks] for name in findings.names
        }
        for number, label in enumerate(labels):
            values = [look.pose[number] for look in findings.looks]
            plots[kind].append(error_by(label, values, errors, (low, 1.0)))
    return plots


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _number(value: float | None) -> str:
    """Return a number as a table shows it."""
    if value is None:
        return "–"
    return f"{value:.2f}" if abs(value) >= 1.5 else f"{value:.4f}"


def _text(name: str) -> str:
    return (resources.files("vtbridge.training.evaluate") / "page" / name).read_text("utf-8")
