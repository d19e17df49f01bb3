"""A benchmark's JSON: its shape is kept, so that programs may rely on it.

::

    machine, versions, frames, poses, character
    baseline            whose frames all others are compared with
    quality.<level>     exact, balanced, fast, and baked for a prepared character: see ``row``
    runtimes.<name>     every runtime, exact, on the CPU
    others.<name>       the reference, and the plain networks in ONNX Runtime
    live                what the display gets, None if not measured
    promises            [{name, wanted, got, unit, kept}]
    tracking            the trackers' side, None if left out

A row that did not run is ``{"ran": false, "reason": ...}``; a number that does not exist, such
as a ratio to what was not compared, is null.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

import vtbridge
from vtbridge.render.benchmark.contenders import LEVELS, PLAIN, REFERENCE, level_name
from vtbridge.render.benchmark.measure import Result

Row = dict[str, Any]


def rows(results: Sequence[Result]) -> dict[str, Any]:
    """Return ``baseline``, ``quality``, ``runtimes``, ``others`` and ``versions`` of a run."""
    by_name = {result.name: result for result in results}
    made = {result.name: row(result, by_name) for result in results}
    levels = {level_name(level): level.value for level in LEVELS}
    others = (REFERENCE, PLAIN)
    return {
        "versions": _versions(results),
        "baseline": next((result.name for result in results if result.ran), None),
        "quality": {levels[name]: made[name] for name in made if name in levels},
        "runtimes": {name: made[name] for name in made if name not in (*levels, *others)},
        "others": {name: made[name] for name in others if name in made},
    }


def row(result: Result, by_name: dict[str, Result]) -> Row:
    """Return what one contender needed: numbers rounded, milliseconds, MB and decibels."""
    if not result.ran:
        return {"ran": False, "reason": result.problem or "it rendered nothing"}
    likenesses = result.likenesses
    return {
        "ran": True,
        "description": result.description,
        "fps": round(1000 / result.ms, 2),
        "ms": round(result.ms, 2),
        "p50_ms": round(result.percentile_ms(50), 2),
        "p99_ms": round(result.percentile_ms(99), 2),
        "cpu_ms": round(result.cpu_ms, 2),
        "stages_ms": {name: round(ms, 2) for name, ms in result.stages_ms().items()},
        "stage_rates": {name: round(rate, 3) for name, rate in result.stage_rates().items()},
        "box_psnr_db": _rounded([each.psnr_db for each in likenesses], 2),
        "worst_psnr_db": _rounded([min(each.psnr_db for each in likenesses)], 2)
        if likenesses
        else None,
        "ssim": _rounded([each.ssim for each in likenesses], 5),
        "ratio_to_reference": _ratio(result, by_name.get(REFERENCE)),
        "ratio_to_onnxruntime": _ratio(result, by_name.get(PLAIN)),
        "rss_mb": round(result.rss_mb, 1),
        "startup_s": None if result.startup_s is None else round(result.startup_s, 3),
        "needless_torch": any(turn.torch for turn in result.turns)
        and not result.description.startswith("pytorch"),
        "hit_rates": {region: round(rate, 3) for region, rate in result.hit_rates().items()},
    }


def _ratio(result: Result, other: Result | None) -> float | None:
    """Return how many times faster ``result`` is than ``other``."""
    return round(other.ms / result.ms, 3) if other is not None and other.ran else None


def _rounded(numbers: Sequence[float], digits: int) -> float | None:
    return round(float(np.mean(numbers)), digits) if len(numbers) else None


def _versions(results: Sequence[Result]) -> dict[str, str]:
    versions = {
        "vtbridge": vtbridge.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    for result in results:
        versions |= result.versions
    return versions
