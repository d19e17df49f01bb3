"""A contender's process, one question at a time, and never waited for in vain."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

import vtbridge
from vtbridge.errors import InferenceError
from vtbridge.render.benchmark.messages import Job, Ready, Turn

PATIENCE_S = 300.0
"""The longest that an answer may take: on a slow machine opening runs for a minute."""

WORKER = "vtbridge.render.benchmark.worker"

_END_TIMEOUT_S = 10.0
_TOLD_CHARACTERS = 300


class Worker:
    """Ask a worker; whatever becomes of it is an answer or an ``InferenceError``.

    Attributes:
        patience_s: how long an answer may take before the worker is ended.
    """

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._hung = False
        self.patience_s = PATIENCE_S

    def begin(self, job: Job) -> Ready:
        """Hand the job over and wait until it is ready, or says why it cannot be."""
        self.say(job.model_dump_json())
        return Ready.model_validate_json(self.hear())

    def render(self, index: int) -> Turn:
        """Return the turn of pose ``index``.

        Raises:
            InferenceError: there is no frame; the message tells why.
        """
        self.say(str(index))
        turn = Turn.model_validate_json(self.hear())
        if turn.problem:
            raise InferenceError(turn.problem)
        return turn

    def rss_mb(self) -> float:
        """Return the memory that it holds, MB of 2**20 bytes, 0 if it is gone."""
        try:
            return float(psutil.Process(self._process.pid).memory_info().rss) / 2**20
        except psutil.Error:
            return 0.0

    def end(self) -> None:
        """Let it end by itself."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # its sign to end
        with contextlib.suppress(subprocess.TimeoutExpired):  # it has answered everything
            self._process.wait(_END_TIMEOUT_S)

    def say(self, line: str) -> None:
        """Send ``line``."""
        if self._process.stdin is None:
            raise RuntimeError("the worker was started without pipes")
        with contextlib.suppress(BrokenPipeError):  # the missing answer tells why
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def hear(self) -> str:
        """Return the next line that it writes.

        Raises:
            InferenceError: it ended, or had to be ended.
        """
        if self._process.stdout is None:
            raise RuntimeError("the worker was started without pipes")
        timer = threading.Timer(self.patience_s, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            answer = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not answer:
            raise InferenceError(self._end())
        return answer

    def _give_up(self) -> None:
        self._hung = True
        self._process.kill()

    def _end(self) -> str:
        """Return how it ended, and the last that it said."""
        code = self._process.wait()
        if self._hung:
            return f"it gave no answer within {self.patience_s:g} s"
        said = self._errors.read_text("utf-8", "replace").strip().rpartition("\n")[2]
        ended = f"its process ended (exit code {code})"
        return f"{ended}: {said[-_TOLD_CHARACTERS:]}" if said else ended


@contextlib.contextmanager
def started(module: str = WORKER) -> Iterator[Worker]:
    """Start a worker that waits for its job; it is gone when the ``with`` ends."""
    package = str(Path(vtbridge.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    with (
        tempfile.NamedTemporaryFile(suffix=".log") as errors,
        subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        ) as process,
    ):
        worker = Worker(process, Path(errors.name))
        try:
            yield worker
            worker.end()
        finally:
            process.kill()
