"""What ``vtbridge bench`` measures, each as a part of its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbridge.render.settings import Quality

if TYPE_CHECKING:
    from vtbridge.cli.progress import Progress
    from vtbridge.datatypes import F32Array, Picture
    from vtbridge.render.benchmark.contenders import Field

PERFORMANCE = "the built-in performance"
_TRACKED_FRAMES = 600
_DRAWN_PICTURES = 200
_LIVE_FPS = 60


def measure_render(
    field: Field,
    frames: int,
    poses: Path | None,
    picture: Picture,
    live_s: float | None,
    progress: Progress,
) -> dict[str, Any]:
    """Return the report of all contenders.

    Args:
        field: who takes part.
        frames: that count, for each.
        poses: a recording, None takes the performance.
        picture: of the character.
        live_s: how long a display is fed, None leaves it out.
        progress: hears how far it is.

    Raises:
        VtbridgeError: a contender or the recording cannot be used.
    """
    import tempfile

    import numpy as np

    from vtbridge.render.benchmark.contenders import contenders
    from vtbridge.render.benchmark.machine import describe_machine
    from vtbridge.render.benchmark.measure import measure, measure_startup
    from vtbridge.render.benchmark.pose_path import FPS, excerpts
    from vtbridge.render.benchmark.promises import promises
    from vtbridge.render.benchmark.report import rows

    stream = excerpts(_recording(poses, round(FPS)), frames)
    with tempfile.TemporaryDirectory(prefix="vtbridge-bench-") as scratch:
        folder = Path(scratch)
        inputs = folder / "inputs.npz"
        np.savez(inputs, rgba=picture.rgba, poses=stream.values)
        found = contenders(field, inputs, folder, lambda doing: progress(doing, 0, 0))
        results = measure(found, stream, progress)
        measure_startup(found, results, progress)
        report: dict[str, Any] = {
            "machine": describe_machine(),
            "frames": frames,
            "poses": str(poses or PERFORMANCE),
            "character": picture.name,
            **rows(results),
            "live": None,
        }
        if live_s is not None:
            report["live"] = _measure_live(field, poses, picture, live_s, folder, progress)
    report["promises"] = promises(report)
    return report


def _measure_live(
    field: Field,
    poses: Path | None,
    picture: Picture,
    seconds: float,
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    import numpy as np

    from vtbridge.render.benchmark.live import SAMPLES
    from vtbridge.render.benchmark.live_process import measure_live
    from vtbridge.render.benchmark.messages import LiveJob
    from vtbridge.render.benchmark.pose_path import FPS
    from vtbridge.render.settings import RenderSettings

    poses_fps = _LIVE_FPS if poses is None else round(FPS)
    inputs = folder / "live.npz"
    np.savez(inputs, rgba=picture.rgba, poses=_recording(poses, poses_fps))
    settings = RenderSettings(
        runtime=field.runtime,
        # What a streamer without a graphics card is promised.
        quality=field.quality or Quality.BALANCED,
        weights=field.weights,
        threads=field.threads,
        package="" if field.package is None else str(field.package),
    )
    job = LiveJob(
        inputs=inputs,
        settings=settings,
        poses_fps=poses_fps,
        fps=_LIVE_FPS,
        seconds=seconds,
        samples=SAMPLES,
    )
    return measure_live(job, progress)


def measure_trackers(progress: Progress) -> dict[str, Any]:
    """Return what a face of each tracker costs, from the packet to the pose."""
    from dataclasses import asdict

    from vtbridge.app.tracking_bench import FPS, LIMIT_MS, ROUNDS, measure_tracking
    from vtbridge.clock import MonotonicClock
    from vtbridge.tracking.protocols.table import PROTOCOLS

    results = measure_tracking(
        _TRACKED_FRAMES,
        MonotonicClock(),
        advanced=lambda done: progress("tracking", done, len(PROTOCOLS) * ROUNDS),
    )
    return {
        "fps": FPS,
        "limit_ms": LIMIT_MS,
        "rounds": ROUNDS,
        "kept": all(result.kept for result in results),
        "results": [
            {
                **asdict(result),
                "p50_ms": round(result.p50_ms, 4),
                "p99_ms": round(result.p99_ms, 4),
                "cpu_p50_ms": round(result.cpu_p50_ms, 4),
                "cpu_p99_ms": round(result.cpu_p99_ms, 4),
                "kept": result.kept,
            }
            for result in results
        ],
    }


def measure_dataset(model: Path | None, processes: int, progress: Progress) -> dict[str, Any]:
    """Return how many pictures of a 3D model an hour gives.

    Args:
        model: its file, None is made up.
        processes: how many draw at once, 0 is one a core.
        progress: hears how far it is.

    Raises:
        DatasetError: the model cannot be read, or nothing can be drawn here.
    """
    import os
    from dataclasses import asdict

    from vtbridge.training.figures.bench import measure_drawing

    report = measure_drawing(
        model,
        processes or os.cpu_count() or 1,
        _DRAWN_PICTURES,
        lambda done, total: progress("drawing", done, total),
    )
    return {
        "model": None if model is None else str(model),
        "renderer": report.renderer,
        "triangles": report.triangles,
        "size": report.size,
        "processes": report.processes,
        "promised_an_hour": round(report.promised_an_hour),
        "kept": report.kept,
        "results": [
            {
                **asdict(result),
                "pose_ms": round(result.pose_ms, 3),
                "draw_ms": round(result.draw_ms, 3),
                "cpu_ms": round(result.cpu_ms, 3),
                "images_per_hour": round(result.images_per_hour),
            }
            for result in report.results
        ],
    }


def _recording(poses: Path | None, fps: int) -> F32Array:
    """Return the recorded poses, or the performance's at ``fps``."""
    from vtbridge.app.performed_poses import performed_poses
    from vtbridge.render.pose_file import read_poses

    return performed_poses(fps) if poses is None else read_poses(poses)
