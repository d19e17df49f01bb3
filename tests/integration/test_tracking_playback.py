"""What cannot be played is told, before or while it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.clock import MonotonicClock
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.receivers.udp import LOOPBACK
from vtbridge.tracking.senders.playback import Burst, bursts_of_capture, play


def test_empty_capture_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.udpcap"
    path.write_bytes(b"")
    with pytest.raises(VtbridgeError, match="holds no datagram"):
        play(bursts_of_capture(path, loop=True), (LOOPBACK, 9), MonotonicClock())


def test_refused_address_is_named() -> None:
    with pytest.raises(VtbridgeError, match=r"cannot send to 255\.255\.255\.255:9"):
        play([Burst(0.0, (b"abc",))], ("255.255.255.255", 9), MonotonicClock())
