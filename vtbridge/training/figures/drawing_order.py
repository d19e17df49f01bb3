"""In which order the triangles of a figure are drawn, in as few calls as look the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from vtbridge.training.figures.figure import Material

_LEAST_ALPHA = 0.5 / 255.0


@dataclass(frozen=True, slots=True)
class Run:
    """Triangles that are drawn in one call.

    Attributes:
        look: of all of them; ``first`` and ``count`` say which.
        cutoff: alpha below which nothing is drawn, also not into the depth.
        opaque: whether all that is left is drawn without blending.
    """

    look: Material
    cutoff: float
    opaque: bool


def drawing_order(materials: Sequence[Material]) -> tuple[Run, ...]:
    """Return what is drawn, first to last.

    The order is the file's, as its author saw it in MMD: what blends over what is decided by
    it, and not by what is opaque. Materials that nobody sees are left out.
    """
    merged: list[Material] = []
    for material in materials:
        if material.color[3] <= _LEAST_ALPHA or not material.count:
            continue
        if merged and _continues(merged[-1], material):
            merged[-1] = replace(merged[-1], count=merged[-1].count + material.count)
        else:
            merged.append(material)
    return tuple(
        Run(look, max(look.cutoff, _LEAST_ALPHA), opaque=look.cutoff > 0.0) for look in merged
    )


def _continues(before: Material, material: Material) -> bool:
    """Return whether one call draws both."""
    same = replace(material, name=before.name, first=before.first, count=before.count)
    follows = before.first + before.count == material.first
    return follows and astuple(same) == astuple(before)
