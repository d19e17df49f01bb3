"""Contenders take turns, are compared with the first, and hurt nobody when they fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.benchmark.measure import Contender, Result, measure, measure_startup
from vtbridge.render.benchmark.messages import Job, Turn
from vtbridge.render.benchmark.pose_path import PoseStream
from vtbridge.render.benchmark.process import started
from vtbridge.render.settings import RenderSettings

FAKE = "tests.support.bench_worker"


@pytest.fixture
def stream(tmp_path: Path) -> PoseStream:
    poses = np.repeat(np.arange(100, 105, dtype=np.float32)[:, None], POSE_SIZE, axis=1)
    np.savez(tmp_path / "inputs.npz", rgba=np.zeros((512, 512, 4), np.uint8), poses=poses)
    return PoseStream(poses, np.array([False, True, True, True, True]))


def contender(tmp_path: Path, kind: str) -> Contender:
    job = Job(
        inputs=tmp_path / "inputs.npz",
        settings=RenderSettings(weights=kind),
        shown=tmp_path / f"{kind}.rgba",
    )
    return Contender(kind, job)


def run(contenders: list[Contender], stream: PoseStream) -> list[Result]:
    return measure(contenders, stream, lambda *progress: None, module=FAKE, rest=lambda: None)


def test_frames_are_compared_with_the_first_contenders_of_the_same_pose(
    tmp_path: Path, stream: PoseStream
) -> None:
    steady, brighter = run([contender(tmp_path, "steady"), contender(tmp_path, "brighter")], stream)
    assert len(steady.turns) == len(brighter.turns) == 4, "the lead-in does not count"
    assert steady.ms == 10
    assert brighter.ms == 5
    assert brighter.cpu_ms == 10
    assert steady.rss_mb > 5
    assert steady.likenesses == []
    one_level_db = 10 * np.log10(255**2)
    assert [each.psnr_db for each in brighter.likenesses] == pytest.approx([one_level_db] * 4)


def test_one_that_fails_is_told_of_and_the_others_go_on(tmp_path: Path, stream: PoseStream) -> None:
    kinds = ("refuses", "steady", "dies", "fails", "brighter")
    absent = Contender("absent", problem="left out")
    results = run([absent, *(contender(tmp_path, kind) for kind in kinds)], stream)
    problems = {result.name: result.problem for result in results}
    assert problems == {
        "absent": "left out",
        "refuses": "no such device",
        "steady": "",
        "dies": "frame 3: its process ended (exit code 7): Illegal instruction",
        "fails": "frame 3: the device is gone",
        "brighter": "",
    }
    assert [result.name for result in results if result.ran] == ["steady", "brighter"]
    assert len(results[-1].likenesses) == 4


@pytest.mark.usefixtures("stream")
def test_one_that_never_answers_is_ended(tmp_path: Path) -> None:
    job = contender(tmp_path, "hangs").job
    assert job is not None
    with started(FAKE) as worker:
        worker.begin(job)
        worker.render(2)
        worker.patience_s = 0.05
        with pytest.raises(InferenceError, match=r"no answer within 0\.05 s"):
            worker.render(3)
        assert worker.rss_mb() == 0


def test_start_is_measured_alone_and_only_for_those_that_ran(
    tmp_path: Path, stream: PoseStream
) -> None:
    found = [contender(tmp_path, "steady"), contender(tmp_path, "refuses")]
    results = [Result("steady", turns=[Turn(frame_ms=1)]), Result("refuses", problem="no")]
    times_ns = iter((1_000_000_000, 3_500_000_000))
    measure_startup(
        found, results, lambda *progress: None, module=FAKE, now_ns=lambda: next(times_ns)
    )
    assert results[0].startup_s == 2.5
    assert results[1].startup_s is None


def test_a_stage_that_was_skipped_took_no_time_and_wrappers_are_not_counted_twice() -> None:
    result = Result("some")
    result.turns = [
        Turn(frame_ms=10, stages_ms={"edit": 8, "fields": 9}),
        Turn(frame_ms=40, stages_ms={"brows": 30, "edit": 10, "fields": 40}),
    ]
    assert result.ms == 25
    assert result.stages_ms() == {"edit": 9, "brows": 15}
    assert result.stage_rates() == {"edit": 1, "brows": 0.5}
    assert result.percentile_ms(50) == 25


def test_hit_rates_are_of_all_look_ups_so_far() -> None:
    result = Result("some")
    for hits in (1, 3):
        counters = {"render.cache.face.hit": hits, "render.cache.face.miss": 1}
        result.turns.append(Turn(counters=counters | {"render.cache.brows.miss": 4}))
    assert result.hit_rates() == {"face": 0.75, "brows": 0.0}


def test_weights_that_are_not_there_are_told_with_the_remedy(
    tmp_path: Path, stream: PoseStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", "here")
    found = [Contender("some", Job(inputs=tmp_path / "inputs.npz", settings=RenderSettings()))]
    (result,) = measure(found, stream, lambda *progress: None)
    assert f"are not in {tmp_path / 'here'}" in result.problem
    assert "vtbridge weights pull" in result.problem
