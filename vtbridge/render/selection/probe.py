"""Compare candidates: each in a process of its own, tested, then timed in turns."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

import vtbridge
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried
from vtbridge.render.selection.probe_process import ProbeJob

PATIENCE_S = 90.0
"""The longest that a candidate may take to open and answer the test card."""

HURRY_S = 25.0
"""The same where somebody waits for the avatar."""

COMMAND = (sys.executable, "-m", "vtbridge.render.selection.probe_process")
_TURNS = 5
_END_S = 10.0
_SHORTEST_S = 0.5
_HOPELESS = 3.0
_TOLD_CHARACTERS = 200


class Probe(Protocol):
    """Tells what becomes of candidates."""

    def __call__(
        self, candidates: Sequence[Candidate], request: RuntimeRequest, *, patience_s: float
    ) -> tuple[Tried, ...]:
        """Return what became of each, in their order, after about ``patience_s`` at most."""


def probe(
    candidates: Sequence[Candidate],
    request: RuntimeRequest,
    *,
    patience_s: float = PATIENCE_S,
    command: Sequence[str] = COMMAND,
) -> tuple[Tried, ...]:
    """Open, test and time ``candidates``; whatever one does, it is an outcome.

    The right ones compute the same pose in turns, for a machine may change its clock from
    one second to the next; each is as fast as its quickest turn, for what else the machine
    does can only add to it.

    Args:
        candidates: what to compare.
        request: weights and threads.
        patience_s: how long one may take until it is tested; no further round of turns
            begins after that time.
        command: starts the process of one candidate.
    """
    end_s = monotonic() + patience_s
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(_child(candidate, command, patience_s)) for candidate in candidates
        ]
        for child in children:
            child.begin(request)
        for child in children:
            child.await_ready()
        for _ in range(_TURNS):
            for child in children:
                child.take_turn()
            fastest = min((min(child.times_ms) for child in children if child.times_ms), default=0)
            if monotonic() > end_s:
                break
            for child in children:
                child.hopeless = bool(child.times_ms) and min(child.times_ms) > _HOPELESS * fastest
        return tuple(child.tried() for child in children)


class _Child:
    """A candidate's process, one question at a time."""

    def __init__(
        self,
        candidate: Candidate,
        process: subprocess.Popen[str],
        errors: Path,
        patience_s: float,
    ) -> None:
        self._candidate = candidate
        self._process = process
        self._errors = errors
        self._patience_s = patience_s
        self._hung = False
        self._tried = Tried(candidate=candidate, outcome=Outcome.FAILED)
        self._begun_s = monotonic()
        self.times_ms: list[float] = []
        self.hopeless = False

    def begin(self, request: RuntimeRequest) -> None:
        """Hand the job over."""
        job = ProbeJob(
            store=request.store.root,
            weights=request.weights,
            threads=request.threads,
            candidate=self._candidate,
        )
        self._begun_s = monotonic()
        self._say(job.model_dump_json())

    def await_ready(self) -> None:
        """Wait until it is tested; all began at the same time, so that is what counts."""
        answer = self._answer(max(self._begun_s + self._patience_s - monotonic(), _SHORTEST_S))
        try:
            self._tried = Tried.model_validate_json(answer)
        except ValueError:
            self._fail(answer)

    def take_turn(self) -> None:
        """Let it compute one pose, unless it is wrong or far behind."""
        if self._tried.outcome is not Outcome.RIGHT or self.hopeless:
            return
        self._say("")
        answer = self._answer(self._patience_s)
        try:
            self.times_ms.append(float(answer))
        except ValueError:
            self._fail(answer)

    def tried(self) -> Tried:
        """Return what became of it."""
        if not self.times_ms or self._tried.outcome is not Outcome.RIGHT:
            return self._tried
        return self._tried.model_copy(update={"frame_ms": min(self.times_ms)})

    def _say(self, line: str) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the process was started without pipes")
        with contextlib.suppress(BrokenPipeError):  # the missing answer tells why
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _answer(self, patience_s: float) -> str:
        """Return its next line, empty if it ended or had to be ended."""
        if self._process.stdout is None:
            raise RuntimeError("the process was started without pipes")

        def end() -> None:
            self._hung = True
            self._process.kill()

        timer = threading.Timer(patience_s, end)
        timer.daemon = True
        timer.start()
        try:
            return self._process.stdout.readline()
        finally:
            timer.cancel()

    def _fail(self, answer: str) -> None:
        if self._hung:
            self._tried = Tried(
                candidate=self._candidate,
                outcome=Outcome.NOT_COMPARED,
                why=f"it gave no answer within {self._patience_s:g} s",
                remedy="vtbridge doctor",
            )
            return
        if answer:
            why = f"it gave an answer that is none ({answer.strip()[:_TOLD_CHARACTERS]!r})"
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
            why = f"it ended its process ({_end_of(self._process.poll())})"
        self._process.kill()
        said = self._errors.read_text("utf-8", "replace").strip().rpartition("\n")[2]
        why += f": {said[:_TOLD_CHARACTERS]}" if said else ""
        self._tried = Tried(candidate=self._candidate, outcome=Outcome.FAILED, why=why)


@contextlib.contextmanager
def _child(candidate: Candidate, command: Sequence[str], patience_s: float) -> Iterator[_Child]:
    package = str(Path(vtbridge.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    with (
        tempfile.NamedTemporaryFile(suffix=".log") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        ) as process,
    ):
        try:
            yield _Child(candidate, process, Path(errors.name), patience_s)
        finally:
            process.kill()


def _end_of(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
