"""How every source is doing now, told by the running daemon or by inputs of our own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from vtbridge.app.inputs import open_trackers
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.control.address import ControlAddress, read_address
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.source_status import plain_face, plain_status

Snapshot = dict[str, Any]
"""``name``, ``sources``, ``movers`` and ``face``, as ``GET /api/trackers`` answers."""

_TIMEOUT_S = 5.0


class TrackerWatch(ABC):
    """Where snapshots come from; to be used in a ``with`` statement."""

    told_by: str

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return how every source is doing now.

        Raises:
            VtbridgeError: nobody can tell any more.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - what asks the daemon holds nothing
        """Let go of everything."""


class DaemonWatch(TrackerWatch):
    """Ask the daemon that runs as ``name``.

    Args:
        name: of the avatar.
        address: where it takes requests.
    """

    def __init__(self, name: str, address: ControlAddress) -> None:
        self.told_by = f"the avatar {name!r}, which is running"
        self._name = name
        self._request = Request(
            f"http://127.0.0.1:{address.port}/api/trackers",
            headers={"Authorization": f"Bearer {address.token}"},
        )

    def snapshot(self) -> Snapshot:
        """Return how the daemon's sources are doing.

        Raises:
            VtbridgeError: it does not answer.
        """
        try:
            with urlopen(self._request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - loopback
                told: Snapshot = json.load(answer)
                return told
        except (HTTPError, URLError, OSError, ValueError) as error:
            raise VtbridgeError(
                f"the avatar {self._name!r} does not answer ({error}); is it still running?"
            ) from error


class OwnWatch(TrackerWatch):
    """Open the inputs of ``config``, for as long as one looks.

    Args:
        config: all settings.
        clock: the time of arrival.

    Raises:
        PortInUse: not one port could be had.
    """

    told_by = "inputs of its own: no avatar of this name is running"

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
        """Free the ports and devices."""
        for service in self._inputs.services:
            service.stop()


def watch_trackers(config: Config, clock: Clock) -> TrackerWatch:
    """Return the running daemon's view, or inputs of our own if none runs under that name.

    Raises:
        PortInUse: no daemon of that name runs, but the ports are taken.
    """
    name = config.publish.name
    address = read_address(name)
    if address is not None:
        daemon = DaemonWatch(name, address)
        try:
            daemon.snapshot()
        except VtbridgeError:
            pass  # it ended without a word and left its address behind
        else:
            return daemon
    return OwnWatch(config, clock)
