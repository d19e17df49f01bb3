"""Logging of the command line: to stderr, short, coloured where it may be."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.logging import RichHandler

from vtbridge.log_file import RateLimit, Redacted


def set_up_logging(*, verbose: bool = False) -> None:
    """Send the package's log to stderr at INFO, or at DEBUG if ``verbose``."""
    handler = RichHandler(
        console=Console(stderr=True), show_path=False, log_time_format="%H:%M:%S", markup=False
    )
    handler.setFormatter(Redacted("%(message)s"))
    handler.addFilter(RateLimit())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("vtbridge").setLevel(logging.DEBUG if verbose else logging.INFO)
