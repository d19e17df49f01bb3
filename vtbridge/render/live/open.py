"""From settings to a live poser."""

from __future__ import annotations

import logging
import threading
from typing import Any

from vtbridge.clock import Clock
from vtbridge.datatypes import Picture
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.render.compositor import Compositor
from vtbridge.render.live.baked_live import BakedLive
from vtbridge.render.live.cpu_budget import cores_here, cpu_budget
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.poser import Poser
from vtbridge.render.runtimes.runtime import Runtime, RuntimeRequest
from vtbridge.render.selection.selection import Selection
from vtbridge.render.selection.trust import Blames
from vtbridge.render.settings import Quality, RenderSettings, RuntimeName
from vtbridge.render.tha3 import open_poser
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)


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
) -> LivePoser | BakedLive:
    """Open a live poser and wait until its networks are loaded; takes a second or more.

    A prepared character needs no networks; they go on where its model must not be shown.

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
    if settings.quality is Quality.BAKED:
        baked = baked_poser(settings, picture, telemetry)
        if baked is not None:
            return BakedLive(baked, picture, fps=fps, clock=clock, telemetry=telemetry)
        settings = settings.model_copy(update={"quality": Quality.AUTO})
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


def baked_poser(settings: RenderSettings, picture: Picture, telemetry: Telemetry) -> Poser | None:
    """Return a poser of the prepared character, None if its model must not be shown.

    A stream that looks as before but costs more is worth more than none.
    """
    from vtbridge.render.baked.poser import open_baked_poser

    try:
        poser = open_baked_poser(settings, telemetry, WeightStore())
        poser.set_picture(picture)
    except (WeightsError, InferenceError) as error:
        log.error("%s; the networks go on in its place", error)
        return None
    return poser
