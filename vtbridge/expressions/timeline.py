"""Values that change along keyframes: each parameter has a track of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from vtbridge.expressions.easing import Easing, curve_of
from vtbridge.pose_params import PoseParam


@dataclass(frozen=True, slots=True)
class Key:
    """Where some parameters are at one moment.

    Attributes:
        at_s: the moment, seconds from the beginning.
        values: of the parameters that it moves; the others go on to their next key.
        easing: how they come here.
    """

    at_s: float
    values: Mapping[PoseParam, float]
    easing: Easing = Easing.SMOOTH


@dataclass(frozen=True)
class Timeline:
    """Keys in order of time, each at a moment of its own.

    Attributes:
        keys: at least one.
        start: where parameters begin that have no key at 0; absent = at rest.
        length_s: of one turn; at least the last key's moment.
        loop: begin again at the end; each parameter then comes back to where it began.
    """

    keys: tuple[Key, ...]
    start: Mapping[PoseParam, float]
    length_s: float
    loop: bool = False

    @cached_property
    def tracks(self) -> Mapping[int, _Track]:
        """The way of each parameter that any key moves."""
        moved = dict.fromkeys(param for key in self.keys for param in key.values)
        return {int(param): self._track(param) for param in moved}

    def at(self, t_s: float) -> list[tuple[int, float]]:
        """Return each moved parameter's index and value ``t_s`` >= 0 seconds from the beginning."""
        moment = t_s % self.length_s if self.loop else t_s
        return [(param, track.at(moment)) for param, track in self.tracks.items()]

    def _track(self, param: PoseParam) -> _Track:
        keys = [
            (key.at_s, key.values[param], key.easing) for key in self.keys if param in key.values
        ]
        if keys[0][0] > 0.0:
            keys.insert(0, (0.0, self.start.get(param, 0.0), Easing.SMOOTH))
        if self.loop and keys[-1][0] < self.length_s:
            keys.append((self.length_s, keys[0][1], Easing.SMOOTH))
        times, values, easings = zip(*keys, strict=True)
        return _Track(times, values, tuple(curve_of(easing) for easing in easings))


@dataclass(frozen=True, slots=True)
class _Track:
    times: Sequence[float]
    values: Sequence[float]
    curves: Sequence[Callable[[float], float]]

    def at(self, t_s: float) -> float:
        place = bisect_right(self.times, t_s)
        if place == 0:
            return self.values[0]
        if place == len(self.times):
            return self.values[-1]
        before = self.times[place - 1]
        progress = (t_s - before) / (self.times[place] - before)
        value = self.values[place - 1]
        return value + (self.values[place] - value) * self.curves[place](progress)
