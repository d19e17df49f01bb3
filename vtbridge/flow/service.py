"""Threads that own something: started once, stopped once, never silently dead."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

log = logging.getLogger(__name__)


class ThreadService(ABC):
    """One named daemon thread that runs ``serve`` until it is asked to stop.

    Attributes:
        failure: what ended ``serve`` against its will, None while all is well.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def serve(self) -> None:
        """Work until ``self.stopping`` is set; called once, on the service's thread."""

    def interrupt(self) -> None:  # noqa: B027 - most services need no more than the event
        """Wake ``serve`` from whatever it blocks on; called once, from ``stop``."""

    @property
    def stopping(self) -> threading.Event:
        """Set once the service has been asked to stop."""
        return self._stopping

    @property
    def alive(self) -> bool:
        """True between ``start`` and the end of ``serve``."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: the service was started before.
        """
        if self._thread is not None:
            raise RuntimeError(f"service {self.name} was started before")
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self, *, timeout_s: float = 2.0) -> bool:
        """Ask the thread to end and return whether it did within ``timeout_s``."""
        self._stopping.set()
        self.interrupt()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.serve()
        except Exception as error:
            self.failure = error
            log.exception("%s stopped unexpectedly", self.name)
