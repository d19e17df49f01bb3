"""Everything around the avatar of a soak: sender, a line that loses packets, OBS, its segment."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Final, Self

from tests.support.daemon import DaemonProcess
from tests.support.fake_obs import FakeObs
from vtbridge.control.address import ControlAddress
from vtbridge.publish.vtbf import FrameReader, SegmentStatus

_LONGEST = 65535
_ANSWER_S: Final = 5.0


class Relay:
    """Pass datagrams on to ``target`` on loopback, but for a share ``loss`` of them."""

    def __init__(self, target: int, loss: float, seed: int) -> None:
        """Listen on a free port."""
        self.loss = loss
        self.passed = self.lost = 0
        self._target = ("127.0.0.1", target)
        self._chance = random.Random(seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port = int(self._socket.getsockname()[1])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, name="relay")

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._ended.set()
        self._thread.join(5)
        self._socket.close()

    def _pass_on(self) -> None:
        while not self._ended.is_set():
            try:
                datagram = self._socket.recv(_LONGEST)
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                continue  # nobody listens while the renderer starts again
            if self._chance.random() < self.loss:
                self.lost += 1
                continue
            try:
                self._socket.sendto(datagram, self._target)
                self.passed += 1
            except OSError:
                self.lost += 1


@dataclass(slots=True)
class Stage:
    """What faults are done to, and where their mending is seen.

    Attributes:
        usual_loss: share of packets that is lost all the time.
        address: of the control API; the port stays, as the token does, over restarts.
    """

    daemon: DaemonProcess
    reader: FrameReader
    relay: Relay
    obs: FakeObs
    usual_loss: float
    address: ControlAddress

    def _segment(self) -> SegmentStatus | None:
        return self.reader.status()

    def epoch(self) -> int:
        """Return when the renderer of now started, 0 if that cannot be told."""
        status = self._segment()
        return 0 if status is None else status.epoch

    def latest(self) -> int:
        """Return the newest frame's number, 0 if that cannot be told."""
        status = self._segment()
        return 0 if status is None else status.latest

    def age_s(self) -> float:
        """Return how old the newest frame is."""
        frame = self.reader.read_newer(0, timeout_s=0.0)
        return float("inf") if frame is None else (time.monotonic_ns() - frame.t_publish_ns) / 1e9

    def status(self) -> dict[str, Any]:
        """Return what ``GET /api/v1/status`` answers, nothing while nobody does."""
        connection = HTTPConnection("127.0.0.1", self.address.port, timeout=_ANSWER_S)
        try:
            connection.request(
                "GET", "/api/v1/status", headers={"Authorization": f"Bearer {self.address.token}"}
            )
            answer = connection.getresponse()
            body = answer.read()
            return json.loads(body) if answer.status == 200 else {}
        except (OSError, HTTPException, ValueError):
            return {}
        finally:
            connection.close()
