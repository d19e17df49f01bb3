"""What Ctrl-C and SIGTERM do to a daemon."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable


def catch_signals(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], *, watched: bool = False
) -> None:
    """Let SIGINT and SIGTERM end the run in order; a second one ends it at once.

    Of a process that a parent watches, Ctrl-C is the parent's: a terminal sends it to both.
    """
    if watched:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return

    numbers = (signal.SIGTERM,) if watched else (signal.SIGINT, signal.SIGTERM)

    def stop_once() -> None:
        stop()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, stop_once)
