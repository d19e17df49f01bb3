"""How good a model is: its frames against the teacher's, on poses that it never learnt from."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.render.benchmark.similarity import likeness

_FRAME = (PICTURE_SIZE, PICTURE_SIZE, 4)

Render = Callable[[F32Array], U8Array]
"""Return the frame of a pose [45], premultiplied sRGB, [512, 512, 4]."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How alike frames are to the teacher's in the character's box, over grey.

    Attributes:
        psnr_db: mean over the poses.
        worst_psnr_db: of the worst pose.
        ssim: mean over the poses.
        poses: how many there were.
    """

    psnr_db: float
    worst_psnr_db: float
    ssim: float
    poses: int

    @property
    def finite(self) -> bool:
        """True if all of it are numbers."""
        return all(map(math.isfinite, (self.psnr_db, self.worst_psnr_db, self.ssim)))


class HeldOut:
    """Poses to be judged by, and the teacher's frames of them, kept on disk.

    Args:
        path: an .npz; one of other poses, or a damaged one, is made anew.
        poses: float32 [n, 45], n >= 1.
    """

    def __init__(self, path: Path, poses: F32Array) -> None:
        self._path = path
        self._poses = poses
        self._frames: list[U8Array] = self._read()

    def __len__(self) -> int:
        return len(self._poses)

    @property
    def known(self) -> int:
        """Of how many poses the teacher's frame is there."""
        return len(self._frames)

    @property
    def complete(self) -> bool:
        """True if all frames are there."""
        return self.known == len(self)

    def ask(self, teacher: Render) -> None:
        """Have the teacher draw the next frame; all are written once the last is there.

        Raises:
            InferenceError: the teacher failed.
            OSError: they cannot be written.
        """
        self._frames.append(teacher(self._poses[self.known]))
        if self.complete:
            content = io.BytesIO()
            np.savez_compressed(content, poses=self._poses, frames=np.stack(self._frames))
            write_atomically(self._path, content.getvalue())

    def judge(self, render: Render) -> Accuracy:
        """Return how alike the frames of ``render`` are to the teacher's.

        Raises:
            ValueError: not all of those are there yet.
        """
        if not self.complete:
            raise ValueError("the teacher has not drawn all held-out poses")
        pairs = zip(self._poses, self._frames, strict=True)
        alike = [likeness(render(pose), truth) for pose, truth in pairs]
        return Accuracy(
            psnr_db=fmean(each.psnr_db for each in alike),
            worst_psnr_db=min(each.psnr_db for each in alike),
            ssim=fmean(each.ssim for each in alike),
            poses=len(alike),
        )

    def _read(self) -> list[U8Array]:
        try:
            # Opened here, because numpy leaves a file open that is no archive.
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                poses, frames = kept["poses"], kept["frames"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return []
        whole = frames.shape == (len(self), *_FRAME) and frames.dtype == np.uint8
        return list(frames) if whole and np.array_equal(poses, self._poses) else []
