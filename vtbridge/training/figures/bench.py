"""Measure how many pictures of 3D models this machine draws in an hour."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.processes import alone_on_a_core
from vtbridge.training.figures.bench_figure import bench_figure
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.framing import camera_of
from vtbridge.training.figures.gl import FigureRenderer
from vtbridge.training.figures.gl_context import drawing_context
from vtbridge.training.figures.posing import posed
from vtbridge.training.figures.read import read_figure
from vtbridge.training.sources.subject import Light, Shading

SIZE = 256
PROMISED_AN_HOUR = 150_000
"""Pictures that two cores draw of a model of 20 000 triangles."""
PROMISED_PROCESSES = 2
_WARM_UP = 5
_S_PER_HOUR = 3600
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class DrawingJob:
    """What one process measures.

    Attributes:
        model: the file of a 3D model, None is a made-up one.
        shading: how it is drawn.
        pictures: how many count.
        seed: of the poses.
    """

    model: Path | None
    shading: Shading
    pictures: int
    seed: int


@dataclass(frozen=True, slots=True)
class DrawingTimes:
    """What one process measured.

    Attributes:
        renderer: OpenGL's name of what drew.
        triangles: of the model.
        started_ns: of the first picture that counts, on a clock that all processes share.
        posed_ns: when each picture's pose was done.
        drawn_ns: when each picture was there.
        cpu_ns: that this process computed for all of them.
    """

    renderer: str
    triangles: int
    started_ns: int
    posed_ns: tuple[int, ...]
    drawn_ns: tuple[int, ...]
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class DrawingResult:
    """What all processes do together.

    Attributes:
        shading: how the model was drawn.
        pose_ms: mean milliseconds that a pose takes.
        draw_ms: mean milliseconds from there to the picture.
        cpu_ms: mean milliseconds that a core computes for a picture, whoever else is busy.
        images_per_hour: of all processes.
    """

    shading: Shading
    pose_ms: float
    draw_ms: float
    cpu_ms: float
    images_per_hour: float


@dataclass(frozen=True, slots=True)
class DrawingReport:
    """A whole measurement.

    Attributes:
        made_up: whether the model is the one that the promise speaks of.
        renderer: OpenGL's name of what drew.
        triangles: of the model.
        size: side of the pictures, pixels.
        processes: how many drew at once.
        results: one for each shading.
    """

    made_up: bool
    renderer: str
    triangles: int
    size: int
    processes: int
    results: tuple[DrawingResult, ...]

    @property
    def promised_an_hour(self) -> float:
        """Pictures an hour that so many processes owe."""
        return PROMISED_AN_HOUR * self.processes / PROMISED_PROCESSES

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept.

        None where that cannot be told: of a model that the promise does not speak of, or where
        the cores would have done it but had other work.
        """
        if not self.made_up:
            return None
        if all(each.images_per_hour >= self.promised_an_hour for each in self.results):
            return True
        could = self.processes * _S_PER_HOUR * 1e3
        if all(could / each.cpu_ms >= self.promised_an_hour for each in self.results):
            return None
        return False


def measure_drawing(
    model: Path | None,
    processes: int,
    pictures: int,
    told: Callable[[int, int], None],
) -> DrawingReport:
    """Draw a model in random poses in as many processes at once, shading by shading.

    Args:
        model: a PMX, PMD or VRM file, None for a made-up one.
        processes: at least 1, each on one thread.
        pictures: that count, in each process and shading.
        told: hears how many measurements are done, and of how many.

    Raises:
        DatasetError: the model cannot be read or drawn.
    """
    spawn = multiprocessing.get_context("spawn")
    results = []
    with ExitStack() as stack:
        # A pool for each, so that nobody waits for what another one draws.
        pools = [
            stack.enter_context(
                ProcessPoolExecutor(1, mp_context=spawn, initializer=alone_on_a_core)
            )
            for _ in range(processes)
        ]
        for done, shading in enumerate(Shading):
            told(done, len(Shading))
            waiting: list[Future[DrawingTimes]] = [
                pool.submit(draw_alone, DrawingJob(model, shading, pictures, seed))
                for seed, pool in enumerate(pools)
            ]
            times = [future.result() for future in waiting]
            results.append(result_of(shading, times))
        told(len(Shading), len(Shading))
    return DrawingReport(
        made_up=model is None,
        renderer=times[0].renderer,
        triangles=times[0].triangles,
        size=SIZE,
        processes=processes,
        results=tuple(results),
    )


def draw_alone(job: DrawingJob, clock: Clock | None = None) -> DrawingTimes:
    """Draw in this process.

    Args:
        job: what to draw.
        clock: the system's by default.

    Raises:
        DatasetError: the model cannot be read or drawn.
    """
    clock = clock or MonotonicClock()
    figure = bench_figure() if job.model is None else read_figure(job.model)
    binding = bind(figure, None)
    camera = camera_of(figure, binding)
    light = Light(shading=job.shading)
    shown = sorted(binding.shows)
    poses = np.zeros((_WARM_UP + job.pictures, len(PoseParam)), np.float32)
    poses[:, shown] = np.random.default_rng(job.seed).random((len(poses), len(shown)))
    started_ns = cpu_before_ns = 0
    posed_ns, drawn_ns = [], []
    renderer = FigureRenderer(figure, SIZE)
    try:
        for i, pose in enumerate(poses):
            if i == _WARM_UP:
                started_ns, cpu_before_ns = clock.now_ns(), time.process_time_ns()
            positions, normals = posed(figure, binding, pose)
            posed_ns.append(clock.now_ns())
            renderer.draw(positions, normals, camera, light)
            drawn_ns.append(clock.now_ns())
        cpu_ns = time.process_time_ns() - cpu_before_ns
    finally:
        renderer.close()
    return DrawingTimes(
        renderer=str(drawing_context().gl.info["GL_RENDERER"]),
        triangles=len(figure.triangles),
        started_ns=started_ns,
        posed_ns=tuple(posed_ns[_WARM_UP:]),
        drawn_ns=tuple(drawn_ns[_WARM_UP:]),
        cpu_ns=cpu_ns,
    )


def result_of(shading: Shading, times: Sequence[DrawingTimes]) -> DrawingResult:
    """Return what processes do together: pictures count while all of them draw.

    Where they never all draw, which is only so with very few pictures, each counts by itself.
    """
    begin_ns = max(each.started_ns for each in times)
    end_ns = min(each.drawn_ns[-1] for each in times)
    a_second = 0.0
    pose_ns, draw_ns = [], []
    for each in times:
        begun = np.array([each.started_ns, *each.drawn_ns[:-1]])
        posed_at, drawn = np.array(each.posed_ns), np.array(each.drawn_ns)
        pose_ns.append(posed_at - begun)
        draw_ns.append(drawn - posed_at)
        among = (begun >= begin_ns) & (drawn <= end_ns)
        if not among.any():
            among[:] = True
        a_second += among.sum() / ((drawn - begun)[among].sum() / NS_PER_S)
    return DrawingResult(
        shading=shading,
        pose_ms=float(np.concatenate(pose_ns).mean()) / _NS_PER_MS,
        draw_ms=float(np.concatenate(draw_ns).mean()) / _NS_PER_MS,
        cpu_ms=sum(each.cpu_ns for each in times) / sum(map(len, draw_ns)) / _NS_PER_MS,
        images_per_hour=a_second * _S_PER_HOUR,
    )
