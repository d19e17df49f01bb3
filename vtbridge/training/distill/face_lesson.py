"""What is to be learnt of a face: poses, and where their faces lie in a basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.distill.face_basis import FaceBasis, fit_basis, moving_places
from vtbridge.training.distill.face_kernel import FaceKernel
from vtbridge.training.distill.face_samples import SHAPE, FaceSamples

MOST_ROWS: Final = 320
MOST_BASIS_BYTES: Final = 2_600_000
"""What a basis may take of the 5 MB of a prepared face."""

_GROWN: Final = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """All faces that are known, as they are learnt.

    Attributes:
        neutral: the face at rest, straight sRGB, [192, 192, 4].
        places: what moves, indices into a flat face [192 * 192 * 4], [E].
        basis: its differences are sums of.
        poses: [n, 39].
        targets: coordinates in the basis, [n, K].
    """

    neutral: U8Array
    places: NDArray[np.intp]
    basis: FaceBasis
    poses: Tensor
    targets: Tensor

    def tensors(self, kernel: FaceKernel) -> dict[str, NDArray[Any]]:
        """Return the tensors of ``BakedFace``, without prefix, for all these faces."""
        points, weights = kernel.solved(self.poses, self.targets)
        # From coordinates to weights of the rows as they are stored.
        isometry = self.basis.isometry.astype(np.float64)
        of_rows = np.linalg.solve(isometry.T, weights.T.astype(np.float64))
        of_rows *= self.basis.scales[:, None]
        places = _planar(self.places)
        order = np.argsort(places)
        return {
            "neutral": self.neutral,
            "places": places[order].astype(np.int32),
            "basis": np.ascontiguousarray(self.basis.rows[:, order]),
            "points": points,
            "weights": of_rows.astype(np.float32),
            **kernel.shape(),
        }


class Lessons:
    """Make lessons of samples, each time only of what is new.

    Args:
        samples: may be added to between two lessons.
    """

    def __init__(self, samples: FaceSamples) -> None:
        self._samples = samples
        self._lesson: Lesson | None = None
        self._fitted_to = 0

    def next(self) -> Lesson:
        """Return the lesson of all samples.

        The basis is that of the lesson before as long as there are not many more samples.

        Raises:
            ValueError: there are no samples.
        """
        count = len(self._samples)
        if not count:
            raise ValueError("there are no faces to learn; add some first")
        lesson = self._lesson
        if lesson is None or count >= _GROWN * self._fitted_to:
            self._lesson = lesson = self._fitted()
            self._fitted_to = count
        elif count > len(lesson.poses):
            self._lesson = lesson = self._extended(lesson)
        return lesson

    def _fitted(self) -> Lesson:
        places = moving_places(self._samples)
        neutral = self._samples.face(_most_neutral(self._samples.poses))
        differences = self._differences(places, neutral, 0)
        basis = fit_basis(differences, min(MOST_ROWS, MOST_BASIS_BYTES // max(len(places), 1)))
        return self._lesson_of(neutral, places, basis, basis.coordinates(differences))

    def _extended(self, lesson: Lesson) -> Lesson:
        differences = self._differences(lesson.places, lesson.neutral, len(lesson.poses))
        targets = np.concatenate([lesson.targets.numpy(), lesson.basis.coordinates(differences)])
        return self._lesson_of(lesson.neutral, lesson.places, lesson.basis, targets)

    def _differences(self, places: NDArray[np.intp], neutral: U8Array, first: int) -> F32Array:
        differences = self._samples.levels(places, first).astype(np.float32)
        differences -= neutral.reshape(-1)[places]
        return differences

    def _lesson_of(
        self, neutral: U8Array, places: NDArray[np.intp], basis: FaceBasis, targets: F32Array
    ) -> Lesson:
        poses = torch.from_numpy(self._samples.poses)
        return Lesson(neutral, places, basis, poses, torch.from_numpy(targets))


def _most_neutral(poses: F32Array) -> int:
    return int(np.abs(poses).sum(axis=1).argmin())


def _planar(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return indices into [4, 192, 192] of the same values as ``places`` in [192, 192, 4]."""
    pixel, channel = np.divmod(places, SHAPE[2])
    result: NDArray[np.intp] = channel * (SHAPE[0] * SHAPE[1]) + pixel
    return result
