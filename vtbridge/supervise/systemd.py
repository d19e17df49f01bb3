"""What systemd is told of a service that it started (sd_notify).

Source: sd_notify(3), https://www.freedesktop.org/software/systemd/man/sd_notify.html
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Systemd:
    """Tell systemd how the service fares; where nobody listens nothing happens.

    Args:
        address: of its datagram socket, empty if there is none; ``@`` begins an abstract one.
    """

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Systemd:
        """Return the one that started this process."""
        return cls(environment.get("NOTIFY_SOCKET", ""))

    def ready(self, status: str) -> None:
        """Tell that the service has started, or is done with reloading."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self, now_ns: int) -> None:
        """Tell that it reads its settings anew; ``now_ns`` is monotonic."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now_ns // 1000}")

    def stopping(self) -> None:
        """Tell that it is about to end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Tell that it gets on; without it for ``WatchdogSec`` systemd starts it again."""
        self._tell("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Tell a sentence for ``systemctl status``."""
        self._tell(f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.setblocking(False)
            wire.sendto("\n".join(lines).encode(), self._address)
