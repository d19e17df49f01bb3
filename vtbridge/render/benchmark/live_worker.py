"""Watch a live poser: ``python -m vtbridge.render.benchmark.live_worker``.

Reads a ``LiveJob`` and answers with ``LiveNews``, the last with the result. A process of its
own, so that nothing else takes the display's time.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import Picture
from vtbridge.errors import VtbridgeError
from vtbridge.render.benchmark.live import Advanced, PosePath, Sample, judged, watch
from vtbridge.render.benchmark.messages import LiveJob, LiveNews
from vtbridge.render.live.open import open_live_poser
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.render.tha3 import open_poser
from vtbridge.telemetry import Telemetry

Row = dict[str, float | int | str | None]


def main() -> None:
    """Talk to the benchmark over stdin and stdout."""
    answers, sys.stdout = sys.stdout, sys.stderr
    last = LiveNews()

    def tell(news: LiveNews) -> None:
        nonlocal last
        if news != last:
            last = news
            answers.write(news.model_dump_json() + "\n")
            answers.flush()

    job = LiveJob.model_validate_json(sys.stdin.readline())
    try:
        tell(LiveNews(result=_measured(job, tell)))
    except (VtbridgeError, ImportError, OSError) as error:
        tell(LiveNews(problem=str(error)))


def _measured(job: LiveJob, tell: Callable[[LiveNews], None]) -> Row:
    inputs = np.load(job.inputs)
    rgba = inputs["rgba"]
    picture = Picture(
        rgba=rgba, name="benchmark", digest=hashlib.sha256(rgba.tobytes()).hexdigest()
    )
    clock = MonotonicClock()

    def advanced(doing: str, done: int, total: int) -> None:
        tell(LiveNews(doing=doing, done=done, total=total))

    live = open_live_poser(
        job.settings, picture, fps=job.fps, clock=clock, telemetry=Telemetry(clock)
    )
    try:
        path = PosePath(inputs["poses"], job.poses_fps)
        result, samples = watch(
            live,
            path,
            fps=job.fps,
            seconds=job.seconds,
            clock=clock,
            advanced=advanced,
            samples=job.samples,
        )
    finally:
        live.close()
    return {**asdict(result), **_judged(job.settings, picture, samples, advanced)}


def _judged(
    settings: RenderSettings, picture: Picture, samples: list[Sample], advanced: Advanced
) -> Row:
    """Compare ``samples`` with the exact frames of the same runtime."""
    exact = open_poser(settings.model_copy(update={"quality": Quality.EXACT}), Telemetry())
    try:
        exact.set_picture(picture)
        advanced("comparing", 0, 0)
        return {**judged(samples, exact.render)}
    finally:
        exact.close()


if __name__ == "__main__":
    main()
