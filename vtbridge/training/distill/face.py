"""Learn the face of one picture from faces that its teacher posed."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.datatypes import F32Array, Picture
from vtbridge.render.baked.face import PREFIX
from vtbridge.training.distill.face_kernel import FaceKernel
from vtbridge.training.distill.face_lesson import Lesson, Lessons
from vtbridge.training.distill.face_samples import FaceSamples

log = logging.getLogger(__name__)

Tensors = dict[str, NDArray[Any]]

_BATCH: Final = 256  # of faces, each told from the others
_LED_BY: Final = 96  # coordinates, the first of which hold nearly all
_RATE: Final = 0.04
_SLOWER_AFTER_STEPS: Final = 300
_WARM_UP_STEPS: Final = 10
_DECAY_SHARE: Final = 0.4
_LARGEST_GRADIENT: Final = 1.0
_CHECKPOINT_S: Final = 10.0


class FaceTrainer:
    """Hold posed faces and learn to pose others; go on after any interruption.

    In ``folder``, which belongs to this picture and to one process at a time, ``faces.log``
    holds the faces and ``face.npz`` what was learnt of how alike poses are; all else follows
    from these two in closed form, in seconds. Training takes the threads that torch is
    allowed.

    Args:
        folder: where both lie; made with the first face.
        picture: whose face it is.
        clock: the monotonic clock.
    """

    def __init__(self, folder: Path, picture: Picture, clock: Clock | None = None) -> None:
        self._samples = FaceSamples(folder / "faces.log", picture)
        self._lessons = Lessons(self._samples)
        self._path = folder / "face.npz"
        self._clock = MonotonicClock() if clock is None else clock
        self._solving_ns = 0
        self._study = self._load()

    @property
    def poses(self) -> F32Array:
        """Poses that are known, [n, 39]."""
        return self._samples.poses

    def add(self, face_pose: F32Array, face: F32Array) -> None:
        """Keep a face for good; one whose pose is known already is left out.

        Args:
            face_pose: float32 [39].
            face: network signal, float32 [4, 192, 192].

        Raises:
            InferenceError: ``face`` is not finite.
            ValueError: a shape or type is another, or the pose is not finite.
            OSError: it cannot be written.
        """
        self._samples.add(face_pose, face)

    def train(self, seconds: float, stop: Callable[[], bool]) -> Tensors:
        """Go on learning all faces that are known.

        Args:
            seconds: to take, about.
            stop: asked between steps; training ends early once it is true.

        Returns:
            the tensors of ``BakedFace``.

        Raises:
            ValueError: no face is known.
            OSError: the checkpoint cannot be written.
        """
        begin_ns = saved_ns = self._clock.now_ns()
        lesson = self._lessons.next()
        study = self._study
        deadline_ns = begin_ns + round(seconds * NS_PER_S) - self._solving_ns
        begun_ns = now_ns = self._clock.now_ns()
        while now_ns < deadline_ns and not stop():
            left = (deadline_ns - now_ns) / (deadline_ns - begun_ns)
            study.step(lesson, min(1.0, left / _DECAY_SHARE))
            now_ns = self._clock.now_ns()
            if now_ns - saved_ns >= _CHECKPOINT_S * NS_PER_S:
                self._save()
                saved_ns = now_ns
        self._save()
        solving_from_ns = self._clock.now_ns()
        tensors = {PREFIX + name: array for name, array in lesson.tensors(study.kernel).items()}
        self._solving_ns = self._clock.now_ns() - solving_from_ns
        return tensors

    def _load(self) -> _Study:
        """Return what goes on from the checkpoint, or begins where there is no good one."""
        kernel = FaceKernel()
        try:
            # Opened here, because numpy leaves a file open that is no archive.
            with self._path.open("rb") as data, np.load(data, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            steps = int(held["steps"])
            kernel.take(held)
            return _Study(kernel, max(steps, 0))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            log.warning("%s cannot be gone on from (%s); learning anew", self._path, error)
        return _Study(FaceKernel(), 0)

    def _save(self) -> None:
        """Write the checkpoint so that the file is the old one or the new one, never half of it."""
        unfinished = self._path.with_suffix(".part")
        with unfinished.open("wb") as file:
            steps, arrays = np.int64(self._study.steps), self._study.kernel.arrays()
            np.savez(file, allow_pickle=False, steps=steps, **arrays)
        unfinished.replace(self._path)


class _Study:
    """Learning how alike poses are, step by step; lessons may change between them.

    Args:
        kernel: to be learnt.
        steps: made in earlier processes.
    """

    def __init__(self, kernel: FaceKernel, steps: int) -> None:
        self.kernel = kernel
        self.steps = self._begun_at = steps
        self._optimizer = torch.optim.Adam(kernel.parameters(), lr=_RATE, betas=(0.9, 0.98))
        # So that going on does not see the same batches again.
        self._random = torch.Generator().manual_seed(steps)

    def step(self, lesson: Lesson, share: float) -> None:
        """Learn from one batch at a share 0..1 of the learning rate."""
        warm = min(1.0, (self.steps - self._begun_at + 1) / _WARM_UP_STEPS)
        slow = (1.0 + self.steps / _SLOWER_AFTER_STEPS) ** -0.5
        for group in self._optimizer.param_groups:
            group["lr"] = _RATE * share * warm * slow
        poses, targets = lesson.poses, lesson.targets[:, :_LED_BY]
        if len(poses) > _BATCH:
            chosen = torch.randperm(len(poses), generator=self._random)[:_BATCH]
            poses, targets = poses[chosen], targets[chosen]
        self.steps += 1
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.kernel.loss(poses, targets)
        if loss is None:
            self.kernel.be_noisier()
            return
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.kernel.parameters(), _LARGEST_GRADIENT)
        if not torch.isfinite(norm):
            self.kernel.be_noisier()
            return
        self._optimizer.step()
        self.kernel.limit()
