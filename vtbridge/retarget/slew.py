"""The last word on smoothness: no parameter ever moves faster than it may.

The bound is on what is shown: a target may go as far from one shown pose to the next as the
time between them allows, and it begins to with the very face that brought it.
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
        self._lid_speeds: tuple[float, ...] = ()
        if smoothing is not None:
            self._speed = np.empty(schema.size)
            for group, members in schema.groups.items():
                self._speed[members] = getattr(smoothing, group.value).max_speed
            self._lid_speeds = tuple(self._speed.item(eye[0]) for eye in schema.eyes)
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
        self._t_ns = now_ns
        if target is self._value:
            return target
        reach = self._speed * elapsed_s
        way = target - self._value
        if not np.count_nonzero(np.abs(way) > reach):  # a third of what any() takes
            self._value = target
            return target
        step = np.minimum(np.maximum(way, -reach), reach)
        for eye, speed in zip(self._eyes, self._lid_speeds, strict=True):
            longest = max([abs(way.item(lid)) for lid in eye])
            limit = speed * elapsed_s
            if longest > limit:
                for lid in eye:
                    step[lid] = way.item(lid) * (limit / longest)
        self._value = self._value + step
        return self._value
