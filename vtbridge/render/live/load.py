"""What one stretch of a live stream cost: the governor's senses."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured over one window.

    Attributes:
        missed_share: deadlines missed, 0..1 of all.
        drawing_ns: mean time to draw a frame from its fields.
        fresh_ns: mean time of the networks for one pose, None if they computed nothing; the mean,
            because quick poses between slow ones do not make motion fluent.
    """

    missed_share: float
    drawing_ns: float
    fresh_ns: float | None


class LoadMeter:
    """Gather what beats and fresh fields cost until somebody asks."""

    def __init__(self) -> None:
        self._beats = 0
        self._missed = 0
        self._drawn = 0
        self._drawing_ns = 0
        self._fresh_ns: list[int] = []

    def add_beats(self, beats: int, missed: int) -> None:
        """Note ``beats`` deadlines of which ``missed`` were missed."""
        self._beats += beats
        self._missed += missed

    def add_drawing(self, cost_ns: int) -> None:
        """Note that a frame was drawn in ``cost_ns``."""
        self._drawn += 1
        self._drawing_ns += cost_ns

    def add_fresh(self, cost_ns: int) -> None:
        """Note that the networks took ``cost_ns`` for a pose."""
        self._fresh_ns.append(cost_ns)

    def take(self, *, busy_ns: int) -> Load:
        """Return the load since the last call.

        Args:
            busy_ns: how long the networks have been at the present pose; one that never ends
                must not look like none at all.
        """
        costs = list(self._fresh_ns)
        if busy_ns > max(costs, default=0):
            costs.append(busy_ns)
        load = Load(
            missed_share=self._missed / self._beats if self._beats else 0.0,
            drawing_ns=self._drawing_ns / self._drawn if self._drawn else 0.0,
            fresh_ns=statistics.fmean(costs) if costs else None,
        )
        self.clear()
        return load

    def clear(self) -> None:
        """Forget what was gathered."""
        self._beats = self._missed = self._drawn = self._drawing_ns = 0
        self._fresh_ns.clear()
