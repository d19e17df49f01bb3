"""One-Euro filter over a whole pose: calm at rest, quick in motion, driven by sample time.

Source: Casiez, Roussel, Vogel: 1 Euro Filter, CHI 2012. Each value has a first-order
low-pass whose cut-off grows with the value's own speed:
``cutoff = min_cutoff + beta * |speed|``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.pose_schema import PoseSchema
from vtbridge.retarget.settings import FilterSettings, SmoothingSettings

F64Array = NDArray[np.float64]

RESTART_AFTER_S = 1.0
"""A gap this long says nothing about how the face moved; the filter starts anew."""


class OneEuroFilter:
    """Filter vectors whose elements each have their own strength.

    Args:
        min_cutoff_hz: [n], cut-off at rest, > 0.
        beta: [n], Hz of cut-off per unit and second of speed, >= 0.
        speed_cutoff_hz: [n], cut-off of the speed estimate, > 0.
    """

    def __init__(self, min_cutoff_hz: F64Array, beta: F64Array, speed_cutoff_hz: F64Array) -> None:
        # Both in radians a second, so that each face needs no factor for them.
        self._min_cutoff = math.tau * min_cutoff_hz
        self._beta = math.tau * beta
        self._speed_tau_s = 1.0 / (math.tau * speed_cutoff_hz)
        self._value: F64Array | None = None
        self._speed: F64Array = np.zeros_like(min_cutoff_hz)
        self._t_ns = 0

    @property
    def value(self) -> F64Array | None:
        """The newest filtered vector, None before the first; never written to again."""
        return self._value

    def reset(self) -> None:
        """Forget everything; the next vector passes unchanged."""
        self._value = None

    def inherit(self, older: OneEuroFilter) -> None:
        """Go on where ``older``, a filter of the same size, stands."""
        self._value, self._speed, self._t_ns = older._value, older._speed, older._t_ns

    def filter(
        self, sample: F64Array, t_ns: int, *, fresh: NDArray[np.bool_] | None = None
    ) -> F64Array:
        """Return the filtered vector after ``sample``, finite [n], taken at ``t_ns``.

        A sample that is not newer than the last changes nothing. After a gap of more than
        ``RESTART_AFTER_S`` the filter starts at the sample; elements that are ``fresh``, bool
        [n], do so now.
        """
        elapsed_s = (t_ns - self._t_ns) / NS_PER_S
        if self._value is None or elapsed_s > RESTART_AFTER_S:
            self._value, self._t_ns = sample.copy(), t_ns
            self._speed = np.zeros_like(self._speed)
            return self._value
        if elapsed_s <= 0:
            return self._value
        change = sample - self._value
        # A low-pass of change / elapsed_s, rearranged so that bursts cannot blow it up.
        self._speed = (self._speed * self._speed_tau_s + change) / (self._speed_tau_s + elapsed_s)
        cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
        self._value = self._value + change / (1.0 + (1.0 / elapsed_s) / cutoff)
        self._t_ns = t_ns
        if fresh is not None:
            self._value = np.where(fresh, sample, self._value)
            self._speed = np.where(fresh, 0.0, self._speed)
        return self._value


def pose_filter(schema: PoseSchema, smoothing: SmoothingSettings | None) -> OneEuroFilter:
    """Return a filter for poses of ``schema``, each parameter with the strength of its group.

    Without ``smoothing`` every sample passes unchanged.
    """
    strengths = np.empty((3, schema.size))
    strengths[:] = [[np.inf], [0.0], [1.0]]
    if smoothing is not None:
        for group, members in schema.groups.items():
            strength: FilterSettings = getattr(smoothing, group.value)
            strengths[:, members] = np.array(
                [[strength.min_cutoff_hz], [strength.beta], [strength.speed_cutoff_hz]]
            )
    return OneEuroFilter(strengths[0], strengths[1], strengths[2])
