"""Run the contenders in turns, compare what they show, and sum up what they needed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.benchmark.messages import Job, Turn
from vtbridge.render.benchmark.pose_path import PoseStream
from vtbridge.render.benchmark.process import WORKER, Worker, started
from vtbridge.render.benchmark.similarity import Likeness, likeness

_REST_S = 0.02  # for the threads of the one before to go to sleep
_WRAPPERS = frozenset({"fields"})  # times that hold other stages

Advanced = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""


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
        problem: why it did not run to the end, empty if it did.
        versions: of the libraries behind it.
        turns: every frame that counts, in order.
        likenesses: of each of them to the baseline's; none of the baseline itself.
        rss_mb: the most memory that it held after a frame, MB of 2**20 bytes.
        startup_s: from the start of its process to its first frame, when everything it reads
            had been read before; None if that was not measured.
    """

    name: str
    description: str = ""
    problem: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    likenesses: list[Likeness] = field(default_factory=list)
    rss_mb: float = 0.0
    startup_s: float | None = None

    @property
    def ran(self) -> bool:
        """True if it rendered everything."""
        return bool(self.turns) and not self.problem

    @property
    def ms(self) -> float:
        """Mean time of a frame, milliseconds: caches make frames too unequal for a median."""
        return float(np.mean([turn.frame_ms for turn in self.turns]))

    @property
    def cpu_ms(self) -> float:
        """Mean time of the processor for a frame, milliseconds."""
        return float(np.mean([turn.cpu_ms for turn in self.turns]))

    def percentile_ms(self, percent: float) -> float:
        """Return the time that ``percent`` of the frames do not exceed, milliseconds."""
        return float(np.percentile([turn.frame_ms for turn in self.turns], percent))

    def stages_ms(self) -> dict[str, float]:
        """Return each stage's part of ``ms``; a stage that was skipped took no time."""
        names = {name: None for turn in self.turns for name in turn.stages_ms}
        return {
            name: sum(turn.stages_ms.get(name, 0.0) for turn in self.turns) / len(self.turns)
            for name in names
            if name not in _WRAPPERS
        }

    def stage_rates(self) -> dict[str, float]:
        """Return for each stage the share of the frames in which it ran, 0..1."""
        return {
            name: sum(name in turn.stages_ms for turn in self.turns) / len(self.turns)
            for name in self.stages_ms()
        }

    def hit_rates(self) -> dict[str, float]:
        """Return for each cache the share of look-ups that found something, 0..1."""
        counted = self.turns[-1].counters
        regions = {name.removeprefix("render.cache.").rpartition(".")[0]: None for name in counted}
        rates = {}
        for region in regions:
            hits = counted.get(f"render.cache.{region}.hit", 0)
            misses = counted.get(f"render.cache.{region}.miss", 0)
            if hits + misses:
                rates[region] = hits / (hits + misses)
        return rates


def measure(
    contenders: Sequence[Contender],
    stream: PoseStream,
    advanced: Advanced,
    *,
    module: str = WORKER,
    rest: Callable[[], None] = lambda: time.sleep(_REST_S),
) -> list[Result]:
    """Let the contenders render the same poses in turns.

    The first contender that runs is the baseline of all likenesses. One that fails, now or in
    the middle, is told of in its result; the others go on.

    Args:
        contenders: whom to compare.
        stream: the poses that the jobs hold, and which of them count.
        advanced: told how far it is.
        module: that a contender's process runs.
        rest: called between two turns.
    """
    results = [Result(contender.name, problem=contender.problem) for contender in contenders]
    with contextlib.ExitStack() as stack:
        running: list[tuple[Worker, Job, Result]] = []
        for done, (contender, result) in enumerate(zip(contenders, results, strict=True)):
            advanced("loading", done, len(contenders))
            if contender.job is not None and not result.problem:
                worker = stack.enter_context(started(module))
                if _began(worker, contender.job, result):
                    running.append((worker, contender.job, result))
        for index, counted in enumerate(stream.counted):
            advanced("rendering", index, len(stream.counted))
            truth: U8Array | None = None
            for worker, job, result in running:
                if result.problem:
                    continue
                rest()
                frame = _rendered(worker, job, result, index, counted=bool(counted))
                if frame is not None and counted and truth is not None:
                    result.likenesses.append(likeness(frame, truth))
                elif result is running[0][2]:
                    truth = frame
    return results


def measure_startup(
    contenders: Sequence[Contender],
    results: Sequence[Result],
    advanced: Advanced,
    *,
    module: str = WORKER,
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> None:
    """Start those that ran once more, alone and one after the other, up to their first frame."""
    for done, (contender, result) in enumerate(zip(contenders, results, strict=True)):
        advanced("starting", done, len(contenders))
        if contender.job is None or not result.ran:
            continue
        job = contender.job.model_copy(update={"shown": None})
        start_ns = now_ns()
        with started(module) as worker, contextlib.suppress(InferenceError):
            if not worker.begin(job).problem:
                worker.render(0)
                result.startup_s = (now_ns() - start_ns) / 1e9


def _began(worker: Worker, job: Job, result: Result) -> bool:
    try:
        ready = worker.begin(job)
    except InferenceError as error:
        result.problem = str(error)
        return False
    result.description, result.problem = ready.description, ready.problem
    result.versions = ready.versions
    return not ready.problem


def _rendered(
    worker: Worker, job: Job, result: Result, index: int, *, counted: bool
) -> U8Array | None:
    """Let ``worker`` take its turn; return what it shows, None if it failed."""
    try:
        turn = worker.render(index)
    except InferenceError as error:
        result.problem = f"frame {index}: {error}"
        return None
    if counted:
        result.turns.append(turn)
        result.rss_mb = max(result.rss_mb, worker.rss_mb())
    return None if job.shown is None else _frame_in(job.shown)


def _frame_in(path: Path) -> U8Array:
    return np.fromfile(path, np.uint8).reshape(PICTURE_SIZE, PICTURE_SIZE, 4)
