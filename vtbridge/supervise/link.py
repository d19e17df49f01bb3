"""The wire between the parent and its renderer; each end sees at once when the other dies.

Lines of JSON: the renderer tells ``{"ready": true}`` and ``{"beats": 1234}``, the parent orders
``{"order": "stop"}`` and ``{"order": "reload"}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from multiprocessing.connection import Connection, Pipe
from typing import Any, Final

LINK_VARIABLE: Final = "VTBRIDGE_SUPERVISOR_LINK"
"""Environment variable of a renderer: the handle of its end, and its restarts so far."""
_MOST_BYTES: Final = 4096


class Order(StrEnum):
    """What a parent may want."""

    STOP = "stop"
    RELOAD = "reload"


class ParentEnd:
    """The parent's end.

    Args:
        wire: it.
    """

    def __init__(self, wire: Connection) -> None:
        self._wire = wire

    def order(self, order: Order) -> None:
        """Tell the renderer; one that is gone is not told."""
        with suppress(OSError):
            self._wire.send_bytes(json.dumps({"order": order}).encode())

    def told(self, wait_s: float) -> Iterator[dict[str, Any]]:
        """Yield what the renderer told, after waiting at most ``wait_s`` for the first of it.

        Raises:
            EOFError: the renderer is gone.
        """
        while self._wire.poll(wait_s):
            wait_s = 0.0
            try:
                message = json.loads(self._wire.recv_bytes(_MOST_BYTES))
            except OSError as error:
                raise EOFError from error
            except ValueError:
                continue
            if isinstance(message, dict):
                yield message

    def close(self) -> None:
        """Let go of the wire."""
        self._wire.close()


class RendererEnd:
    """The renderer's end.

    Args:
        wire: it.
        restarts: how often a renderer was started again before this one.
    """

    def __init__(self, wire: Connection, restarts: int) -> None:
        self._wire = wire
        self.restarts = restarts

    def ready(self) -> None:
        """Tell that frames are about to flow."""
        self._tell({"ready": True})

    def beats(self, count: int) -> None:
        """Tell how many times the render loop has come round."""
        self._tell({"beats": count})

    def listen(self, stop: Callable[[], object], reload: Callable[[], object]) -> None:
        """Do what the parent orders, on a thread of its own; a parent that is gone means stop."""

        def read() -> None:
            while True:
                try:
                    order = json.loads(self._wire.recv_bytes(_MOST_BYTES))["order"]
                except (OSError, EOFError):
                    stop()
                    return
                (reload if order == Order.RELOAD else stop)()

        threading.Thread(target=read, name="supervisor", daemon=True).start()

    def _tell(self, message: dict[str, object]) -> None:
        with suppress(OSError):  # a parent that is gone is noticed by the listener
            self._wire.send_bytes(json.dumps(message).encode())


def new_link() -> tuple[ParentEnd, Connection]:
    """Return the parent's end, and the other one to give to a process."""
    ours, theirs = Pipe()
    return ParentEnd(ours), theirs


def link_to_parent() -> RendererEnd | None:
    """Return this process's end if a parent watches it; programs it starts do not inherit it."""
    told = os.environ.pop(LINK_VARIABLE, "")
    handle, _, restarts = told.partition(" ")
    if not handle.isdecimal():
        return None
    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection

        os.set_handle_inheritable(int(handle), False)
        return RendererEnd(PipeConnection(int(handle)), int(restarts))
    os.set_inheritable(int(handle), False)
    return RendererEnd(Connection(int(handle)), int(restarts))
