"""Whoever follows what happens in OBS, all of it on the connection's own thread."""

from __future__ import annotations

import math
from typing import Protocol

from vtbridge.obs.client import EventKinds, ObsEvent, Requests


class ObsListener(Protocol):
    """Told of every event, and asked again and again what it wants to know.

    May put requests, but must not wait for anything else. An ``ObsError`` or a
    misunderstood answer costs what was asked for; only a broken connection ends it.
    """

    def wanted(self) -> EventKinds:
        """Return the events that it needs just now."""

    def read(self, obs: Requests) -> None:
        """Learn everything anew: OBS was connected, or events were lost or not asked for."""

    def heard(self, event: ObsEvent, obs: Requests) -> None:
        """Take one event."""

    def tend(self, obs: Requests, now_ns: int) -> float:
        """Do what is due, and return in how many seconds more will be; ``NOTHING`` = nothing."""

    def lost(self) -> None:
        """OBS is gone: nothing of what was known holds."""


NOTHING = math.inf
"""For ``ObsListener.tend``."""
