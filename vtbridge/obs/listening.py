"""The listeners of one connection: what OBS is asked to tell, and who is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from vtbridge.clock import Clock
from vtbridge.errors import ObsAuthError, ObsError, ObsUnreachable
from vtbridge.obs.client import ODD_ANSWER, EventKinds, ObsClient
from vtbridge.obs.listener import NOTHING, ObsListener
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)


class Listening:
    """Keep the listeners of one connection up to date; used by its thread alone."""

    def __init__(
        self,
        listeners: Sequence[ObsListener],
        client: ObsClient,
        *,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        """Prepare; nothing is asked before ``tend``.

        Args:
            listeners: who wants to know.
            client: a new connection, not subscribed to anything.
            clock: for what is due.
            telemetry: counts ``obs.events``, ``obs.overrun`` and ``obs.odd``.
        """
        self._listeners = tuple(listeners)
        self._client = client
        self._clock = clock
        self._telemetry = telemetry
        self._subscribed: EventKinds | None = None

    def tend(self) -> float:
        """Tell what came, do what is due, and return in how many seconds more will be.

        Raises:
            ObsUnreachable: the connection broke.
            ObsAuthError: OBS ended it.
        """
        client = self._client
        for event in client.take_events():
            self._telemetry.count("obs.events")
            for listener in self._listeners:
                self._try(partial(listener.heard, event, client))
        wanted = EventKinds.NONE
        for listener in self._listeners:
            wanted |= listener.wanted()
        if wanted != self._subscribed or client.overrun:
            # Whatever happened before is part of what is read now.
            if client.overrun:
                self._telemetry.count("obs.overrun")
                client.overrun = False
            if wanted != (self._subscribed or EventKinds.NONE):
                client.subscribe(wanted)
            self._subscribed = wanted
            for listener in self._listeners:
                self._try(partial(listener.read, client))
        due_s = NOTHING
        for listener in self._listeners:
            later_s = self._try(partial(listener.tend, client, self._clock.now_ns()))
            due_s = min(due_s, NOTHING if later_s is None else later_s)
        return 0.0 if client.has_events else due_s

    def end(self) -> None:
        """Tell that OBS is gone."""
        for listener in self._listeners:
            listener.lost()

    def _try(self, ask: Callable[[], float | None]) -> float | None:
        """Return what ``ask`` returns; what OBS refuses or words oddly costs only that."""
        try:
            return ask()
        except (ObsUnreachable, ObsAuthError):
            raise
        except (ObsError, *ODD_ANSWER) as trouble:
            self._telemetry.count("obs.odd")
            log.debug("an event or answer of OBS is of no use: %r", trouble)
            return None
