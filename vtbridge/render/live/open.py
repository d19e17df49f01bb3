"""From settings to a live poser."""

from __future__ import annotations

import threading
from typing import Any

from vtbridge.clock import Clock
from vtbridge.datatypes import Picture
from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.compositor import Compositor
from vtbridge.render.live.cpu_budget import cores_here, cpu_budget
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.poser import Poser
from vtbridge.render.runtimes.runtime import Runtime, RuntimeRequest
from vtbridge.render.selection.selection import Selection
from vtbridge.render.selection.trust import Blames
from vtbridge.render.settings import RenderSettings, RuntimeName
from vtbridge.render.tha3 import open_poser
from vtbridge.telemetry import Telemetry


class SelectedPosers:
    """Open posers on the fastest right runtime, never again on one that was blamed.

    Once all have been blamed they are all given another chance, for an avatar that tries is
    worth more than one that stands still; who opens waits longer each time.

    Args:
        settings: of the render stage; ``threads`` as given there.
        telemetry: where the posers count.
    """

    def __init__(self, settings: RenderSettings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._blames = Blames()
        self._selection: Selection | None = None

    def open(self) -> Poser:
        """Open the best poser that there is; see ``PoserSource.open``."""
        try:
            return open_poser(self._settings, self._telemetry, select=self._select)
        except RuntimeUnavailable:
            with self._lock:
                if self._blames.reasons():
                    self._blames, self._selection = Blames(), None
            raise

    def blame(self, reason: str) -> None:
        """Never again open what was opened last, or is being opened."""
        with self._lock:
            if self._selection is not None:
                self._selection.blame(reason)

    def _select(self, name: RuntimeName, request: RuntimeRequest) -> Runtime[Any]:
        with self._lock:
            if self._selection is None:
                self._selection = Selection(name, request, blames=self._blames)
            selection = self._selection
        return selection.open()


def open_live_poser(
    settings: RenderSettings, picture: Picture, *, fps: float, clock: Clock, telemetry: Telemetry
) -> LivePoser:
    """Open a live poser and wait until its networks are loaded; takes a second or more.

    Args:
        settings: which weights, on what, how large and how exactly.
        picture: the character.
        fps: frames a second.
        clock: the monotonic clock.
        telemetry: gets times and counters.

    Raises:
        RuntimeUnavailable: nothing on this machine can run as asked.
        WeightsError: the weights are absent, damaged, or not prepared for the runtime.
    """
    cores = cores_here()
    budget = cpu_budget(settings.cpu_budget, cores, threads=settings.threads)
    # All of them are asked for as everybody does, so that a remembered choice is found again.
    threads = 0 if budget.threads == cores else budget.threads
    allowed = settings.model_copy(update={"threads": threads})
    live = LivePoser(
        SelectedPosers(allowed, telemetry),
        picture,
        open_compositor=lambda: Compositor(settings.size),
        quality=settings.quality,
        size=settings.size,
        fps=fps,
        budget=budget,
        clock=clock,
        telemetry=telemetry,
    )
    try:
        live.wait_until_open()
    except BaseException:
        live.close()
        raise
    return live
