"""What an evaluation found, as JSON whose shape stays.

::

    {"format": 1, "vtbridge": "0.9.0", "run": "small",
     "data": {"digest": "...", "split": "test", "examples": 500, "subjects": 62},
     "morpher": {"trained": true, "size": 128, "examples": "112000", "loss": "l1",
                 "identity": METRICS, "metrics": METRICS, "gain_db": 9.1,
                 "rest_psnr_db": 38.1,
                 "regions": {"left_eye": {"outside": 0.03, "strength": 0.95, "characters": 62}}},
     "head": {"size": 128, "identity": METRICS},
     "configurations": [{"name": "PU-L1", "way": "repainted", "stages": ["rotator-l1"],
                         "trained": true, "missing": [], "perceptual": [],
                         "metrics": METRICS, "gain_db": 6.2, "rest_psnr_db": 33.0,
                         "paper": {"rmse": 0.010311, "ssim": 0.837049}}, ...],
     "paper_note": "..."}

METRICS has the keys of ``metrics.summary``; what is not known is null. A configuration whose
stages are not all there has ``"trained": false``, ``missing`` and no numbers. A morpher that is
not trained likewise, and its ``identity`` is null. ``perceptual`` tells what the perceptual
losses among its stages truly were, ``rest_psnr_db`` how true a picture is to itself under a pose
that moves nothing. A new key may come; ``format`` grows when one goes or changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from vtbridge import __version__
from vtbridge.training.dataset.split import Split
from vtbridge.training.evaluate.configurations import CONFIGURATIONS, PAPER, PAPER_NOTE
from vtbridge.training.evaluate.measure import IDENTITY, MORPHER, Marks, Measured
from vtbridge.training.evaluate.metrics import summary
from vtbridge.training.evaluate.networks import TrainedRun
from vtbridge.training.evaluate.regions import Region
from vtbridge.training.learn.recipe import LossName, StageName

FORMAT: Final = 1


def report_of(
    run: TrainedRun,
    measured: Measured,
    regions: Mapping[str, Region],
    at_rest: Mapping[str, float],
    *,
    name: str,
    digest: str,
    split: Split,
) -> dict[str, Any]:
    """Return the report of a run.

    Args:
        run: the networks.
        measured: their marks.
        regions: what the morpher's values move.
        at_rest: PSNR of answers to a pose that moves nothing, by their name, dB.
        name: of the run.
        digest: of the data set.
        split: which side of it was looked at.
    """
    return {
        "format": FORMAT,
        "vtbridge": __version__,
        "run": name,
        "data": {
            "digest": digest,
            "split": split.value,
            "examples": len(measured.examples),
            "subjects": len(set(measured.subjects)),
        },
        "morpher": _morpher(run, measured.morpher, regions, at_rest),
        "head": {
            "size": run.head_size,
            "identity": summary(measured.head[IDENTITY]) if measured.head else None,
        },
        "configurations": _configurations(run, measured.head, at_rest),
        "paper_note": PAPER_NOTE,
    }


def _morpher(
    run: TrainedRun,
    marks: Mapping[str, Marks],
    regions: Mapping[str, Region],
    at_rest: Mapping[str, float],
) -> dict[str, Any]:
    about = run.about.get(StageName.MORPHER, {})
    return {
        "trained": bool(marks),
        "size": run.morpher_size,
        "examples": about.get("examples"),
        "loss": about.get("loss"),
        "identity": summary(marks[IDENTITY]) if marks else None,
        "metrics": summary(marks[MORPHER]) if marks else None,
        "gain_db": _gain_db(marks, MORPHER),
        "rest_psnr_db": at_rest.get(MORPHER),
        "regions": {name: asdict(region) for name, region in regions.items()},
    }


def _configurations(
    run: TrainedRun, marks: Mapping[str, Marks], at_rest: Mapping[str, float]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for each in CONFIGURATIONS:
        missing = [stage.value for stage in each.stages if stage not in run.about]
        rows.append(
            {
                "name": each.name,
                "way": each.way.value,
                "stages": [stage.value for stage in each.stages],
                "trained": not missing,
                "missing": missing,
                "perceptual": [
                    run.about[stage].get("loss", "unknown")
                    for stage in each.stages
                    if stage in run.about and stage.loss is LossName.PERCEPTUAL
                ],
                "metrics": None if missing else summary(marks[each.name]),
                "gain_db": _gain_db(marks, each.name),
                "rest_psnr_db": at_rest.get(each.name),
                "paper": asdict(PAPER[each.name]),
            }
        )
    return rows


def _gain_db(marks: Mapping[str, Marks], name: str) -> float | None:
    """Return by how much the mean PSNR is above that of the picture that is shown."""
    if name not in marks:
        return None
    return float(marks[name]["psnr_db"].mean() - marks[IDENTITY]["psnr_db"].mean())
