"""How every source is doing now, told by the running avatar or by inputs of our own."""

from __future__ import annotations

from typing import Any

from vtbridge.app.inputs import open_trackers
from vtbridge.clock import Clock
from vtbridge.closing import Closing
from vtbridge.config.schema import Config
from vtbridge.control.address import ControlAddress, read_address
from vtbridge.control.ask import ask
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.source_status import plain_face, plain_status

Snapshot = dict[str, Any]
"""``name``, ``sources``, ``movers`` and ``face``, as ``GET /api/v1/trackers`` answers."""


class TrackerWatch(Closing):
    """Ask the avatar of the configured name, or listen ourselves until one runs.

    Our own inputs are given up for the avatar as soon as it starts, for it wants their
    ports. From then on they are the avatar's: when it ends, we wait for it.

    Args:
        config: all settings.
        clock: the time of arrival.

    Raises:
        PortInUse: no avatar of that name runs, but not one port could be had.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._name = config.publish.name
        self._own: OwnInputs | None = None
        self._trouble = ""
        address = read_address(self._name)
        self._left_behind: ControlAddress | None = None
        if address is None or not _answers(self._name, address):
            self._left_behind = address  # of an avatar that ended without a word
            self._own = OwnInputs(config, clock)

    @property
    def listening(self) -> bool:
        """True while no avatar runs and we listen ourselves."""
        return self._own is not None

    @property
    def told_by(self) -> str:
        """Where the last snapshot came from, for people."""
        if self._own is not None:
            return "Told by inputs of its own: no avatar of this name is running."
        return self._trouble or f"Told by the avatar {self._name!r}, which is running."

    def snapshot(self) -> Snapshot:
        """Return how every source is doing; nothing of any while we wait for the avatar."""
        address = read_address(self._name)
        if self._own is not None:
            if address is None or address == self._left_behind:
                return self._own.snapshot()
            self.close()
        if address is None:
            self._trouble = f"The avatar {self._name!r} has ended; waiting for it."
        else:
            try:
                snapshot = ask(self._name, address, "trackers")
            except VtbridgeError as error:
                self._trouble = f"Waiting for it: {error}."
            else:
                self._trouble = ""
                return snapshot
        return {"name": self._name, "sources": [], "movers": {}, "face": None}

    def close(self) -> None:
        """Let go of ports and devices."""
        if self._own is not None:
            self._own.close()
        self._own = None


class OwnInputs:
    """The inputs of ``config``, open for as long as one looks.

    Args:
        config: all settings.
        clock: the time of arrival.

    Raises:
        PortInUse: not one port could be had.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._name = config.publish.name
        self._clock = clock
        self._faces: LatestSlot[FaceFrame] = LatestSlot()
        self._inputs = open_trackers(config, self._faces, Telemetry(clock), clock)
        for service in self._inputs.services:
            service.start()

    def snapshot(self) -> Snapshot:
        """Return how the sources are doing."""
        now_ns = self._clock.now_ns()
        newest = self._faces.peek()
        return {
            "name": self._name,
            "sources": [
                plain_status(status, now_ns, with_face=True) for status in self._inputs.status()
            ],
            "movers": self._inputs.movers(),
            "face": None if newest is None else plain_face(newest.value, now_ns),
        }

    def close(self) -> None:
        """Free the ports and devices, quickly: an avatar may be waiting for them."""
        for service in self._inputs.services:
            service.stopping.set()  # so that they end side by side
        for service in self._inputs.services:
            service.stop()


def _answers(name: str, address: ControlAddress) -> bool:
    try:
        ask(name, address, "trackers")
    except VtbridgeError:
        return False
    return True
