"""A live avatar's model gets better by what it shows, and never worse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.baking import (
    Bakery,
    StandInLearner,
    StandInTeacher,
    frame_of,
    manifest_of,
    picture_of,
)
from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.render.baked.model_file import BakedManifest, Tensors, read_model, write_model
from vtbridge.training.distill.evaluation import Accuracy, HeldOut, Render, together
from vtbridge.training.distill.learn import (
    FIRST_HELD_OUT,
    GROWTH,
    HELD_OUT,
    SHOWN_FILE,
    WORTH_ASKING,
    Learning,
    LearnTools,
    Visits,
    learn,
)
from vtbridge.training.distill.poses import ROTATION_SIZE
from vtbridge.training.distill.workplace import Workplace

BAKED_TURNS = 20


class Classroom:
    """Learning with stand-ins around it: a model's error falls with the turns it was made of."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.picture = picture_of()
        self.clock = ManualClock()
        self.teacher = StandInTeacher(self.clock)
        self.visits = Visits()
        self.stop = threading.Event()
        self.free = 1 << 40
        self.error_of: Callable[[float], float] = lambda turns: 40.0 / (1.0 + 0.1 * turns)
        self.judged: list[float] = []
        self.place = Workplace(package)
        (package / "bake" / "body").mkdir(parents=True, exist_ok=True)
        self.learner = StandInLearner(package / "bake" / "body", self.clock, ROTATION_SIZE, "body")
        if not len(self.learner.rotations):
            for turn in range(BAKED_TURNS):
                self.learner.add(np.full(ROTATION_SIZE, -1 + turn / 40, np.float32), None)
        self.model: Tensors = {
            "body.count": np.array([BAKED_TURNS], np.float32),
            "face.count": np.array([7], np.float32),
        }
        self.about = manifest_of(self.picture, body_samples=BAKED_TURNS)
        path = package / "baked.safetensors"
        if path.is_file():
            kept = read_model(path)
            self.model, self.about = kept.tensors, kept.manifest
        else:
            write_model(path, self.about, self.model)

    @property
    def tools(self) -> LearnTools:
        return LearnTools(self.teacher, self.learner, self._open_render, lambda _: self.free)

    def learning(self) -> Learning:
        return Learning(self.place, self.model, self.about, self.tools, self.visits, self.stop)

    def show(self, count: int, start: int = 0) -> None:
        """Show so many poses that are new, each a little apart from the one before."""
        for number in range(start, start + count):
            pose = np.zeros(POSE_SIZE, np.float32)
            pose[ROTATION_SLICE][:5] = np.random.default_rng(number).uniform(-1, 1, 5)
            self.visits.add(pose)

    def manifest(self) -> BakedManifest:
        return read_model(self.package / "baked.safetensors").manifest

    def _open_render(self, tensors: Tensors, about: BakedManifest) -> Render:
        del about
        turns = float(tensors["body.count"][0])
        self.judged.append(turns)
        return lambda values: frame_of(values, self.error_of(turns))


@pytest.fixture
def classroom(tmp_path: Path) -> Iterator[Classroom]:
    classroom = Classroom(tmp_path)
    yield classroom
    classroom.learner.close()


def until_idle(learning: Learning) -> None:
    for _ in range(5000):
        if not learning.step():
            return
    raise AssertionError("it never came to rest")


def test_turns_that_are_shown_are_learnt_and_the_better_model_is_written(
    classroom: Classroom,
) -> None:
    learning = classroom.learning()
    classroom.show(300)
    before = classroom.manifest()
    until_idle(learning)
    after = classroom.manifest()
    assert learning.news.written >= 2
    assert after.sha256 != before.sha256
    assert after.body_samples >= GROWTH * BAKED_TURNS
    assert after.baked_s == before.baked_s
    assert read_model(classroom.package / "baked.safetensors").tensors["face.count"][0] == 7
    assert (classroom.package / "baked.png").is_file()


def test_some_of_what_is_shown_is_kept_to_judge_by_and_never_asked_for(
    classroom: Classroom,
) -> None:
    learning = classroom.learning()
    classroom.show(400)
    until_idle(learning)
    judged_by = HeldOut.kept_in(classroom.package / "bake" / SHOWN_FILE)
    assert judged_by is not None
    assert len(judged_by) == HELD_OUT
    asked = np.array(classroom.teacher.asked)
    for pose in judged_by.poses:
        assert np.abs(asked - pose[ROTATION_SLICE]).max(axis=1).min() > 0.005


def test_no_model_is_made_before_there_is_enough_to_judge_by(classroom: Classroom) -> None:
    learning = classroom.learning()
    classroom.show(12 * (FIRST_HELD_OUT - 1) + 11)
    until_idle(learning)
    assert learning.news.turns > GROWTH * BAKED_TURNS
    assert (learning.news.written, learning.news.accuracy) == (0, None)


def test_a_model_that_is_no_better_is_not_written(classroom: Classroom) -> None:
    classroom.error_of = lambda turns: 5.0 + turns
    learning = classroom.learning()
    classroom.show(300)
    before = classroom.manifest()
    until_idle(learning)
    assert learning.news.written == 0
    assert classroom.manifest() == before
    # It was judged, and not once more before there was more to know.
    assert 1 <= len([turns for turns in classroom.judged if turns > BAKED_TURNS]) <= 6


def test_what_is_known_or_shown_twice_is_not_asked_for(classroom: Classroom) -> None:
    learning = classroom.learning()
    for _ in range(3):
        classroom.show(30)
        until_idle(learning)
    asked = np.array(classroom.teacher.asked)
    assert len(asked) <= 30
    apart = np.linalg.norm(asked[:, None] - asked[None], axis=2)
    assert apart[~np.eye(len(asked), dtype=bool)].min() >= WORTH_ASKING


def test_the_next_stream_goes_on_from_what_is_known_and_judges_by_the_same(
    classroom: Classroom,
) -> None:
    first = classroom.learning()
    classroom.show(300)
    until_idle(first)
    classroom.learner.close()
    again = Classroom(classroom.package)
    try:
        second = again.learning()
        assert second.news.turns == first.news.turns
        again.show(300)
        until_idle(second)
        assert again.teacher.asked == []
        assert second.news.written == 0
    finally:
        again.learner.close()


def test_a_disk_that_is_nearly_full_is_left_alone(classroom: Classroom) -> None:
    classroom.free = 1 << 30
    learning = classroom.learning()
    classroom.show(40)
    until_idle(learning)
    assert classroom.teacher.asked == []


def test_asked_to_stop_a_fit_leaves_the_model_as_it_is(classroom: Classroom) -> None:
    classroom.learner.fit = lambda seconds, stop: {}  # type: ignore[method-assign]
    learning = classroom.learning()
    classroom.show(300)
    for _ in range(400):
        learning.step()
    assert learning.news.written == 0


@pytest.mark.parametrize(
    "pose",
    [np.zeros(44, np.float32), np.full(45, np.nan, np.float32), np.zeros((1, 45), np.float32)],
)
def test_what_is_no_pose_is_left_out(pose: F32Array) -> None:
    visits = Visits()
    visits.add(pose)
    assert visits.take() == []


def test_poses_out_of_range_are_brought_into_it_and_a_flood_is_bounded() -> None:
    visits = Visits()
    for _ in range(5000):
        visits.add(np.full(POSE_SIZE, 7, np.float32))
    taken = visits.take()
    assert len(taken) == 1024
    assert taken[0].max() == 1.0


def test_sets_of_poses_count_by_how_many_they_are() -> None:
    whole = together([Accuracy(40.0, 35.0, 0.99, 3), Accuracy(36.0, 33.0, 0.95, 1)])
    assert (whole.psnr_db, whole.worst_psnr_db, whole.poses) == (39.0, 33.0, 4)
    assert whole.ssim == pytest.approx(0.98)


def test_learning_ends_when_it_is_stopped_and_tells_how_far_it_is(tmp_path: Path) -> None:
    bakery = Bakery(tmp_path)
    bakery.bake(60)
    classroom = Classroom(tmp_path)
    told = []

    def hear(news: object) -> None:
        told.append(news)
        if len(told) > 5:
            classroom.stop.set()

    try:
        classroom.show(50)
        learn(
            tmp_path,
            bakery.picture,
            classroom.visits,
            weights_sha256=bakery.weights_sha256,
            tools=lambda place: classroom.tools,
            told=hear,
            stop=classroom.stop,
        )
    finally:
        classroom.learner.close()
    assert len(told) == 6


def test_a_package_that_was_given_away_without_its_samples_keeps_its_model(
    classroom: Classroom,
) -> None:
    before = classroom.manifest()
    classroom.learner.close()
    samples = classroom.package / "bake" / "body"
    (samples / "poses").write_bytes(b"")
    classroom.learner = StandInLearner(samples, classroom.clock, ROTATION_SIZE, "body")
    with pytest.raises(WeightsError, match=r"20 turns and 0 of them.*character bake"):
        learn(
            classroom.package,
            classroom.picture,
            classroom.visits,
            weights_sha256="ab" * 32,
            tools=lambda place: classroom.tools,
            told=lambda news: None,
            stop=classroom.stop,
        )
    assert classroom.manifest() == before


@pytest.mark.parametrize("changed", ["picture", "weights"])
def test_a_package_of_another_picture_or_other_weights_is_refused(
    tmp_path: Path, changed: str
) -> None:
    classroom = Classroom(tmp_path)
    classroom.learner.close()
    with pytest.raises(WeightsError, match="vtbridge character bake"):
        learn(
            tmp_path,
            picture_of(200) if changed == "picture" else classroom.picture,
            classroom.visits,
            weights_sha256=("cd" if changed == "weights" else "ab") * 32,
            tools=lambda place: classroom.tools,
            told=lambda news: None,
            stop=classroom.stop,
        )
