"""``vtbridge character learn``: for the daemon, which has a character learn while it is live."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    import threading

    from vtbridge.datatypes import F32Array
    from vtbridge.training.distill.learn import LearnNews, Visits

_LONGEST_LINE = 1 << 14


def learn(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="A prepared character.")],
) -> None:
    """For programs: learn from the poses on standard input, until it is closed.

    Each line is JSON: {"pose": [45 numbers]}. Prints how far it is as lines of JSON, a line a
    second at most, and one for each new model.
    """
    import os
    import threading

    # Read when numpy is loaded: all of this is for one core.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

    from vtbridge.cli.character import require_torch, step_back
    from vtbridge.cli.logs import set_up_logging

    require_torch()
    set_up_logging()
    import torch

    from vtbridge.characters import load_from_folder
    from vtbridge.clock import MonotonicClock
    from vtbridge.render.baked.model_file import BakedManifest, Tensors, read_manifest
    from vtbridge.render.baked.store import MODEL_FILE, weights_sha256
    from vtbridge.render.weights.store import WeightStore
    from vtbridge.training.distill.body import BodyTrainer
    from vtbridge.training.distill.evaluation import Render
    from vtbridge.training.distill.learn import LearnTools, Visits
    from vtbridge.training.distill.learn import learn as run_learning
    from vtbridge.training.distill.teacher import open_teacher, require_teachable
    from vtbridge.training.distill.tools import rendering
    from vtbridge.training.distill.workplace import Workplace

    torch.set_num_threads(1)
    store, picture = WeightStore(), load_from_folder(package)
    weights = read_manifest(package / MODEL_FILE).weights
    require_teachable(weights, store)
    step_back(idle=True)
    visits, stop = Visits(), threading.Event()
    hear_poses(sys.stdin, visits, stop)

    def open_render(tensors: Tensors, about: BakedManifest) -> Render:
        return rendering(tensors, about, picture)

    with open_teacher(weights, picture, store, threads=1) as teacher:

        def tools(place: Workplace) -> LearnTools:
            return LearnTools(teacher, BodyTrainer(place.body, picture), open_render)

        run_learning(
            package,
            picture,
            visits,
            weights_sha256=weights_sha256(store, weights),
            tools=tools,
            told=LearnNewsAsJson(typer.echo, MonotonicClock()),
            stop=stop,
        )


def hear_poses(lines: TextIO, visits: Visits, stop: threading.Event) -> None:
    """Take poses from ``lines`` on a thread of their own; set ``stop`` once it is closed."""
    import threading

    def hear() -> None:
        while line := lines.readline(_LONGEST_LINE):
            pose = pose_in(line)
            if pose is not None:
                visits.add(pose)
        stop.set()

    threading.Thread(target=hear, name="input", daemon=True).start()


def pose_in(line: str) -> F32Array | None:
    """Return the pose of a line, None if there is none."""
    import json

    import numpy as np

    try:
        return np.array(json.loads(line)["pose"], np.float32)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


class LearnNewsAsJson:
    """Say a line of JSON a second, and one at each new model.

    Args:
        say: takes one line.
        clock: the monotonic clock.
    """

    def __init__(self, say: Any, clock: Any) -> None:
        self._say = say
        self._clock = clock
        self._said: tuple[int, int] | None = None
        self._nobody_hears = False

    def __call__(self, news: LearnNews) -> None:
        """Hear how far it is, and say it if it is time to."""
        import json

        said = self._clock.now_ns() // 10**9, news.written
        if said == self._said or self._nobody_hears:
            return
        self._said = said
        told = {
            "phase": news.phase,
            "turns": news.turns,
            "written": news.written,
            "psnr_db": None if news.accuracy is None else round(news.accuracy.psnr_db, 3),
        }
        try:
            self._say(json.dumps({"news": told}))
        except BrokenPipeError:
            self._nobody_hears = True
