"""What the quality levels promise, on recorded poses with the real networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.characters import open_picture
from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.render.benchmark.similarity import likeness
from vtbridge.render.compositor import Compositor
from vtbridge.render.pose_file import read_poses
from vtbridge.render.runtimes.runtime import RuntimeRequest, open_row
from vtbridge.render.settings import Precision, Quality, RuntimeName
from vtbridge.render.tha3 import Tha3Poser
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.telemetry import Telemetry

CALM, LIVELY = range(444, 448), range(1783, 1787)
"""Where the recorded person moves little, and more than most of the time; 20 poses a second."""

PROMISED_DB = {Quality.BALANCED: 43.0, Quality.FAST: 36.0}

CACHE_BYTES = 64 << 20

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def picture() -> Picture:
    return open_picture("michi")


@pytest.fixture(scope="module")
def poses(shared_data: Path) -> list[F32Array]:
    recorded = read_poses(shared_data / "recorded_poses_20fps.json.gz")
    return [recorded[index] for index in (*CALM, *LIVELY)]


@pytest.fixture(scope="module")
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture(scope="module")
def poser(weight_store: WeightStore, telemetry: Telemetry) -> Iterator[Tha3Poser[object]]:
    # In f32, or a CPU with bf16 would lay its own noise over what the levels leave out.
    request = RuntimeRequest(
        store=weight_store, weights=DEFAULT_WEIGHTS, precision=Precision.F32, threads=1
    )
    runtime = open_row(RuntimeName.OPENVINO, request)
    opened = Tha3Poser(runtime, telemetry, Compositor(), cache_bytes=CACHE_BYTES)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def exact(
    poser: Tha3Poser[object], picture: Picture, poses: list[F32Array]
) -> dict[int, tuple[F32Array, U8Array]]:
    """Return signals and frame of each pose, computed from nothing but this pose."""
    frames = {}
    poser.set_quality(Quality.EXACT)
    for index, values in enumerate(poses):
        poser.set_picture(picture)
        frames[index] = poser.render_float(values).copy(), poser.render(values).copy()
    return frames


def test_exact_frames_are_the_same_bits_whichever_came_before(
    poser: Tha3Poser[object],
    picture: Picture,
    poses: list[F32Array],
    exact: dict[int, tuple[F32Array, U8Array]],
) -> None:
    poser.set_picture(picture)
    for quality, index in (
        (Quality.FAST, 0),
        (Quality.FAST, 1),
        (Quality.EXACT, 2),
        (Quality.EXACT, 0),
        (Quality.EXACT, 2),
    ):
        poser.set_quality(quality)
        signals, frame = poser.render_float(poses[index]).copy(), poser.render(poses[index])
        if quality is Quality.EXACT:
            np.testing.assert_array_equal(signals, exact[index][0])
            np.testing.assert_array_equal(frame, exact[index][1])


@pytest.mark.parametrize("quality", list(PROMISED_DB))
def test_a_level_leaves_work_out_and_keeps_its_promise(
    quality: Quality,
    poser: Tha3Poser[object],
    picture: Picture,
    poses: list[F32Array],
    exact: dict[int, tuple[F32Array, U8Array]],
    telemetry: Telemetry,
) -> None:
    poser.set_quality(quality)
    poser.set_picture(picture)
    before = telemetry.counters().get("render.editor.reused", 0)
    errors = [
        10 ** (-likeness(poser.render(values), exact[index][1]).psnr_db / 10)
        for index, values in enumerate(poses)
    ]
    assert telemetry.counters()["render.editor.reused"] > before
    # Of the mean error, not the mean of decibels, which a few perfect frames would lift.
    assert -10 * np.log10(np.mean(errors)) >= PROMISED_DB[quality]
