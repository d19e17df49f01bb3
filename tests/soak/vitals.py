"""What an avatar takes of the machine, sampled: one row of figures after another."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from tests.soak.stage import Stage

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """One moment. What could not be told then is None.

    Attributes:
        at_s: seconds of the soak.
        renderer: its process number.
        rss_mib, parent_rss_mib: memory of the renderer and of its supervisor.
        fds, threads: of the renderer.
        fps: frames of the last second.
        publish_p99_ms: of this renderer's life.
        face_to_frame_p50_ms, face_to_frame_p99_ms: of this renderer's life.
        missed: frames that came too late, of this renderer's life.
    """

    at_s: float
    renderer: int
    rss_mib: float
    parent_rss_mib: float
    fds: int
    threads: int
    parent_fds: int
    fps: float | None
    publish_p99_ms: float | None
    face_to_frame_p50_ms: float | None
    face_to_frame_p99_ms: float | None
    missed: int | None


def sample(stage: Stage, at_s: float) -> Vitals | None:
    """Return the figures of now, None while there is no renderer."""
    try:
        parent = psutil.Process(stage.daemon.process.pid)
        renderer = psutil.Process(stage.daemon.renderer_pid)
        if renderer.pid == parent.pid:
            return None
        told = stage.status()
        latency = told.get("latency_ms", {})
        face = latency.get("face_to_frame", {})
        return Vitals(
            at_s=round(at_s, 2),
            renderer=renderer.pid,
            rss_mib=renderer.memory_info().rss / MIB,
            parent_rss_mib=parent.memory_info().rss / MIB,
            fds=renderer.num_fds(),
            threads=renderer.num_threads(),
            parent_fds=parent.num_fds(),
            fps=told.get("fps"),
            publish_p99_ms=latency.get("publish", {}).get("p99"),
            face_to_frame_p50_ms=face.get("p50"),
            face_to_frame_p99_ms=face.get("p99"),
            missed=told.get("dropped"),
        )
    except psutil.Error:
        return None


def save(rows: list[Vitals], path: Path) -> None:
    """Write a CSV with a line for each moment."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Vitals)])
        table.writeheader()
        table.writerows(asdict(row) for row in rows)
