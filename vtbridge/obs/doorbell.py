"""Wake a thread that waits for a socket."""

from __future__ import annotations

import contextlib
import selectors
import socket

_DRAINED_BYTES = 4096


class Doorbell:
    """Lets one thread wait for a socket and for ``ring`` at once."""

    def __init__(self) -> None:
        self._outside, self._inside = socket.socketpair()
        for end in (self._outside, self._inside):
            end.setblocking(False)

    def close(self) -> None:
        """Close it; a later ``ring`` does nothing."""
        self._outside.close()
        self._inside.close()

    def ring(self) -> None:
        """Wake whoever waits, or the next one who would; safe from any thread."""
        # A full pipe means that it rang already; a closed one, that nobody is there.
        with contextlib.suppress(OSError):
            self._outside.send(b"\0")

    def wait(self, fileno: int, timeout_s: float) -> bool:
        """Wait for data on ``fileno``, a ring, or ``timeout_s``; return whether it was data."""
        with selectors.DefaultSelector() as selector:
            selector.register(fileno, selectors.EVENT_READ)
            selector.register(self._inside, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(timeout_s)}
        if self._inside.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._inside.recv(_DRAINED_BYTES)
        return fileno in ready
