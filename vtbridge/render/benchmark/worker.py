"""One contender: ``python -m vtbridge.render.benchmark.worker``.

Reads a ``Job``, answers ``Ready``; then reads indices of poses and answers each with a
``Turn``; ends when stdin does, or after a turn with a problem.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Protocol

import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import InferenceError, VtbridgeError
from vtbridge.render.benchmark.messages import Job, Kind, Ready, Turn
from vtbridge.telemetry import Telemetry

_CACHES = "render.cache."
_LIBRARIES = ("torch", "openvino", "onnxruntime")


class Painter(Protocol):
    """What every contender can do."""

    def describe(self) -> str:
        """Return what computes."""

    def render(self, values: F32Array) -> None:
        """Compute the 8-bit frame of a pose; what is measured."""

    def shown(self) -> U8Array:
        """Return the last frame, uint8 [512, 512, 4], premultiplied sRGB; not measured."""


class StageTimes(Telemetry):
    """Telemetry that also keeps the time of each stage since it was cleared, milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.stages_ms: dict[str, float] = {}

    def observe(self, stage: str, duration_ns: int) -> None:
        """Keep and count one duration of ``render.<stage>``."""
        name = stage.removeprefix("render.")
        self.stages_ms[name] = self.stages_ms.get(name, 0.0) + duration_ns / 1e6
        super().observe(stage, duration_ns)


class OurPoser:
    """A poser as ``settings`` open it."""

    def __init__(self, job: Job, rgba: U8Array, times: StageTimes) -> None:
        from vtbridge.render.tha3 import open_poser

        self._poser = open_poser(job.settings, times)
        digest = hashlib.sha256(rgba.tobytes()).hexdigest()
        self._poser.set_picture(Picture(rgba=rgba, name="benchmark", digest=digest))
        self._frame: U8Array = rgba

    def describe(self) -> str:
        """Return what computes."""
        return self._poser.describe()

    def render(self, values: F32Array) -> None:
        """Compute the frame of a pose."""
        self._frame = self._poser.render(values)

    def shown(self) -> U8Array:
        """Return the last frame."""
        return self._frame


def main() -> None:
    """Talk to the benchmark over stdin and stdout."""
    # Whatever a library prints must not end up between two messages.
    answers, sys.stdout = sys.stdout, sys.stderr
    job = Job.model_validate_json(sys.stdin.readline())
    inputs = np.load(job.inputs)
    poses = inputs["poses"]
    times = StageTimes()
    try:
        painter = _open(job, inputs["rgba"], times)
    except (VtbridgeError, ImportError, OSError) as error:
        answers.write(Ready(problem=str(error)).model_dump_json() + "\n")
        return
    versions = {name: sys.modules[name].__version__ for name in _LIBRARIES if name in sys.modules}
    ready = Ready(description=painter.describe(), versions=versions)
    answers.write(ready.model_dump_json() + "\n")
    answers.flush()
    for line in sys.stdin:
        turn = _turn(painter, poses[int(line)], times, job.shown)
        answers.write(turn.model_dump_json() + "\n")
        answers.flush()
        if turn.problem:
            return


def _open(job: Job, rgba: U8Array, times: StageTimes) -> Painter:
    if job.kind is Kind.POSER:
        return OurPoser(job, rgba, times)
    if job.folder is None:
        raise InferenceError(f"{job.kind} needs the folder that it runs out of")
    if job.kind is Kind.PLAIN:
        from vtbridge.render.benchmark.plain_poser import PlainPoser

        return PlainPoser(job.folder, rgba, times, threads=job.settings.threads)
    from vtbridge.render.benchmark.reference import ReferencePoser

    return ReferencePoser(job.folder, rgba, times, threads=job.settings.threads)


def _turn(painter: Painter, pose: F32Array, times: StageTimes, shown: Path | None) -> Turn:
    times.stages_ms.clear()
    start_ns, cpu_start_ns = perf_counter_ns(), process_time_ns()
    try:
        painter.render(pose)
    except VtbridgeError as error:
        return Turn(problem=str(error))
    frame_ms = (perf_counter_ns() - start_ns) / 1e6
    cpu_ms = (process_time_ns() - cpu_start_ns) / 1e6
    stages_ms = dict(times.stages_ms)
    if shown is not None:
        painter.shown().tofile(shown)
    return Turn(
        frame_ms=frame_ms,
        cpu_ms=cpu_ms,
        stages_ms=stages_ms,
        counters={k: n for k, n in times.counters().items() if k.startswith(_CACHES)},
        torch="torch" in sys.modules,
    )


if __name__ == "__main__":
    main()
