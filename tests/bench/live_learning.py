"""How much better a prepared character gets on a stream: ``python -m tests.bench.live_learning``.

Plays recorded poses in real time at 60 frames a second, once with the model as it is baked and
once while it learns beside them, on a copy of the package. What is shown is held against the
exact networks' frames: of the last minute, and of poses that were never played.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from vtbridge.app.first_use import open_first_use
from vtbridge.characters import load_from_folder
from vtbridge.clock import MonotonicClock
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array, Frame, Picture
from vtbridge.render.benchmark.live import SETTLE_S, PosePath, Sample, judged, watch
from vtbridge.render.live.baked_live import BakedLive
from vtbridge.render.live.live_frames import LiveFrames
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.live.open import baked_poser, open_live_poser
from vtbridge.render.pose_file import read_poses
from vtbridge.render.settings import Quality
from vtbridge.render.weights import DEFAULT_WEIGHTS
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry
from vtbridge.training.distill.teacher import open_teacher

FPS = 60.0
JUDGED_S = 60.0
NEVER_PLAYED = 0.2
SAMPLES = 30


def main() -> None:
    """Print one line of JSON for each of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("poses", type=Path, help=".json or .json.gz")
    parser.add_argument("--poses-fps", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=6.0)
    arguments = parser.parse_args()
    poses = read_poses(arguments.poses)
    played = poses[: round(len(poses) * (1 - NEVER_PLAYED))]
    never = poses[len(played) :: max(len(poses) // 5 // SAMPLES, 1)]
    for learn in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "character"
            shutil.copytree(arguments.package, package)
            shown_s = 60.0 * arguments.minutes if learn else JUDGED_S
            path = PosePath(played, arguments.poses_fps)
            print(json.dumps(_played(package, path, never, shown_s, learn=learn)), flush=True)


def _played(
    package: Path, path: PosePath, never: F32Array, seconds: float, *, learn: bool
) -> dict[str, object]:
    clock, telemetry, picture = MonotonicClock(), Telemetry(), load_from_folder(package)
    config = Config.model_validate(
        {
            "avatar": {"picture": str(package), "fps": FPS},
            "render": {"quality": Quality.BAKED, "package": str(package), "learn": learn},
        }
    )
    first = open_live_poser(config.render, picture, fps=FPS, clock=clock, telemetry=telemetry)
    if not isinstance(first, BakedLive):
        raise SystemExit(f"{package} is not prepared")
    live, learning = open_first_use(config, picture, first, clock=clock, telemetry=telemetry)
    if learning is not None:
        learning.start()
    counted = CountedBeats(live, telemetry)
    whole, samples = watch(
        counted,
        path,
        fps=FPS,
        seconds=seconds - SETTLE_S,
        clock=clock,
        advanced=lambda *_: None,
        samples=round(seconds / JUDGED_S * SAMPLES),
    )
    preparation = None if learning is None else learning.preparation()
    if learning is not None:
        learning.stop(timeout_s=30.0)
    live.close()
    time.sleep(3.0)  # what learnt ends by itself
    return {
        "learn": learn,
        "last_minute": _judged_by_exact(samples[-SAMPLES:], picture),
        "never_played": _of_model(package, config, never, picture),
        "fps": whole.fps,
        "shown_fps": whole.shown_fps,
        "missed_percent": whole.missed_percent,
        "frame_ms": whole.networks_ms,
        "learning": None if preparation is None else str(preparation.learning),
    }


class CountedBeats:
    """Count beats as the daemon's render loop does, for whoever has to be polite."""

    def __init__(self, live: LiveFrames, telemetry: Telemetry) -> None:
        self._live = live
        self._telemetry = telemetry

    @property
    def fps(self) -> float:
        return self._live.fps

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        return self._live.render(values, t_ns)

    def note_beats(self, beats: int, missed: int) -> None:
        self._live.note_beats(beats, missed)
        self._telemetry.count("pace.beats", beats)
        self._telemetry.count("pace.missed", missed)

    def status(self) -> LiveStatus:
        return self._live.status()


def _of_model(
    package: Path, config: Config, poses: F32Array, picture: Picture
) -> dict[str, float | int]:
    """Return how good the package's model is on ``poses``."""
    poser = baked_poser(config.render, picture, Telemetry())
    if poser is None:
        raise SystemExit(f"{package} cannot be shown")
    samples = [Sample(poser.render(pose).copy(), pose) for pose in poses]
    return _judged_by_exact(samples, picture)


def _judged_by_exact(samples: list[Sample], picture: Picture) -> dict[str, float | int]:
    with open_teacher(DEFAULT_WEIGHTS, picture, WeightStore(), threads=2) as teacher:
        return judged(samples, teacher.frame)


if __name__ == "__main__":
    main()
