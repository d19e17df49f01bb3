"""One contender: ``python -m vtbridge.render.benchmark.worker``.

Reads a ``Job``, answers ``Ready``; then reads indices of poses and answers each with a
``Turn``; ends when stdin does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter_ns

import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.render.benchmark.messages import Job, Ready, Turn
from vtbridge.telemetry import Telemetry


class StageTimes(Telemetry):
    """Telemetry that also keeps the last time of each stage, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.stages_ms: dict[str, float] = {}

    def observe(self, stage: str, duration_ns: int) -> None:
        """Keep and count one duration of ``render.<stage>``."""
        self.stages_ms[stage.removeprefix("render.")] = duration_ns / 1e6
        super().observe(stage, duration_ns)


def main() -> None:
    """Talk to the benchmark over stdin and stdout."""
    # Whatever a library prints must not end up between two messages.
    answers, sys.stdout = sys.stdout, sys.stderr
    job = Job.model_validate_json(sys.stdin.readline())
    inputs = np.load(job.inputs)
    times = StageTimes()
    try:
        start = _start_vtbridge if job.reference is None else _start_reference
        ready, frame = start(job, inputs["rgba"], times)
    except (VtbridgeError, ImportError, OSError) as error:
        ready = Ready(problem=str(error))
    answers.write(ready.model_dump_json() + "\n")
    answers.flush()
    if ready.problem:
        return
    for line in sys.stdin:
        pose = inputs["poses"][int(line)]
        times.stages_ms.clear()
        start_ns = perf_counter_ns()
        frame(pose)
        frame_ms = (perf_counter_ns() - start_ns) / 1e6
        answers.write(Turn(frame_ms=frame_ms, stages_ms=times.stages_ms).model_dump_json() + "\n")
        answers.flush()


def _start_vtbridge(
    job: Job, rgba: U8Array, times: StageTimes
) -> tuple[Ready, Callable[[F32Array], object]]:
    from vtbridge.render.tha3 import open_poser

    poser = open_poser(job.settings, times)
    poser.set_picture(Picture(rgba=rgba, name="benchmark", digest=""))
    versions = {name: sys.modules[name].__version__ for name in _LIBRARIES if name in sys.modules}
    return Ready(description=poser.describe(), versions=versions), poser.render


def _start_reference(
    job: Job, rgba: U8Array, times: StageTimes
) -> tuple[Ready, Callable[[F32Array], object]]:
    from vtbridge.render.benchmark.reference import ReferencePoser

    if job.reference is None:
        raise VtbridgeError("the reference needs the folder of its wheel")
    poser = ReferencePoser(job.reference, rgba, times, threads=job.settings.threads)
    return Ready(description=poser.describe(), versions=poser.versions()), poser.render


_LIBRARIES = ("torch", "openvino")


if __name__ == "__main__":
    main()
