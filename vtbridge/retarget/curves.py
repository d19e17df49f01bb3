"""Sensitivity: how strongly each part answers to the face."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from vtbridge.retarget.gaze import IrisTarget
from vtbridge.retarget.settings import CurveSettings, SensitivitySettings

_PLAIN = CurveSettings()


def bent(value: float, curve: CurveSettings) -> float:
    """Return ``value`` 0.. after ``curve``: 0 in the dead zone, ``gain`` at ``full_at``, 0..1."""
    moved = (value - curve.dead_zone) / (curve.full_at - curve.dead_zone)
    share: float = min(max(moved, 0.0), 1.0) ** curve.gamma
    return min(share * curve.gain, 1.0)


def bent_both_ways(value: float, curve: CurveSettings | None) -> float:
    """Return ``value`` of either sign after ``curve``, which acts on its size; None = as it is."""
    if curve is None:
        return value
    return math.copysign(bent(abs(value), curve), value)


class Curves:
    """Bend what the face gives, each by the curve of its part; plain curves cost nothing.

    Args:
        sensitivity: the curves.
        names: for each part of ``sensitivity`` the shapes that it bends.
    """

    def __init__(
        self, sensitivity: SensitivitySettings, names: Mapping[str, Iterable[str]]
    ) -> None:
        self._curves: dict[str, CurveSettings] = {}
        for part, shapes in names.items():
            curve: CurveSettings = getattr(sensitivity, part)
            if curve != _PLAIN:
                self._curves |= dict.fromkeys(shapes, curve)
        self.gaze = None if sensitivity.gaze == _PLAIN else sensitivity.gaze
        self.head = None if sensitivity.head == _PLAIN else sensitivity.head

    def shapes(self, shapes: dict[str, float]) -> dict[str, float]:
        """Return ``shapes`` 0..1, each bent by the curve of its part."""
        if not self._curves:
            return shapes
        return {
            name: bent(value, self._curves[name]) if name in self._curves else value
            for name, value in shapes.items()
        }

    def iris(self, iris: IrisTarget) -> IrisTarget:
        """Return ``iris`` bent by the curve of the gaze, each direction by itself."""
        if self.gaze is None:
            return iris
        return IrisTarget(
            bent_both_ways(iris.up, self.gaze), bent_both_ways(iris.own_right, self.gaze)
        )
