"""Run a module of ours in a process of its own that is thrown away afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import vtbridge
from vtbridge.errors import WeightsError
from vtbridge.render.weights.confinement import REFUSED_EXIT_CODE

_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USERPROFILE",
    "LOCALAPPDATA",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
)
# PyTorch asks again for what it frees: glibc need not have the system clear each page anew,
# which takes a third of the time.
_KEEPING_FREED_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
}
_TOLD_CHARACTERS = 600


def run_throwaway(
    module: str, job: str, *, what: str, timeout_s: float, told: Callable[[str], None]
) -> None:
    """Run ``python -m module`` with ``job`` on stdin; hand each line it writes to ``told``.

    It gets a small environment (no passwords or tokens of the user's) and its own process
    group; it is killed when the time is over or this thread is interrupted.

    Args:
        module: what to run.
        job: text for its stdin.
        what: the work's name in messages.
        timeout_s: time for all of it.
        told: called in this thread for every line of its stdout, without the newline.

    Raises:
        WeightsError: it failed, was refused something, or took too long.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= _KEEPING_FREED_MEMORY
    environment["PYTHONPATH"] = str(Path(vtbridge.__file__).parents[1])
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            _talk(child, job, told)
            code = child.wait()
        finally:
            timer.cancel()
            child.kill()
            child.wait()
        if late.is_set():
            raise WeightsError(f"{what} took more than {timeout_s:.0f} s and was ended")
        if code != 0:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()
            raise WeightsError(_failure(what, code, said))


def _talk(child: subprocess.Popen[str], job: str, told: Callable[[str], None]) -> None:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the process was started without pipes")
    with child.stdout, child.stdin:
        try:
            child.stdin.write(job)
            child.stdin.close()
        except BrokenPipeError:
            pass  # it ended early; its exit code says why
        for line in child.stdout:
            told(line.rstrip("\n"))


def _failure(what: str, code: int, said: str) -> str:
    if code == REFUSED_EXIT_CODE:
        tried = said.rpartition("forbidden: ")[2]
        return f"{what} was ended: the file tried to run code ({tried}); it is hostile, delete it"
    return f"{what} failed (exit code {code}): {said[-_TOLD_CHARACTERS:]}"
