"""Run the contenders in turns and sum up what they needed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

import vtbridge
from vtbridge.errors import InferenceError
from vtbridge.render.benchmark.messages import Job, Ready, Turn

WARM_UP = 2
"""Frames that every contender renders before the first that counts."""

_END_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to compare: its name and its job, or why it is not run."""

    name: str
    job: Job | None = None
    problem: str = ""


@dataclass(slots=True)
class Result:
    """What one contender needed.

    Attributes:
        name: of the contender.
        description: what computed, empty if it did not run.
        problem: why it did not run, empty if it did.
        versions: of the libraries behind it.
        turns: every frame that counts, in order.
    """

    name: str
    description: str = ""
    problem: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """Median time of a frame, milliseconds."""
        return median(turn.frame_ms for turn in self.turns)

    @property
    def p90_ms(self) -> float:
        """Time that nine frames of ten do not exceed, milliseconds."""
        return float(np.percentile([turn.frame_ms for turn in self.turns], 90))

    def stages_ms(self) -> dict[str, float]:
        """Return the median time of each stage over the frames in which it ran."""
        names = {name: None for turn in self.turns for name in turn.stages_ms}
        return {
            name: median(turn.stages_ms[name] for turn in self.turns if name in turn.stages_ms)
            for name in names
        }


def measure(
    contenders: Sequence[Contender], frames: int, advanced: Callable[[int], None]
) -> list[Result]:
    """Let the contenders render the same poses in turns.

    Args:
        contenders: whom to compare; one that cannot run is told of in its result.
        frames: how many frames count; the jobs hold that many poses and ``WARM_UP`` more.
        advanced: called with the frames done so far.

    Raises:
        InferenceError: a contender that had started died.
    """
    results = [Result(contender.name, problem=contender.problem) for contender in contenders]
    with contextlib.ExitStack() as stack:
        running = []
        for contender, result in zip(contenders, results, strict=True):
            if contender.job is None:
                continue
            worker = stack.enter_context(_worker(contender.name, contender.job))
            ready = Ready.model_validate_json(worker.ask(contender.job.model_dump_json()))
            result.description, result.problem = ready.description, ready.problem
            result.versions = ready.versions
            if not ready.problem:
                running.append((worker, result))
        for frame in range(-WARM_UP, frames):
            for worker, result in running:
                turn = Turn.model_validate_json(worker.ask(str(frame + WARM_UP)))
                if frame >= 0:
                    result.turns.append(turn)
            advanced(max(0, frame + 1))
    return results


class _Worker:
    """A contender's process, one question at a time."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name = name
        self._process = process

    def ask(self, line: str) -> str:
        """Send ``line`` and return the line that answers it."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker was started without pipes")
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise InferenceError(
                f"the contender {self._name} died (exit code {self._process.wait()}); what it "
                "said is above"
            )
        return answer


@contextlib.contextmanager
def _worker(name: str, job: Job) -> Iterator[_Worker]:
    package = str(Path(vtbridge.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        [sys.executable, "-m", "vtbridge.render.benchmark.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    ) as process:
        try:
            yield _Worker(name, process)
            if process.stdin is not None:
                process.stdin.close()  # its sign to end
            with contextlib.suppress(subprocess.TimeoutExpired):  # it has answered everything
                process.wait(_END_TIMEOUT_S)
        finally:
            process.kill()
