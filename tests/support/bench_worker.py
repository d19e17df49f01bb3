"""A contender for tests: does what its weights are called, without any networks.

``steady`` renders a grey of its pose's first value, ``brighter`` one level more; ``refuses``
cannot start, ``dies`` ends at pose 3, ``fails`` says why it cannot render pose 3, ``hangs``
never answers pose 3.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.render.benchmark.messages import Job, Ready, Turn

FRAME_MS = {"steady": 10.0, "brighter": 5.0}


def main() -> None:
    job = Job.model_validate_json(sys.stdin.readline())
    kind = job.settings.weights
    ready = Ready(problem="no such device") if kind == "refuses" else Ready(description=kind)
    say(ready.model_dump_json())
    poses = np.load(job.inputs)["poses"]
    for line in sys.stdin:
        say(turn(job, kind, int(line), poses).model_dump_json())


def turn(job: Job, kind: str, index: int, poses: F32Array) -> Turn:
    if index == 3 and kind == "dies":
        sys.stderr.write("Illegal instruction\n")
        sys.stderr.flush()
        os._exit(7)
    if index == 3 and kind == "hangs":
        time.sleep(60)
    if index == 3 and kind == "fails":
        return Turn(problem="the device is gone")
    if job.shown is not None:
        level = round(float(poses[index][0])) + (kind == "brighter")
        frame = np.full((512, 512, 4), 255, np.uint8)
        frame[..., :3] = level
        frame.tofile(job.shown)
    frame_ms = FRAME_MS.get(kind, 1.0)
    return Turn(frame_ms=frame_ms, cpu_ms=2 * frame_ms, counters={"render.cache.face.miss": index})


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
