"""The two lanes of a bake, one core each: head and body on the one, the face on the other.

A lane does one small thing at a time, so that it can stop between any two. The lane of head
and body also puts both parts together, judges the model and writes it if it is better.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import InferenceError, WeightsError
from vtbridge.render.baked.model_file import BakedManifest, Tensors, write_model
from vtbridge.render.fields import FrameFields
from vtbridge.training.distill.evaluation import Accuracy, HeldOut, Render
from vtbridge.training.distill.poses import FacePlan, RotationPlan
from vtbridge.training.distill.sheet import telling_poses, write_sheet
from vtbridge.training.distill.workplace import Workplace

log = logging.getLogger(__name__)

FIRST_MODEL_S: Final = 40.0
"""Seconds of baking after which there is a first model, if there is enough to make it of."""

_NEXT_MODEL: Final = 2.0  # times the seconds of the one before
_LEAST_ROTATIONS: Final = 12
_LEAST_FACES: Final = 32
_FIRST_FACES: Final = 240
_FIRST_FACES_PER_S: Final = 2.0  # of a short bake, so that it comes to training at all
_FACES_PER_TRAINED_S: Final = 40.0
_MOST_FACES: Final = 2000
_SLICE_SHARE: Final = 0.06
_SLICE_S: Final = (1.0, 20.0)
_FIT_SHARE: Final = 0.25  # of the time so far, for any model but the last
_FIT_S: Final = (2.0, 30.0)
_FIT_A_SAMPLE_S: Final = 0.1  # until it was measured
_LAST_FIT_SHARE: Final = 0.35  # of all the time, the most
_MARGIN: Final = 1.1
_JUDGE_S: Final = 2.0  # until it was measured
_SHEET_SHARE: Final = 0.015  # of the time, for the sheet
_SHEET_S: Final = 5.0  # and the most
_HASTY_FIT_S: Final = 10.0  # where somebody waits for the end
_NOTE_EVERY_S: Final = 5.0

Stop = Callable[[], bool]


class BodyLearner(Protocol):
    """What learns head and body; ``BodyTrainer`` is one."""

    @property
    def rotations(self) -> F32Array:
        """Rotations that are known, [n, 6]."""

    def add(self, rotation: F32Array, fields: FrameFields) -> None:
        """Keep a sample for good."""

    def fit(self, seconds: float, stop: Stop) -> Mapping[str, NDArray[Any]]:
        """Return the tensors of all samples, in about ``seconds``."""


class FaceLearner(Protocol):
    """What learns the face; ``FaceTrainer`` is one."""

    @property
    def poses(self) -> F32Array:
        """Poses that are known, [n, 39]."""

    def add(self, face_pose: F32Array, face: F32Array) -> None:
        """Keep a sample for good."""

    def train(self, seconds: float, stop: Stop) -> Mapping[str, NDArray[Any]]:
        """Go on learning for about ``seconds``, and return the tensors."""


class BodyTeacher(Protocol):
    """What knows head and body, and whole frames; ``Teacher`` is one."""

    def body(self, rotation: F32Array) -> FrameFields:
        """Return the fields of a rotation of the neutral face."""

    def frame(self, values: F32Array) -> U8Array:
        """Return the frame of a pose."""


class FaceKnower(Protocol):
    """What knows the face; ``FaceTeacher`` is one."""

    def face(self, face_pose: F32Array) -> F32Array:
        """Return the posed face crop."""


class Deadline:
    """When a bake ends: at its time, or when somebody wants it to.

    When its time is over before there is enough for a model, it goes on until there is.

    Args:
        clock: the monotonic clock.
        before_s: seconds baked in earlier runs.
        wanted_s: seconds wanted altogether.
        stop: set by who wants it to end.

    Attributes:
        wanted_s: as given.
        fit_s: what the last fit is going to take.
        judge_s: what judging and writing take.
        body_ready: whether enough of head and body is known for a model.
        face_ready: whether a face was learnt.
    """

    def __init__(
        self, clock: Clock, before_s: float, wanted_s: float, stop: threading.Event
    ) -> None:
        self._clock = clock
        self._before_s = before_s
        self._begin_ns = clock.now_ns()
        self._stop = stop
        self.wanted_s = wanted_s
        self.fit_s = 0.0
        self.judge_s = _JUDGE_S
        self._sheet_s = min(_SHEET_SHARE * wanted_s, _SHEET_S)
        self.body_ready = self.face_ready = False

    @property
    def baked_s(self) -> float:
        """Seconds baked so far, in all runs."""
        return self._before_s + (self._clock.now_ns() - self._begin_ns) / NS_PER_S

    @property
    def stopped(self) -> bool:
        """True if somebody wants it to end now."""
        return self._stop.is_set()

    @property
    def face_left_s(self) -> float:
        """Seconds until the face must have been learnt."""
        return self.wanted_s - self.judge_s - self._sheet_s - self.baked_s

    def body_over(self) -> bool:
        """Return True if the last fit should begin."""
        return self.stopped or (self.face_left_s <= self.fit_s and self._ready)

    def face_over(self) -> bool:
        """Return True if the face should be handed over for the last time."""
        return self.stopped or (self.face_left_s <= 0.0 and self._ready)

    @property
    def _ready(self) -> bool:
        return self.body_ready and self.face_ready


@dataclass(slots=True)
class Ledger:
    """How far a bake is; written by its lanes, read by anybody.

    Attributes:
        phase: what is done now, for people.
        body_samples: rotations that are known.
        face_samples: faces that are known.
        accuracy: of the best model, None while there is none.
        written: models written in this run.
        sheet: True once there is a contact sheet of the best one.
    """

    phase: str = "loading"
    body_samples: int = 0
    face_samples: int = 0
    accuracy: Accuracy | None = None
    written: int = 0
    sheet: bool = False


@dataclass(slots=True)
class FaceLane:
    """Sample faces and learn them by turns.

    Attributes:
        teacher: knows them.
        learner: learns them.
        plan: which ones are asked for.
        deadline: when to end.
        ledger: takes how far it is.
        clock: measures.
        tensors: what was learnt, None before the first time.
    """

    teacher: FaceKnower
    learner: FaceLearner
    plan: FacePlan
    deadline: Deadline
    ledger: Ledger
    clock: Clock
    tensors: Mapping[str, NDArray[Any]] | None = None
    _trained_s: float = 0.0
    _samples: int = field(init=False)
    _begun_with: int = field(init=False)

    def __post_init__(self) -> None:
        self._samples = self._begun_with = len(self.learner.poses)
        self.ledger.face_samples = self._samples

    def step(self) -> bool:
        """Do one thing and return True, or False once the time is over."""
        if self.deadline.face_over():
            return False
        if self._samples < self._wanted():
            self._sample()
        else:
            self._train()
        return True

    def _wanted(self) -> int:
        first = min(_FIRST_FACES, max(_FIRST_FACES_PER_S * self.deadline.wanted_s, _LEAST_FACES))
        # What an earlier run knows is trained on before more is asked for.
        begun = first if self._begun_with < first else self._begun_with
        return min(int(begun + _FACES_PER_TRAINED_S * self._trained_s), _MOST_FACES)

    def _sample(self) -> None:
        pose = self.plan.next()
        self.learner.add(pose, self.teacher.face(pose))
        self._samples += 1
        self.ledger.face_samples = self._samples

    def _train(self) -> None:
        seconds = float(np.clip(_SLICE_SHARE * self.deadline.wanted_s, *_SLICE_S))
        # The last slice is as long as there is time: a training ends well by its own end.
        if (left_s := self.deadline.face_left_s) < 1.5 * seconds:
            seconds = max(left_s, _SLICE_S[0])
        began_ns = self.clock.now_ns()
        self.tensors = self.learner.train(seconds, lambda: self.deadline.stopped)
        self._trained_s += max((self.clock.now_ns() - began_ns) / NS_PER_S, 1e-3)
        self.deadline.face_ready = True


@dataclass(slots=True)
class BodyLane:
    """Sample rotations; now and then make a model of all that is known, and keep the best.

    Attributes:
        teacher: knows head and body, and what frames should look like.
        learner: learns head and body.
        plan: which rotations are asked for.
        held_out: judges.
        face: the other lane.
        workplace: keeps the time.
        about: the manifest but for what changes with each model.
        open_render: makes what draws a model's frames of its tensors.
        model: file of the best one.
        sheet: file of its contact sheet.
        deadline: when to end.
        ledger: takes how far it is.
        best: the tensors of the best model, None while there is none.
    """

    teacher: BodyTeacher
    learner: BodyLearner
    plan: RotationPlan
    held_out: HeldOut
    face: FaceLane
    workplace: Workplace
    about: BakedManifest
    open_render: Callable[[Tensors], Render]
    model: Path
    sheet: Path
    deadline: Deadline
    ledger: Ledger
    best: Tensors | None = None
    _samples: int = field(init=False)
    _next_model_s: float = field(init=False)
    _noted_s: float = field(init=False)
    _fit_a_sample_s: float = _FIT_A_SAMPLE_S

    def __post_init__(self) -> None:
        self._samples = len(self.learner.rotations)
        before_s = 0.0 if self.best is None else self.workplace.baked_s
        self._next_model_s = max(FIRST_MODEL_S, _NEXT_MODEL * before_s)
        self._noted_s = self.deadline.baked_s
        self._count()

    def step(self) -> bool:
        """Do one thing and return True, or False once the time is over."""
        if self.deadline.body_over():
            return False
        if not self.held_out.complete:
            self.ledger.phase = "drawing what to be judged by"
            self.held_out.ask(self.teacher.frame)
        elif self.best is not None and self.ledger.accuracy is None:
            self._judge_best()
        elif self._model_is_due():
            self.ledger.phase = "making a model"
            body = self._fit(float(np.clip(_FIT_SHARE * self.deadline.baked_s, *_FIT_S)))
            self._keep_if_better(body)
            self._next_model_s = _NEXT_MODEL * self.deadline.baked_s
        else:
            self.ledger.phase = "sampling and learning"
            self._sample()
        if self.deadline.baked_s - self._noted_s >= _NOTE_EVERY_S:
            self._note()
        return True

    def finish(self, wait_for_face: Callable[[], None]) -> None:
        """Make the last model of all that is there.

        Args:
            wait_for_face: returns once the other lane has ended; it goes on during the fit.
        """
        self.ledger.phase = "finishing"
        body: Mapping[str, NDArray[Any]] = {}
        if self.held_out.complete and self.deadline.body_ready:
            if not self.deadline.stopped:
                body = self._fit(self._last_fit_s)
            elif self.best is None:
                body = self._fit(min(self._last_fit_s, _HASTY_FIT_S))
        wait_for_face()
        if self.best is not None and self.ledger.accuracy is None and self.held_out.complete:
            self._judge_best()
        self._keep_if_better(body)
        self._note()
        if self.best is not None and (self.ledger.written or not self.sheet.is_file()):
            self._write_sheet(self.best)

    def _sample(self) -> None:
        rotation = self.plan.next()
        self.learner.add(rotation, self.teacher.body(rotation))
        self._samples += 1
        self._count()

    def _count(self) -> None:
        self.ledger.body_samples = self._samples
        self.deadline.body_ready = self._samples >= _LEAST_ROTATIONS
        self.deadline.fit_s = self._last_fit_s

    @property
    def _last_fit_s(self) -> float:
        """What a fit to all samples may take."""
        all_s = _MARGIN * self._fit_a_sample_s * self._samples
        return max(min(all_s, _LAST_FIT_SHARE * self.deadline.wanted_s), _FIT_S[0])

    def _model_is_due(self) -> bool:
        if not (self.deadline.body_ready and self.deadline.face_ready):
            return False
        return self.deadline.baked_s >= self._next_model_s

    def _judge_best(self) -> None:
        """Judge the model of an earlier run by today's poses, which may be others."""
        if self.best is None:
            return
        try:
            self.ledger.accuracy = self.held_out.judge(self.open_render(self.best))
        except WeightsError as error:
            # An earlier vtbridge made it; its samples are as good as ever.
            log.warning("the model so far cannot be used (%s) and is made anew", error)
            self.best = None
            self._next_model_s = self.deadline.baked_s

    def _fit(self, seconds: float) -> Mapping[str, NDArray[Any]]:
        """Fit head and body in about ``seconds``, and learn what that takes."""
        began_s = self.deadline.baked_s
        body = self.learner.fit(seconds, lambda: False)
        took_s = self.deadline.baked_s - began_s
        rate_s = max(took_s / self._samples, 1e-3)
        # Where time was too short it may have left samples out; a busy machine is slower.
        self._fit_a_sample_s = rate_s if took_s < seconds else max(rate_s, self._fit_a_sample_s)
        return body

    def _keep_if_better(self, body: Mapping[str, NDArray[Any]]) -> None:
        """Judge ``body`` with the face as it is, and write what is better than before."""
        if not body or self.face.tensors is None:
            return
        began_s = self.deadline.baked_s
        tensors: Tensors = {**body, **self.face.tensors}
        accuracy = self.held_out.judge(self.open_render(tensors))
        if not accuracy.finite:
            raise InferenceError(f"the baked model draws frames that cannot be judged: {accuracy}")
        if self.ledger.accuracy is None or accuracy.psnr_db > self.ledger.accuracy.psnr_db:
            self._write(tensors, accuracy)
        self.deadline.judge_s = _MARGIN * (self.deadline.baked_s - began_s) + 0.2

    def _write(self, tensors: Tensors, accuracy: Accuracy) -> None:
        changes = {
            "body_samples": self._samples,
            "face_samples": self.ledger.face_samples,
            "baked_s": round(self.deadline.baked_s, 1),
            "psnr_db": round(accuracy.psnr_db, 3),
            "worst_psnr_db": round(accuracy.worst_psnr_db, 3),
            "ssim": round(accuracy.ssim, 5),
            "held_out": accuracy.poses,
        }
        write_model(self.model, self.about.model_copy(update=changes), tensors)
        self.best, self.ledger.accuracy = tensors, accuracy
        self.ledger.written += 1
        self._note()

    def _note(self) -> None:
        self._noted_s = self.deadline.baked_s
        self.workplace.note(self._noted_s)

    def _write_sheet(self, tensors: Tensors) -> None:
        frames = [self.teacher.frame(pose) for pose in telling_poses().values()]
        write_sheet(self.sheet, frames, self.open_render(tensors))
        self.ledger.sheet = True
