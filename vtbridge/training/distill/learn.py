"""Go on learning while an avatar is live: from the turns that it really shows.

A bake cannot know how somebody moves. This takes the poses that were shown, asks the exact
networks about those that are farthest from all that is known, and makes a better model now and
then. Some of what was shown is never learnt from: by it and by what the bake was judged by,
models are told apart, so that a new one is better at both together. Faces are left as the bake
learnt them: on a stream they cost a tenth of what turns cost.

All of it is one thing after the other, on one core that nothing else wants.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array, Picture, clamp_pose
from vtbridge.errors import WeightsError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.render.baked.model_file import (
    BakedManifest,
    Tensors,
    part_of,
    read_model,
    write_model,
)
from vtbridge.render.baked.store import MODEL_FILE, SHEET_FILE
from vtbridge.training.distill.evaluation import Accuracy, HeldOut, Render, together
from vtbridge.training.distill.lanes import BodyLearner, BodyTeacher
from vtbridge.training.distill.poses import ROTATION_SIZE, rotation_weights
from vtbridge.training.distill.sheet import telling_poses, write_sheet
from vtbridge.training.distill.spread import Spread
from vtbridge.training.distill.workplace import Identity, Workplace

log = logging.getLogger(__name__)

WORTH_ASKING: Final = 0.06
"""Nearer to what is known, a turn tells next to nothing: half of what a stream moves in 1/20 s."""

HELD_OUT: Final = 16
"""Poses of the stream to be judged by."""

FIRST_HELD_OUT: Final = 8
"""So many of them are there before any new model."""

GROWTH: Final = 1.5
"""Times the samples of the last model from which a new one is worth its time."""

MOST_TURNS: Final = 960
"""More cost a gigabyte of samples and would crowd each other out of the model."""

ROOM_BYTES: Final = 2 << 30
"""Free space of the disk below which nothing more is learnt: what a fit may take for a while."""

SHOWN_FILE: Final = "shown.npz"
"""Of a workplace: poses of the stream to be judged by, with the exact networks' frames."""

_INBOX: Final = 1024
_HOLD_OUT_EVERY: Final = 12  # turns that are new
_REST_S: Final = 0.5
_ALL_THE_TIME_S: Final = 1e6
_WAITING: Final = "watching for turns that it does not know"


class Visits:
    """Poses that an avatar has shown, on their way to who learns; safe from any thread."""

    def __init__(self) -> None:
        self._inbox: deque[F32Array] = deque(maxlen=_INBOX)

    def add(self, pose: F32Array) -> None:
        """Take a pose, float32 [45]; what is not finite, or not a pose, is left out."""
        if pose.shape == (POSE_SIZE,) and np.isfinite(pose).all():
            self._inbox.append(clamp_pose(pose.astype(np.float32)))

    def take(self) -> list[F32Array]:
        """Return those that came since the last call, oldest first."""
        taken = []
        while self._inbox:
            taken.append(self._inbox.popleft())
        return taken


@dataclass(frozen=True, slots=True)
class LearnNews:
    """How far learning is.

    Attributes:
        phase: what it does, for people.
        turns: rotations known.
        accuracy: of the best model, None before it was judged.
        written: models written since the start.
    """

    phase: str
    turns: int
    accuracy: Accuracy | None
    written: int


@dataclass(frozen=True, slots=True)
class LearnTools:
    """What learning works with.

    Attributes:
        teacher: knows head and body.
        learner: learns them.
        open_render: makes what draws the frames of a model, of its tensors.
        free_bytes: returns the room on the disk of a folder.
    """

    teacher: BodyTeacher
    learner: BodyLearner
    open_render: Callable[[Tensors, BakedManifest], Render]
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


class Learning:
    """Make the model of one package better, step by step.

    Args:
        place: of the package, claimed and begun.
        model: tensors of the best model.
        about: its manifest.
        tools: what to work with.
        visits: gives what was shown.
        stop: ends a fit early.
    """

    def __init__(
        self,
        place: Workplace,
        model: Tensors,
        about: BakedManifest,
        tools: LearnTools,
        visits: Visits,
        stop: threading.Event,
    ) -> None:
        self._place = place
        self._model = model
        self._about = about
        self._tools = tools
        self._visits = visits
        self._stop = stop
        self._shown_file = place.folder / SHOWN_FILE
        self._shown = HeldOut.kept_in(self._shown_file)
        self._baked = HeldOut.kept_in(place.held_out)
        known = tools.learner.rotations
        self._spread = Spread(
            np.empty((0, ROTATION_SIZE), np.float32),
            np.empty((0, ROTATION_SIZE), np.float32),
            known,
            rotation_weights(),
        )
        for held_out in self._held_out:
            for pose in held_out.poses:
                self._spread.hold_out(pose[ROTATION_SLICE])
        self._new_turns = 0
        self._to_draw: deque[F32Array] = deque()
        self._fitted = about.body_samples
        self.news = LearnNews("loading", len(known), None, 0)

    def step(self) -> bool:
        """Do one thing; return False if there was nothing to do.

        Raises:
            InferenceError: the teacher failed.
            OSError: something cannot be written.
        """
        self._look_around()
        if self._to_draw:
            self._hold_out(self._to_draw.popleft())
        elif self._ready_to_judge and self.news.accuracy is None:
            self._say("judging")
            self._judge_best()
        elif self._ready_to_judge and self._model_is_due:
            self._say("making a model")
            self._make_model()
        elif not self._ask_next():
            self._say(_WAITING)
            return False
        return True

    @property
    def _held_out(self) -> list[HeldOut]:
        return [held_out for held_out in (self._baked, self._shown) if held_out is not None]

    @property
    def _ready_to_judge(self) -> bool:
        return self._shown is not None and len(self._shown) >= FIRST_HELD_OUT

    @property
    def _model_is_due(self) -> bool:
        full = self.news.turns >= MOST_TURNS > self._fitted
        return full or self.news.turns >= GROWTH * self._fitted

    def _look_around(self) -> None:
        """Sort what was shown: to be asked for, or to be judged by."""
        for pose in self._visits.take():
            if not self._spread.wait(pose[ROTATION_SLICE], WORTH_ASKING):
                continue
            self._new_turns += 1
            held_out = len(self._to_draw) + (0 if self._shown is None else len(self._shown))
            if held_out < HELD_OUT and self._new_turns % _HOLD_OUT_EVERY == 0:
                self._spread.hold_out(pose[ROTATION_SLICE])
                self._to_draw.append(pose)

    def _hold_out(self, pose: F32Array) -> None:
        if self._shown is None:
            self._shown = HeldOut(self._shown_file, np.empty((0, POSE_SIZE), np.float32))
        self._shown.add(pose, self._tools.teacher.frame(pose))
        self._shown.write(self._shown_file)
        self.news = replace(self.news, accuracy=None)  # the best one is judged anew

    def _ask_next(self) -> bool:
        """Ask about the turn that tells most; False if there is none, or no room."""
        if self.news.turns >= MOST_TURNS:
            return False
        if self._tools.free_bytes(self._place.folder) < ROOM_BYTES:
            return False
        rotation = self._spread.farthest(WORTH_ASKING)
        if rotation is None:
            return False
        self._say("learning turns that were shown")
        self._tools.learner.add(rotation, self._tools.teacher.body(rotation))
        self.news = replace(self.news, turns=self.news.turns + 1)
        return True

    def _judge_best(self) -> None:
        self.news = replace(self.news, accuracy=self._judged(self._model))

    def _judged(self, tensors: Tensors) -> Accuracy:
        render = self._tools.open_render(tensors, self._about)
        return together([held_out.judge(render) for held_out in self._held_out])

    def _make_model(self) -> None:
        """Fit all that is known, and keep it if it is better than what is shown."""
        turns = self.news.turns
        body = self._tools.learner.fit(_ALL_THE_TIME_S, self._stop.is_set)
        if not body:
            return
        self._fitted = turns
        tensors: Tensors = {**body, **part_of(self._model, "face")}
        accuracy = self._judged(tensors)
        before = self.news.accuracy
        if not accuracy.finite or (before is not None and accuracy.psnr_db <= before.psnr_db):
            log.info("a model of %d turns is no better: %s", turns, accuracy)
            return
        changes = {
            "body_samples": turns,
            "psnr_db": round(accuracy.psnr_db, 3),
            "worst_psnr_db": round(accuracy.worst_psnr_db, 3),
            "ssim": round(accuracy.ssim, 5),
            "held_out": accuracy.poses,
        }
        self._about = write_model(
            self._place.package / MODEL_FILE, self._about.model_copy(update=changes), tensors
        )
        self._model = tensors
        self.news = replace(self.news, accuracy=accuracy, written=self.news.written + 1)
        self._write_sheet()

    def _write_sheet(self) -> None:
        frames = [self._tools.teacher.frame(pose) for pose in telling_poses().values()]
        render = self._tools.open_render(self._model, self._about)
        write_sheet(self._place.package / SHEET_FILE, frames, render)

    def _say(self, phase: str) -> None:
        self.news = replace(self.news, phase=phase)


def learn(
    package: Path,
    picture: Picture,
    visits: Visits,
    *,
    weights_sha256: str,
    tools: Callable[[Workplace], LearnTools],
    told: Callable[[LearnNews], None],
    stop: threading.Event,
) -> None:
    """Learn until ``stop`` is set.

    Args:
        package: folder of a prepared character.
        picture: of the package.
        visits: gives the poses that are shown.
        weights_sha256: of the teacher's weights.
        tools: makes what to work with.
        told: called after each step.
        stop: ends it; samples are on the disk already.

    Raises:
        AlreadyBaking: another process works on the package.
        InferenceError: the teacher failed.
        WeightsError: the package is not prepared with these weights, or not of this picture, or
            without what it was made of, as one that was given away.
        OSError: the package cannot be written.
    """
    model = read_model(package / MODEL_FILE)
    about = model.manifest
    if about.picture_sha256 != picture.digest or about.weights_sha256 != weights_sha256:
        raise WeightsError(
            f"{package} was prepared of another picture or other weights: run `vtbridge character "
            f"bake {package}` once more"
        )
    place = Workplace(package)
    with place.claimed():
        place.begin(
            Identity(
                picture_sha256=picture.digest, weights=about.weights, weights_sha256=weights_sha256
            )
        )
        used = tools(place)
        known = len(used.learner.rotations)
        if known < about.body_samples:
            raise WeightsError(
                f"{package} was baked of {about.body_samples} turns and {known} of them are here, "
                "too few to go on from: run `vtbridge character bake` on it to learn them anew"
            )
        learning = Learning(place, model.tensors, about, used, visits, stop)
        told(learning.news)
        while not stop.is_set():
            busy = learning.step()
            told(learning.news)
            if not busy:
                stop.wait(_REST_S)
