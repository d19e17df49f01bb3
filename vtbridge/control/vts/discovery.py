"""Tell plugins where the API is, by UDP, as VTube Studio does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from collections.abc import Callable

from vtbridge.control.vts.envelope import encode_message

log = logging.getLogger(__name__)

DISCOVERY_PORT = 47779
PERIOD_S = 2.0
_KIND = "VTubeStudioAPIStateBroadcast"
_LOOPBACK, _EVERYWHERE = "127.0.0.1", "255.255.255.255"


def discovery_message(port: int, instance_id: str, window: str, *, timestamp_ms: int) -> bytes:
    """Return the datagram that tells of an API on TCP ``port``."""
    data = {"active": True, "port": port, "instanceID": instance_id, "windowTitle": window}
    return encode_message(_KIND, _KIND, data, timestamp_ms=timestamp_ms).encode("ascii")


class Discovery:
    """Send the datagram every two seconds: to this computer, or to the network.

    Args:
        port: TCP port of the API.
        window: what to call this avatar in lists.
        network: tell the whole network, not only this computer.
        now_ms: the wall clock, milliseconds since 1970.
        to_port: where plugins listen.
    """

    def __init__(
        self,
        port: int,
        window: str,
        *,
        network: bool,
        now_ms: Callable[[], int],
        to_port: int = DISCOVERY_PORT,
    ) -> None:
        self._port = port
        self._window = window
        self._target = (_EVERYWHERE if network else _LOOPBACK, to_port)
        self._now_ms = now_ms
        self._instance_id = uuid.uuid4().hex
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell; on a running loop."""
        self._task = asyncio.create_task(self._tell())

    async def close(self) -> None:
        """Stop telling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _tell(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            while True:
                message = discovery_message(
                    self._port, self._instance_id, self._window, timestamp_ms=self._now_ms()
                )
                with contextlib.suppress(OSError):  # no network just now; the next one may pass
                    sender.sendto(message, self._target)
                await asyncio.sleep(PERIOD_S)
