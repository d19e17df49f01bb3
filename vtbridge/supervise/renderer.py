"""The process that renders, as its parent sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Self

from vtbridge.supervise.link import LINK_VARIABLE, ParentEnd, new_link


class Renderer:
    """A running renderer.

    Args:
        process: it.
        link: the wire to it.
    """

    def __init__(self, process: subprocess.Popen[bytes], link: ParentEnd) -> None:
        self._process = process
        self.link = link

    @classmethod
    def start(cls, command: Sequence[str], restarts: int) -> Self:
        """Start one.

        Args:
            command: the program and its arguments.
            restarts: how often one was started again before.

        Raises:
            OSError: the program cannot be started.
        """
        link, theirs = new_link()
        handle = theirs.fileno()
        environment = {**os.environ, LINK_VARIABLE: f"{handle} {restarts}"}
        environment.pop("NOTIFY_SOCKET", None)  # systemd hears the parent alone
        inherited: dict[str, Any] = {}
        if sys.platform == "win32":
            os.set_handle_inheritable(handle, True)
            inherited["startupinfo"] = subprocess.STARTUPINFO(
                lpAttributeList={"handle_list": [handle]}
            )
        else:
            inherited["pass_fds"] = [handle]
        try:
            process = subprocess.Popen(command, env=environment, **inherited)
        except OSError:
            link.close()
            raise
        finally:
            theirs.close()
        return cls(process, link)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return it, negative the number of the signal that ended it; None while it lives."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit code, None if it still lives after ``timeout_s``."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once, whatever it does, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Let go of the wire."""
        self.link.close()


def cause_of(exit_code: int) -> str:
    """Return how a renderer ended, in words: ``was killed by SIGKILL``."""
    if exit_code >= 0:
        return f"ended with code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
