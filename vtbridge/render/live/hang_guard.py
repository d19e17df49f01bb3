"""Tell a slow computation from one that will never end."""

from __future__ import annotations

import statistics
from collections import deque

from vtbridge.clock import NS_PER_S

_SHORTEST_NS = 3 * NS_PER_S
_TIMES_USUAL = 20
_FIRST_NS = 30 * NS_PER_S
_OPENING_NS = 120 * NS_PER_S
_MEMORY = 64


class HangGuard:
    """Know how long the networks usually take, and so when they hang."""

    def __init__(self) -> None:
        self._costs_ns: deque[int] = deque(maxlen=_MEMORY)

    def note(self, cost_ns: int) -> None:
        """Note a computation that ended."""
        self._costs_ns.append(cost_ns)

    def limit_ns(self, *, opening: bool = False) -> int:
        """Return the longest that a computation may take before it counts as hanging.

        Args:
            opening: it is the loading of networks, which may compile and test them.
        """
        if opening:
            return _OPENING_NS
        if not self._costs_ns:
            return _FIRST_NS  # a first run may compile too
        return max(_SHORTEST_NS, round(_TIMES_USUAL * statistics.median(self._costs_ns)))
