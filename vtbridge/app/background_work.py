"""Work beside the avatar: a process of its own, behind everything else on the machine.

The daemon stays free of what learning needs (PyTorch, a gigabyte), and work that crashes costs
nothing but itself. It is told to end by closing its standard input, which also happens when
the daemon dies; what it has learnt so far is kept, and the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import psutil

from vtbridge.errors import AlreadyBaking
from vtbridge.flow.service import ThreadService

log = logging.getLogger(__name__)

NewsT = TypeVar("NewsT")

_LONGEST_LINE: Final = 4096
_END_S: Final = 60.0  # that it may take to write what it has learnt
_LAST_IN_LINE: Final = int(getattr(subprocess, "IDLE_PRIORITY_CLASS", 0))
"""Windows alone has it; elsewhere the process itself steps back."""


class BackgroundWork(ThreadService, Generic[NewsT]):
    """Run a command and listen to it.

    Args:
        name: of the service.
        command: prints a line of JSON, ``{"news": ...}``, for each news; ends when its standard
            input is closed.
        told: called on this service's thread with each news.

    Attributes:
        progress: the newest news, None before the first.
        trouble: why it ended against its will, for people; empty if it did not.
        elsewhere: another process works on this character.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        told: Callable[[NewsT], None] = lambda news: None,
    ) -> None:
        super().__init__(name)
        self._command = list(command)
        self._told = told
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self.progress: NewsT | None = None
        self.trouble = ""
        self.elsewhere = False

    @property
    def paused(self) -> bool:
        """True between ``pause`` and ``resume``."""
        return self._paused

    @abstractmethod
    def news_in(self, news: Any) -> NewsT:
        """Return the news that a line holds.

        Raises:
            ValueError, KeyError, TypeError: it is none.
        """

    def serve(self) -> None:
        """Listen until it is done, fails, or is stopped."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the daemon's; it tells this in its own way
                creationflags=_LAST_IN_LINE,
            )
        except OSError as error:
            self._failed(f"it could not be started ({error})")
            return
        self._process = process
        if self.stopping.is_set():
            self.interrupt()
        last_words = ""
        with process:
            if process.stdout is None:  # pragma: no cover - it was asked for above
                return
            while line := process.stdout.readline(_LONGEST_LINE):
                try:
                    news = self.news_in(json.loads(line)["news"])
                except (ValueError, KeyError, TypeError, RecursionError):
                    last_words = line.decode(errors="replace").strip() or last_words
                    continue
                self.progress = news
                self._told(news)
            try:
                code = process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        if code == AlreadyBaking.exit_code:
            self.elsewhere = True
        elif code and not self.stopping.is_set():
            self._failed(last_words.removeprefix("vtbridge: ") or f"exit code {code}")

    def interrupt(self) -> None:
        """Let it write what it has learnt and end; it is not waited for long."""
        self.resume()
        process = self._process
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def say(self, line: bytes) -> bool:
        """Write ``line`` to its standard input; return False if it does not run."""
        process = self._process
        if process is None or process.stdin is None or self.stopping.is_set():
            return False
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
        except (OSError, ValueError):  # it has ended, or is being ended
            return False
        return True

    def pause(self) -> None:
        """Have it stand still until ``resume``."""
        self._paused = True
        self._signal(psutil.Process.suspend)

    def resume(self) -> None:
        """Let it go on; nothing if it was not paused."""
        if self._paused:
            self._paused = False
            self._signal(psutil.Process.resume)

    def _signal(self, act: Any) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(psutil.Error, OSError):  # it has ended
            act(psutil.Process(process.pid))

    def _failed(self, reason: str) -> None:
        self.trouble = reason
        log.warning("%s ended: %s", self.name, reason)
