"""What the teacher said of a body's rotations, one file a sample, whole or not there."""

from __future__ import annotations

import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import PICTURE_SIZE, F32Array
from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.render.fields import FrameFields
from vtbridge.training.distill.planes import sampled

log = logging.getLogger(__name__)

ROTATIONS: Final = POSE_SIZE - ROTATION_SLICE.start
SIDE: Final = PICTURE_SIZE

_HALF: Final = SIDE / 2
_LEAST_SEEN: Final = 2 / 255
"""Less is seen of nothing: half a level of alpha, on the scale 0..2."""
_MARGIN: Final = 10
"""Pixels around what is seen: how it comes and goes there is told by the teacher, not made up."""
_STEPS_A_PIXEL: Final = 128
_LEVELS: Final = 255.0


@dataclass(frozen=True, slots=True, eq=False)
class BodySample:
    """Fields of one rotation where something is seen, or nearly; float32.

    Attributes:
        rotation: [6].
        places: of the pixels in a flat picture, growing, [m].
        grid_change: in pixels, x then y, [2, m].
        alpha: mean of the channels, 0..1, [m].
        paint: what is painted over times how much of it, shifted so that 0 is nothing:
            ``alpha * (color + 1)``, 0..2, [4, m].
    """

    rotation: F32Array
    places: NDArray[np.int64]
    grid_change: F32Array
    alpha: F32Array
    paint: F32Array


class BodySamples:
    """Samples in a folder, each written before ``add`` returns.

    A sample holds only what is near something seen: the grid change in 128ths of a pixel,
    the rest in 8 bits, paint by its root as eyes see it; about 0.8 MB. One process at a
    time writes a folder.

    Args:
        folder: made when the first sample is added.
        digest: of the picture; samples of another one are deleted.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder = folder
        self._digest = digest
        self._rotations: list[F32Array] = []
        self._paths: list[Path] = []
        self._known: set[bytes] = set()
        self._next = 0
        self._read()

    def __len__(self) -> int:
        return len(self._rotations)

    @property
    def rotations(self) -> F32Array:
        """Rotations of the samples in the order they came, [n, 6]."""
        if not self._rotations:
            return np.empty((0, ROTATIONS), np.float32)
        return np.stack(self._rotations)

    def add(self, rotation: F32Array, fields: FrameFields) -> bool:
        """Hold the fields of a rotation; return False if it is held already.

        Args:
            rotation: float32 [6].
            fields: of any face: paint is told apart from the picture under it.

        Raises:
            InferenceError: the fields are not finite.
            ValueError: ``rotation`` is not float32 [6] or not finite.
            OSError: the sample cannot be written.
        """
        if rotation.shape != (ROTATIONS,) or rotation.dtype != np.float32:
            raise ValueError(
                f"a rotation is float32 [{ROTATIONS}], not {rotation.dtype} {rotation.shape}"
            )
        if not np.isfinite(rotation).all():
            raise ValueError("a rotation holds a value that is not finite")
        rotation = rotation + np.float32(0.0)  # so that -0 is 0
        if rotation.tobytes() in self._known:
            return False
        moved = fields.grid_change * np.float32(_HALF)
        warped = sampled(fields.morphed, moved) + np.float32(1.0)
        alpha = fields.alpha.mean(axis=0)
        shown = fields.alpha * (fields.color + np.float32(1.0)) + (1 - fields.alpha) * warped
        paint = shown - (1 - alpha) * warped
        if not (np.isfinite(paint).all() and np.isfinite(moved).all()):
            raise InferenceError("the teacher gave a sample that is not finite")
        seen = (np.maximum(shown[3], warped[3]) > _LEAST_SEEN).astype(np.uint8)
        near = cv2.dilate(seen, np.ones((2 * _MARGIN + 1,) * 2, np.uint8)) > 0
        self._write(rotation, near, moved, alpha, paint)
        return True

    def sample(self, index: int) -> BodySample:
        """Read one sample."""
        with np.load(self._paths[index], allow_pickle=False) as held:
            places = np.flatnonzero(np.unpackbits(held["near"]))
            return BodySample(
                rotation=self._rotations[index],
                places=places,
                grid_change=held["moved"].astype(np.float32) / np.float32(_STEPS_A_PIXEL),
                alpha=held["alpha"].astype(np.float32) / np.float32(_LEVELS),
                paint=2 * np.square(held["paint"].astype(np.float32) / np.float32(_LEVELS)),
            )

    def _write(
        self,
        rotation: F32Array,
        near: NDArray[np.bool_],
        moved: F32Array,
        alpha: F32Array,
        paint: F32Array,
    ) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._next:05d}.npz"
        unfinished = path.with_suffix(".part")
        root = np.sqrt(np.clip(paint[:, near] / 2, 0.0, 1.0))
        with unfinished.open("wb") as file:
            np.savez(
                file,
                picture=np.array(self._digest),
                rotation=rotation,
                near=np.packbits(near),
                moved=np.clip(np.rint(moved[:, near] * _STEPS_A_PIXEL), -32767, 32767).astype(
                    np.int16
                ),
                alpha=np.rint(np.clip(alpha[near], 0.0, 1.0) * _LEVELS).astype(np.uint8),
                paint=np.rint(root * _LEVELS).astype(np.uint8),
            )
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        self._hold(rotation, path)

    def _hold(self, rotation: F32Array, path: Path) -> None:
        self._rotations.append(rotation)
        self._paths.append(path)
        self._known.add(rotation.tobytes())
        self._next = int(path.stem) + 1

    def _read(self) -> None:
        for path in self._folder.glob("*.part"):
            path.unlink(missing_ok=True)
        for path in sorted(self._folder.glob("[0-9]*.npz")):
            rotation = self._rotation_of(path)
            if rotation is None or rotation.tobytes() in self._known:
                path.unlink(missing_ok=True)
            else:
                self._hold(rotation, path)

    def _rotation_of(self, path: Path) -> F32Array | None:
        """Return the rotation of a whole sample of this picture, None of anything else."""
        try:
            # Reading an array to its end checks it against its sum.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                rotation = held["rotation"]
                if (
                    str(held["picture"]) == self._digest
                    and rotation.shape == (ROTATIONS,)
                    and rotation.dtype == np.float32
                    and np.isfinite(rotation).all()
                    and _fits(held)
                ):
                    return np.array(rotation)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.debug("%s: %s", path, error)
        log.warning("%s is no sample of this picture and is deleted", path)
        return None


def _fits(held: np.lib.npyio.NpzFile) -> bool:
    """Return whether a sample's arrays have the shapes that its pixels ask for."""
    near = held["near"]
    if near.shape != (SIDE * SIDE // 8,) or near.dtype != np.uint8:
        return False
    count = int(np.unpackbits(near).sum(dtype=np.int64))
    wanted = {"moved": (2, count), "alpha": (count,), "paint": (4, count)}
    return all(held[name].shape == shape for name, shape in wanted.items())
