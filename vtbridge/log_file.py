"""The log that stays: JSON lines in a small file of the user's own, without secrets."""

from __future__ import annotations

import datetime
import io
import json
import logging
import os
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.redaction import redacted

MAX_BYTES = 1 << 20
"""Of one file; as many older ones are kept as ``KEPT``."""
KEPT = 3
OFTEN = 20
"""So often one warning is told in ``WINDOW_S``; the others are counted. A start tells one for each
tracker whose port is taken."""
WINDOW_S = 60
_MAX_MESSAGES = 1000


def log_folder() -> Path:
    """Return where logs lie."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False), "logs")


class RateLimit(logging.Filter):
    """Tell one warning a few times a minute; the next one after that says how many were not.

    What is no warning is told always. Warnings are the same if they come from the same line of
    the program, whatever their values. What is let through has the number of those that were not
    in its attribute ``untold``.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, int], tuple[int, int]] = {}  # window's start, count

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` is told."""
        if record.levelno < logging.WARNING:
            return True
        key = (record.pathname, record.lineno, record.levelno)
        now_ns = self._clock.now_ns()
        with self._lock:
            start_ns, count = self._seen.get(key, (now_ns, 0))
            record.untold = 0
            if now_ns - start_ns >= WINDOW_S * NS_PER_S:
                record.untold = max(count - OFTEN, 0)
                start_ns, count = now_ns, 0
            if len(self._seen) >= _MAX_MESSAGES:
                self._seen.clear()
            self._seen[key] = (start_ns, count + 1)
            return count < OFTEN


class Redacted(logging.Formatter):
    """Text for people: no secrets, not in tracebacks either."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, and how often it was not told."""
        untold = getattr(record, "untold", 0)
        more = f" ({untold} more like it were not told)" if untold else ""
        return redacted(super().format(record)) + more


class JsonLines(logging.Formatter):
    """One JSON object a line: when, how grave, who, what."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without secrets."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        told: dict[str, object] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "thread": record.threadName,
            "pid": record.process,
            "message": redacted(record.getMessage()),
        }
        if untold := getattr(record, "untold", 0):
            told["untold"] = untold
        if record.exc_info:
            told["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


class _PrivateFile(RotatingFileHandler):
    """A rotating file that nobody else can read; a disk that is full costs the log alone."""

    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.name == "posix":
            os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Do nothing: there is nowhere to tell it that would not fill the terminal."""


def keep_log(name: str, *, folder: Path | None = None) -> Callable[[], None]:
    """Keep what the package logs in ``name``.log too, and return what ends it.

    A log that was kept before ends: a process has one. Where the file cannot be had it is
    told once, and the log goes to the terminal alone.
    """
    path = (folder or log_folder()) / f"{name}.log"
    package = logging.getLogger("vtbridge")
    for old in [one for one in package.handlers if isinstance(one, _PrivateFile)]:
        package.removeHandler(old)
        old.close()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=KEPT)
    except OSError as error:
        package.warning("no log is kept: %s: %s", path, error.strerror)
        return lambda: None
    handler.setFormatter(JsonLines())
    handler.addFilter(RateLimit())
    package.addHandler(handler)

    def end() -> None:
        package.removeHandler(handler)
        handler.close()

    return end
