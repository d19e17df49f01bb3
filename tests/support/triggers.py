"""Who triggers expressions of a real daemon, and who sees them in its frames."""

from __future__ import annotations

import socket
import time
from typing import Any

import numpy as np
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.support.daemon import DaemonProcess, status_of
from vtbridge.osc import decode_packet
from vtbridge.publish.vtbf import FrameReader

PATIENCE_S = 60.0


def expression_of(daemon: DaemonProcess, name: str) -> dict[str, Any]:
    """Return the state of one expression, empty if there is none of that name."""
    states = status_of(daemon)["expressions"]
    return next((state for state in states if state["name"] == name), {})


class Button:
    """A controller that sends to the daemon and hears its state."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE_S)

    def press(self, name: str, *position: float) -> None:
        builder = OscMessageBuilder(f"/vtbridge/expression/{name}")
        for value in position:
            builder.add_arg(value)
        self.socket.sendto(builder.build().dgram, self._address)

    def wait_told(self, name: str, on: float) -> None:
        while True:
            (message,) = decode_packet(self.socket.recv(4096))
            if (message.address, message.arguments) == (f"/vtbridge/expression/{name}", (on,)):
                return


def face_in(rgba: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.int16]]:
    return rgba[64:192, 192:320].astype(np.int16)


class Eye:
    """Looks at the frames in the segment."""

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self._seen = 0

    def newest(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        frame = self._reader.read_newer(self._seen, timeout_s=PATIENCE_S)
        assert frame is not None
        self._seen = frame.frame_no
        return face_in(frame.rgba)

    def at_rest(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        """Return the face once it has not moved for a while."""
        deadline = time.monotonic() + PATIENCE_S
        face, same = self.newest(), 0
        while same < 40:
            assert time.monotonic() < deadline, "it never comes to rest"
            before, face = face, self.newest()
            same = same + 1 if np.abs(face - before).max() <= 2 else 0
        return face

    def seconds_until_changed(self, from_: np.ndarray[Any, np.dtype[np.int16]]) -> float:
        begun = time.monotonic()
        while np.abs(self.newest() - from_).max() <= 24:
            assert time.monotonic() < begun + PATIENCE_S, "it never changes"
        return time.monotonic() - begun

    def until_like(self, face: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        """Return once ``face`` is seen again."""
        begun = time.monotonic()
        while np.abs(self.newest() - face).max() > 6:
            assert time.monotonic() < begun + PATIENCE_S, "it does not come back"
