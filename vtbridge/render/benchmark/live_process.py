"""Have a live poser watched in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vtbridge.errors import InferenceError
from vtbridge.render.benchmark.messages import LiveJob, LiveNews
from vtbridge.render.benchmark.process import started

WORKER = "vtbridge.render.benchmark.live_worker"


def measure_live(
    job: LiveJob, advanced: Callable[[str, int, int], None], *, module: str = WORKER
) -> dict[str, Any]:
    """Return what the display gets, for JSON: the fields of ``live.LiveResult`` and likenesses.

    What failed is told in it, as ``{"ran": false, "reason": ...}``.

    Args:
        job: what to measure.
        advanced: told what is done, how much of it, and of how much.
        module: that measures.
    """
    try:
        with started(module) as worker:
            worker.say(job.model_dump_json())
            while True:
                news = LiveNews.model_validate_json(worker.hear())
                if news.problem:
                    return {"ran": False, "reason": news.problem}
                if news.result is not None:
                    return {"ran": True, **news.result}
                advanced(news.doing, news.done, news.total)
    except InferenceError as error:
        return {"ran": False, "reason": str(error)}
