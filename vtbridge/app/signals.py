"""What Ctrl-C and SIGTERM do to a daemon."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable


def catch_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Let SIGINT and SIGTERM end the run in order; a second one ends it at once."""
    if sys.platform == "win32":
        return

    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop_once() -> None:
        stop()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, stop_once)
