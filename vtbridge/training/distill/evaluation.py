"""How good a model is: its frames against the teacher's, on poses that it never learnt from."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.pose_params import POSE_SIZE
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


def together(accuracies: Sequence[Accuracy]) -> Accuracy:
    """Return how good a model is on several sets of poses as on one."""
    poses = sum(each.poses for each in accuracies)
    return Accuracy(
        psnr_db=sum(each.psnr_db * each.poses for each in accuracies) / poses,
        worst_psnr_db=min(each.worst_psnr_db for each in accuracies),
        ssim=sum(each.ssim * each.poses for each in accuracies) / poses,
        poses=poses,
    )


class HeldOut:
    """Poses to be judged by, and the teacher's frames of them, kept on disk.

    Args:
        path: an .npz; one of other poses, or a damaged one, is made anew.
        poses: float32 [n, 45], n >= 1.
    """

    def __init__(self, path: Path, poses: F32Array) -> None:
        self._path = path
        self._poses = poses
        kept = _kept(path)
        same = kept is not None and np.array_equal(kept[0], poses)
        self._frames: list[U8Array] = kept[1] if kept is not None and same else []

    @classmethod
    def kept_in(cls, path: Path) -> HeldOut | None:
        """Return those that ``path`` holds, complete; None if it is not there or damaged."""
        kept = _kept(path)
        return None if kept is None else cls(path, kept[0])

    def __len__(self) -> int:
        return len(self._poses)

    @property
    def poses(self) -> F32Array:
        """The poses, [n, 45]."""
        return self._poses

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
            self.write(self._path)

    def add(self, pose: F32Array, frame: U8Array) -> None:
        """Judge by one more pose, whose frame the teacher has drawn."""
        self._poses = np.concatenate([self._poses, pose[None]])
        self._frames.append(frame)

    def write(self, path: Path) -> None:
        """Keep all of them in ``path``.

        Raises:
            OSError: it cannot be written.
        """
        content = io.BytesIO()
        np.savez_compressed(content, poses=self._poses, frames=np.stack(self._frames))
        write_atomically(path, content.getvalue())

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


def _kept(path: Path) -> tuple[F32Array, list[U8Array]] | None:
    """Return poses and frames of a file, None if it is not there or damaged."""
    try:
        # Opened here, because numpy leaves a file open that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            poses, frames = kept["poses"], kept["frames"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    count = len(poses) if poses.ndim == 2 else 0
    whole = (
        count > 0
        and poses.shape == (count, POSE_SIZE)
        and poses.dtype == np.float32
        and frames.shape == (count, *_FRAME)
        and frames.dtype == np.uint8
    )
    return (poses, list(frames)) if whole else None
