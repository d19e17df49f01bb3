"""What is said of many processes follows from what each of them measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.figures import a_figure
from tests.support.mmd_files import write_pmx
from vtbridge.clock import ManualClock
from vtbridge.training.figures.bench import (
    DrawingJob,
    DrawingReport,
    DrawingResult,
    DrawingTimes,
    draw_alone,
    result_of,
)
from vtbridge.training.figures.bench_figure import bench_figure
from vtbridge.training.sources.subject import Shading

MS = 1_000_000


def times(started_ms: int, picture_ms: int, pictures: int) -> DrawingTimes:
    """Return what a process of even pace measures; a quarter of a picture is its pose."""
    drawn = [(started_ms + (i + 1) * picture_ms) * MS for i in range(pictures)]
    posed = [(started_ms + i * picture_ms) * MS + picture_ms * MS // 4 for i in range(pictures)]
    return DrawingTimes("r", 1, started_ms * MS, tuple(posed), tuple(drawn), pictures * 5 * MS)


def test_processes_add_up() -> None:
    result = result_of(Shading.TOON, [times(0, 20, 50), times(0, 40, 25)])
    assert result.images_per_hour == pytest.approx(3600 * (50 + 25))
    assert result.pose_ms == pytest.approx((5 * 50 + 10 * 25) / 75)
    assert result.draw_ms == pytest.approx((15 * 50 + 30 * 25) / 75)
    assert result.cpu_ms == pytest.approx(5)


def test_pictures_count_only_while_all_draw() -> None:
    alone = times(0, 10, 100)  # fast while the other one has not begun
    slowed = replace(
        alone,
        drawn_ns=alone.drawn_ns + times(1000, 40, 25).drawn_ns,
        posed_ns=alone.posed_ns + times(1000, 40, 25).posed_ns,
    )
    result = result_of(Shading.PHONG, [slowed, times(1000, 40, 25)])
    assert result.images_per_hour == pytest.approx(3600 * 50)


def test_processes_that_never_draw_together_count_by_themselves() -> None:
    result = result_of(Shading.PHONG, [times(0, 10, 2), times(500, 10, 2)])
    assert result.images_per_hour == pytest.approx(3600 * 200)


@pytest.mark.parametrize(
    ("images_per_hour", "cpu_ms", "processes", "made_up", "kept"),
    [
        (150_000, 30.0, 2, True, True),
        (149_000, 60.0, 2, True, False),
        (149_000, 30.0, 2, True, None),
        (80_000, 45.0, 1, True, True),
        (200_000, 45.0, 2, False, None),
    ],
)
def test_the_promise_is_of_the_made_up_model_and_of_idle_cores(
    images_per_hour: float, cpu_ms: float, processes: int, made_up: bool, kept: bool | None
) -> None:
    result = DrawingResult(Shading.TOON, 1.0, 30.0, cpu_ms, images_per_hour)
    assert DrawingReport(made_up, "r", 18_000, 256, processes, (result,)).kept is kept


def test_the_made_up_model_is_closed_and_faces_outwards() -> None:
    figure = bench_figure(20_000)
    assert abs(len(figure.triangles) - 20_000) < 2_000
    assert sum(material.count for material in figure.materials) == len(figure.triangles)
    corners = figure.positions[figure.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = figure.normals[figure.triangles].sum(axis=1)
    assert (np.einsum("ti,ti->t", across, outwards) > -1e-6).all()


def test_a_model_of_the_user_is_measured(tmp_path: Path) -> None:
    model = write_pmx(a_figure(triangles=900), tmp_path / "mine.pmx")
    told = draw_alone(DrawingJob(model, Shading.TOON, pictures=2, seed=0), ManualClock())
    assert told.triangles == len(a_figure(triangles=900).triangles)
    assert len(told.posed_ns) == len(told.drawn_ns) == 2
    assert told.cpu_ns > 0
    assert told.renderer
