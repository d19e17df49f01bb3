"""The last word on smoothness: no parameter ever moves faster than it may.

A target that stands still is approached on a straight line at constant speed, so where the
value is at a moment does not depend on how often it was asked for on the way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.pose_schema import PoseSchema
from vtbridge.retarget.settings import SmoothingSettings

F64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class SlewLimit:
    """Follow targets with bounded speed.

    The lids of one eye keep their proportions: they move together along a line, so that the
    eye is never more than closed on the way from one kind of closed to another.

    Args:
        schema: the parameters.
        smoothing: where the speeds of their groups come from; None = no limit.
    """

    def __init__(self, schema: PoseSchema, smoothing: SmoothingSettings | None) -> None:
        self._eyes = schema.eyes
        self._speed: F64Array | None = None
        if smoothing is not None:
            self._speed = np.empty(schema.size)
            for group, members in schema.groups.items():
                self._speed[members] = getattr(smoothing, group.value).max_speed
        self._value: F64Array | None = None
        self._t_ns = 0

    @property
    def value(self) -> F64Array | None:
        """Where the newest step led, None before the first; never written to again."""
        return self._value

    def inherit(self, older: SlewLimit) -> None:
        """Go on where ``older``, of the same schema, stands."""
        self._value, self._t_ns = older._value, older._t_ns

    def release(self, target: F64Array, free: BoolArray) -> None:
        """Put the elements that are ``free``, bool [n], at ``target``: nobody saw them."""
        if self._value is not None:
            self._value = np.where(free, target, self._value)

    def toward(self, target: F64Array, now_ns: int) -> F64Array:
        """Return the value at ``now_ns`` on its way to ``target``, finite [n].

        The first call, and every call without a limit, arrives at once. Time that does not
        advance moves nothing.
        """
        if self._value is None or self._speed is None:
            self._value, self._t_ns = target, now_ns
            return target
        elapsed_s = (now_ns - self._t_ns) / NS_PER_S
        if elapsed_s <= 0.0:
            return self._value
        reach = self._speed * elapsed_s
        way = target - self._value
        step = np.minimum(np.maximum(way, -reach), reach)
        for eye in self._eyes:
            longest = max(abs(way.item(lid)) for lid in eye)
            limit = reach.item(eye[0])
            if longest > limit:
                for lid in eye:
                    step[lid] = way.item(lid) * (limit / longest)
        self._value, self._t_ns = self._value + step, now_ns
        return self._value
