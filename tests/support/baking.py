"""A bake without networks: teachers and learners that take no time but the clock's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import ManualClock
from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.baked.model_file import BakedManifest, Tensors
from vtbridge.render.fields import FrameFields
from vtbridge.training.distill.evaluation import Render
from vtbridge.training.distill.job import BakeNews, BakeRequest, BakeResult, Tools, bake
from vtbridge.training.distill.lanes import BodyLane, FaceLane, Stop
from vtbridge.training.distill.poses import FACE_POSE_SIZE, ROTATION_SIZE

BODY_S, FACE_S, FRAME_S, FIT_S = 0.08, 0.02, 0.1, 1.0
"""What the stand-ins move the clock on by: both lanes share one clock, so half of it each."""


def never(count: int) -> None:
    """Fail at no sample."""


def picture_of(shade: int = 90, name: str = "somebody") -> Picture:
    rgba = np.zeros((PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)
    rgba[40:500, 150:360] = (shade, 120, 60, 255)
    return Picture(rgba=rgba, name=name, digest=f"{shade:064x}")


def manifest_of(picture: Picture, **changes: Any) -> BakedManifest:
    about: dict[str, Any] = {
        "version": "0.1",
        "picture_sha256": picture.digest,
        "weights": "tha3-separable-float",
        "weights_sha256": "ab" * 32,
        "body_samples": 3,
        "face_samples": 4,
        "baked_s": 12.5,
        "psnr_db": 36.5,
        "worst_psnr_db": 31.0,
        "ssim": 0.987,
        "held_out": 16,
    }
    return BakedManifest.model_validate({**about, **changes})


def recording(poses: int = 160) -> F32Array:
    """A recording in which all moves a little from pose to pose."""
    t = np.arange(poses)[:, None] / poses
    waves = 0.5 + 0.5 * np.sin(2 * np.pi * (t * np.linspace(1, 4, POSE_SIZE) + 0.1))
    return waves.astype(np.float32)


def frame_of(values: F32Array, error: float = 0.0) -> U8Array:
    """A frame that tells poses apart, wrong by ``error`` levels."""
    frame = np.zeros((PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)
    level = 60 + 40 * float(np.abs(values).mean())
    frame[200:240, 200:240] = (*(int(level),) * 3, 255)
    frame[200:240, 200:240, 0] = min(int(level + error), 255)
    return frame


@dataclass
class StandInTeacher:
    """Both teachers."""

    clock: ManualClock
    asked: list[F32Array] = field(default_factory=list)
    frames: list[F32Array] = field(default_factory=list)
    faces: list[F32Array] = field(default_factory=list)
    closed: int = 0

    def body(self, rotation: F32Array) -> FrameFields:
        self.clock.advance(BODY_S)
        self.asked.append(rotation.copy())
        return None  # type: ignore[return-value]  # the learner below looks at rotations only

    def frame(self, values: F32Array) -> U8Array:
        self.clock.advance(FRAME_S)
        self.frames.append(values.copy())
        return frame_of(values)

    def face(self, face_pose: F32Array) -> F32Array:
        self.clock.advance(FACE_S)
        self.faces.append(face_pose.copy())
        return np.zeros((4, 192, 192), np.float32)

    def close(self) -> None:
        self.closed += 1


@dataclass
class StandInLearner:
    """Both learners: poses kept in a file, one number learnt."""

    folder: Path
    clock: ManualClock
    size: int
    part: str
    fails: Callable[[int], BaseException | None] = never

    def __post_init__(self) -> None:
        self._file = (self.folder / "poses").open("a+b", buffering=0)
        self._file.seek(0)
        kept = np.frombuffer(self._file.read(), np.float32).reshape(-1, self.size)
        self._poses: list[F32Array] = [*kept]

    @property
    def rotations(self) -> F32Array:
        return np.array(self._poses, np.float32).reshape(-1, self.size)

    poses = rotations

    def close(self) -> None:
        self._file.close()

    def add(self, pose: F32Array, given: object) -> None:
        del given
        error = self.fails(len(self._poses))
        if error is not None:
            raise error
        self._poses.append(pose.copy())
        self._file.write(pose.tobytes())

    def fit(self, seconds: float, stop: Stop) -> Mapping[str, NDArray[Any]]:
        del stop
        self.clock.advance(min(seconds, FIT_S))
        return {f"{self.part}.count": np.array([len(self._poses)], np.float32)}

    def train(self, seconds: float, stop: Stop) -> Mapping[str, NDArray[Any]]:
        """Learn for ``seconds`` by hundredths, as long as nobody stops it."""
        for _ in range(100):
            self.clock.advance(seconds / 100)
            if stop():
                break
        return {f"{self.part}.count": np.array([len(self._poses)], np.float32)}


def alternate(
    body: BodyLane, face: FaceLane, stop: threading.Event, tell: Callable[[], None]
) -> None:
    """Run both lanes step by step on this thread."""
    del stop
    face_goes_on = True
    while body.step():
        face_goes_on = face_goes_on and face.step()
        tell()

    def wait_for_face() -> None:
        while face.step():
            tell()

    body.finish(wait_for_face)


@dataclass
class Bakery:
    """Everything that a bake needs, and what came of it.

    Attributes:
        package: the folder.
        clock: moved by teachers and learners.
        error_of: how many levels a model is wrong by, of its numbers of samples.
    """

    package: Path
    clock: ManualClock = field(default_factory=ManualClock)
    picture: Picture = field(default_factory=picture_of)
    error_of: Callable[[float, float], float] = lambda body, face: 40.0 / (1.0 + 0.02 * body)
    body_fails: Callable[[int], BaseException | None] = never
    news: list[BakeNews] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    weights_sha256: str = "ab" * 32
    recordings: tuple[F32Array, ...] = field(default_factory=lambda: (recording(),))

    def __post_init__(self) -> None:
        self.teacher = StandInTeacher(self.clock)

    def bake(self, wanted_s: float, **options: Any) -> BakeResult:
        request = BakeRequest(
            package=self.package,
            picture=self.picture,
            weights="tha3-separable-float",
            weights_sha256=self.weights_sha256,
            wanted_s=wanted_s,
            recordings=self.recordings,
        )
        learners: list[StandInLearner] = []

        def learner(folder: Path, size: int, part: str) -> StandInLearner:
            fails = self.body_fails if part == "body" else never
            learners.append(StandInLearner(folder, self.clock, size, part, fails))
            return learners[-1]

        tools = Tools(
            open_teacher=lambda picture: self.teacher,
            open_face_teacher=lambda picture: self.teacher,
            body_learner=lambda folder, picture: learner(folder, ROTATION_SIZE, "body"),
            face_learner=lambda folder, picture: learner(folder, FACE_POSE_SIZE, "face"),
            open_render=self._open_render,
        )
        told = options.pop("told", self.news.append)
        run = options.pop("run", alternate)
        try:
            return bake(request, tools, clock=self.clock, told=told, stop=self.stop, run=run)
        finally:
            for each in learners:
                each.close()

    def _open_render(self, tensors: Tensors, about: BakedManifest, picture: Picture) -> Render:
        assert about.picture_sha256 == picture.digest
        error = self.error_of(float(tensors["body.count"][0]), float(tensors["face.count"][0]))
        return lambda values: frame_of(values, error)
