"""A bake: a model early, a better one later, and nothing lost however it ends."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.baking import Bakery, picture_of
from vtbridge.errors import ConfigError, InferenceError, WeightsError
from vtbridge.render.baked.model_file import read_model
from vtbridge.training.distill.evaluation import Render
from vtbridge.training.distill.job import HELD_OUT, BakeNews
from vtbridge.training.distill.lanes import FIRST_MODEL_S
from vtbridge.training.distill.workplace import Workplace


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    package = tmp_path / "somebody"
    package.mkdir()
    return Bakery(package)


class Killed(BaseException):
    """What SIGKILL is to code: nothing of it runs any more."""


def killing_at(seconds: float) -> Callable[[BakeNews], None]:
    def told(news: BakeNews) -> None:
        if news.baked_s >= seconds:
            raise Killed

    return told


def test_a_bake_leaves_a_model_a_sheet_and_what_they_were_made_of(bakery: Bakery) -> None:
    result = bakery.bake(120)
    assert result.complete
    assert not result.already
    assert result.model == bakery.package / "baked.safetensors"
    model = read_model(result.model)
    assert model.manifest.picture_sha256 == bakery.picture.digest
    assert model.manifest.weights_sha256 == bakery.weights_sha256
    assert model.manifest.held_out == HELD_OUT
    assert result.accuracy is not None
    assert model.manifest.psnr_db == pytest.approx(result.accuracy.psnr_db, abs=1e-3)
    assert model.manifest.body_samples == model.tensors["body.count"][0]
    assert result.sheet == bakery.package / "baked.png"
    assert result.sheet.stat().st_size > 1000
    assert bakery.teacher.closed == 2


def test_it_ends_when_the_time_is_over(bakery: Bakery) -> None:
    result = bakery.bake(120)
    assert 110 < result.baked_s < 122


def test_a_first_model_is_there_long_before_the_end_and_then_better_ones(bakery: Bakery) -> None:
    result = bakery.bake(360)
    first = next(news for news in bakery.news if news.accuracy is not None)
    assert FIRST_MODEL_S <= first.baked_s < FIRST_MODEL_S + 15
    assert result.written >= 4
    told = [news.accuracy.psnr_db for news in bakery.news if news.accuracy is not None]
    assert told == sorted(told)
    assert told[-1] > told[0]


def test_both_lanes_have_enough_to_learn_from_after_two_minutes(bakery: Bakery) -> None:
    result = bakery.bake(120)
    assert result.body_samples >= 200
    assert result.face_samples >= 240


def test_a_bake_of_seconds_still_gives_a_model(bakery: Bakery) -> None:
    result = bakery.bake(6)
    assert result.model is not None
    assert result.body_samples >= 12


def test_poses_held_out_are_never_asked_for(bakery: Bakery) -> None:
    bakery.bake(120)
    held_out = bakery.teacher.frames[:HELD_OUT]
    asked, faces = np.array(bakery.teacher.asked), np.array(bakery.teacher.faces)
    for pose in held_out:
        assert np.abs(asked - pose[39:]).max(axis=1).min() > 0.005
        assert np.abs(faces - pose[:39]).max(axis=1).min() > 0.005


def test_killed_it_goes_on_where_it_was(bakery: Bakery) -> None:
    with pytest.raises(Killed):
        bakery.bake(240, told=killing_at(70))
    asked = len(bakery.teacher.asked)
    assert asked > 50
    assert (bakery.package / "baked.safetensors").is_file()
    bakery.teacher.frames.clear()
    result = bakery.bake(240)
    rotations = np.array(bakery.teacher.asked)
    assert result.body_samples == len(rotations) > asked
    assert len(np.unique(rotations, axis=0)) == len(rotations)
    assert 220 < result.baked_s < 250
    # The frames to be judged by were kept; only those of the sheet are drawn.
    assert len(bakery.teacher.frames) == 6


def test_killed_before_the_first_model_its_time_counts_all_the_same(bakery: Bakery) -> None:
    with pytest.raises(Killed):
        bakery.bake(240, told=killing_at(30))
    assert not (bakery.package / "baked.safetensors").exists()
    bakery.news.clear()
    bakery.bake(240)
    assert 15 < bakery.news[0].baked_s < 31


def test_time_adds_up_over_the_runs_and_is_not_baked_twice(bakery: Bakery) -> None:
    first = bakery.bake(60)
    samples = len(bakery.teacher.asked)
    again = bakery.bake(55)
    assert (again.already, again.complete, again.written) == (True, True, 0)
    assert len(bakery.teacher.asked) == samples
    assert again.accuracy is not None
    assert first.accuracy is not None
    assert again.accuracy.psnr_db == pytest.approx(first.accuracy.psnr_db, abs=1e-3)
    start_ns = bakery.clock.now_ns()
    more = bakery.bake(120)
    assert not more.already
    assert (bakery.clock.now_ns() - start_ns) / 1e9 < 75


def test_a_worse_model_never_replaces_a_better_one(tmp_path: Path) -> None:
    # The more it knows the worse it is: only the first one may stay.
    bakery = Bakery(tmp_path, error_of=lambda body, face: 5 + body / 10)
    result = bakery.bake(200)
    assert result.written == 1
    kept = read_model(tmp_path / "baked.safetensors").manifest
    assert kept.body_samples < result.body_samples
    again = bakery.bake(260)
    assert again.written == 0
    assert read_model(tmp_path / "baked.safetensors").manifest == kept


def test_another_picture_is_told_and_baked_anew(bakery: Bakery) -> None:
    bakery.bake(60)
    before = len(bakery.teacher.asked)
    bakery.picture = picture_of(200)
    result = bakery.bake(60)
    assert "the picture has changed" in result.notices[0]
    assert result.body_samples == len(bakery.teacher.asked) - before
    model = read_model(bakery.package / "baked.safetensors")
    assert model.manifest.picture_sha256 == bakery.picture.digest


def test_other_weights_are_told_and_a_model_of_the_old_ones_is_no_rival(bakery: Bakery) -> None:
    bakery.error_of = lambda body, face: 1.0
    bakery.bake(60)
    bakery.weights_sha256 = "cd" * 32
    bakery.error_of = lambda body, face: 30.0
    result = bakery.bake(60)
    assert "weights tha3-separable-float have changed" in result.notices[0]
    model = read_model(bakery.package / "baked.safetensors")
    assert model.manifest.weights_sha256 == "cd" * 32


def test_a_damaged_model_is_told_and_made_anew_of_the_samples(bakery: Bakery) -> None:
    bakery.bake(60)
    path = bakery.package / "baked.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    result = bakery.bake(60)
    assert "could not be used" in result.notices[0]
    assert not result.already
    assert read_model(path).manifest.body_samples > 12


def test_a_model_that_this_vtbridge_cannot_open_is_made_anew_of_the_samples(
    bakery: Bakery,
) -> None:
    bakery.bake(60)
    opened, opening = [], bakery._open_render

    def open_render(*arguments: Any) -> Render:
        opened.append(arguments)
        if len(opened) == 1:
            raise WeightsError("tensors of another form")
        return opening(*arguments)

    bakery._open_render = open_render  # type: ignore[method-assign, assignment]
    result = bakery.bake(120)
    assert result.written >= 1
    assert result.model is not None


def test_samples_of_an_unfinished_clearing_are_cleared_once_more(bakery: Bakery) -> None:
    bakery.bake(60)
    (bakery.package / "bake" / "identity.json").unlink()
    result = bakery.bake(30)
    assert result.baked_s < 35


def test_stopped_it_ends_with_the_model_so_far(bakery: Bakery) -> None:
    def told(news: BakeNews) -> None:
        if news.baked_s > 80:
            bakery.stop.set()

    result = bakery.bake(600, told=told)
    assert not result.complete
    assert result.model is not None
    assert result.baked_s < 100


def test_stopped_at_once_it_says_that_there_is_no_model(bakery: Bakery) -> None:
    bakery.stop.set()
    result = bakery.bake(600)
    assert (result.model, result.sheet, result.complete) == (None, None, False)
    assert not (bakery.package / "baked.safetensors").exists()


def test_two_bakes_of_one_package_do_not_meet(bakery: Bakery) -> None:
    with (
        Workplace(bakery.package).claimed(),
        pytest.raises(WeightsError, match=r"another vtbridge \(pid \d+\) is baking .*somebody"),
    ):
        bakery.bake(60)
    assert bakery.bake(10).model is not None


def test_a_full_disk_is_told_and_what_was_good_stays(bakery: Bakery) -> None:
    bakery.bake(60)
    path = bakery.package / "baked.safetensors"
    before = path.read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device", str(bakery.package / "bake"))
    bakery.body_fails = lambda count: full
    with pytest.raises(WeightsError, match=r"No space left on device.*is kept.*make room"):
        bakery.bake(120)
    assert path.read_bytes() == before
    bakery.body_fails = lambda count: None
    assert bakery.bake(120).body_samples > 200


def test_a_recording_too_short_to_judge_by_is_refused(bakery: Bakery) -> None:
    bakery.recordings = (np.zeros((3, 45), np.float32),)
    with pytest.raises(ConfigError, match="at least 10 poses"):
        bakery.bake(60)


def test_a_model_that_cannot_be_judged_is_never_written(tmp_path: Path) -> None:
    bakery = Bakery(tmp_path)
    bakery.error_of = lambda body, face: 1.0

    def render_nan(*_: object) -> None:
        raise InferenceError("not finite")

    bakery._open_render = lambda *_: render_nan  # type: ignore[method-assign, assignment]
    with pytest.raises(InferenceError, match="not finite"):
        bakery.bake(60)
    assert not (tmp_path / "baked.safetensors").exists()


def test_threads_bake_as_the_lanes_do_one_by_one(bakery: Bakery) -> None:
    result = bakery.bake(60, run=None)
    assert result.model is not None
    assert result.accuracy is not None
    assert bakery.news


def test_an_error_on_one_thread_ends_the_other_and_is_raised(bakery: Bakery) -> None:
    bakery.body_fails = lambda count: InferenceError("the card is gone") if count == 5 else None
    with pytest.raises(InferenceError, match="the card is gone"):
        bakery.bake(600, run=None)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bake-")]


def test_ctrl_c_ends_it_with_the_model_so_far(bakery: Bakery) -> None:
    interrupted: list[float] = []

    def told(news: BakeNews) -> None:
        if news.accuracy is not None and not interrupted:
            interrupted.append(news.baked_s)
            raise KeyboardInterrupt

    result = bakery.bake(1e6, run=None, told=told)
    assert interrupted
    assert not result.complete
    assert result.model is not None
