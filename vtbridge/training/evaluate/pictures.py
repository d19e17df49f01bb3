"""The pictures of a report, as files beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import Picture, U8Array
from vtbridge.errors import TrainingError
from vtbridge.render.models.crops import HEAD_CROP
from vtbridge.training.evaluate.metrics import shown
from vtbridge.training.evaluate.networks import TrainedRun
from vtbridge.training.learn.lessons import shrunk, signals

GAIN: Final = 4
"""How much larger differences are shown than they are."""
_GREY: Final = 0.5

ACTS: Final = {
    "as drawn": (0, 0, 0, 0, 0, None),
    "eyes closed": (0, 0, 0, 1, 1, None),
    "one eye closed": (0, 0, 0, 1, 0, None),
    "mouth open": (0, 0, 0, 0, 0, 1),
    "mouth closed": (0, 0, 0, 0, 0, 0),
    "turned to its left": (0, 1, 0, 0, 0, None),
    "turned to its right": (0, -1, 0, 0, 0, None),
    "looking up": (1, 0, 0, 0, 0, None),
    "head tilted": (0, 0, 1, 0, 0, None),
    "blinking, speaking, turned": (0.3, -0.7, 0.3, 0.8, 0.8, 0.8),
}
"""What drawings do: head_x, head_y, neck_z, left_eye, right_eye, mouth; None leaves it."""


@dataclass
class PictureFolder:
    """Write pictures as PNG below a report.

    Attributes:
        folder: of the report.
    """

    folder: Path
    _made: int = field(default=0, init=False)

    def keep(self, signals_: Tensor) -> str:
        """Write a picture of signals [4, S, S], and return its path from the report.

        Its name tells nothing, so that who compares pictures blindly cannot read it there.
        """
        return self._write(_straight(signals_))

    def keep_difference(self, picture: Tensor, truth: Tensor) -> str:
        """Write how much two pictures of signals differ, ``GAIN`` times, white where they do."""
        apart = (shown(picture[None]) - shown(truth[None]))[0].abs().amax(dim=0)
        level = (apart * GAIN).clamp(0, 1)
        grey = (level * 255).round().byte().numpy()
        return self._write(np.dstack([grey, grey, grey, np.full_like(grey, 255)]))

    def _write(self, rgba: U8Array) -> str:
        name = f"pictures/{self._made:05d}.png"
        self._made += 1
        done, png = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
        if not done:
            raise TrainingError(f"{self.folder / name} cannot be encoded")
        write_atomically(self.folder / name, png.tobytes())
        return name


def _straight(signals_: Tensor) -> U8Array:
    """Return signals [4, S, S] as uint8 [S, S, 4], straight sRGB."""
    seen = shown(signals_[None])[0]
    alpha = seen[3:]
    straight = torch.cat([seen[:3] / alpha.clamp(min=1e-6), alpha])
    rgba: U8Array = (straight.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(np.where(rgba[..., 3:] > 0, rgba, 0), np.uint8)


def framed(picture: Picture, size: int) -> Tensor:
    """Return a character as version 1 frames it: signals [1, 4, size, size]."""
    crop = HEAD_CROP
    rgba = picture.rgba[crop.y : crop.y + crop.size, crop.x : crop.x + crop.size]
    whole = signals(torch.from_numpy(np.ascontiguousarray(rgba)[None]))
    if size <= crop.size:
        return shrunk(whole, size)
    return F.interpolate(whole, size=(size, size), mode="bilinear", align_corners=False)


def acted(run: TrainedRun, rest: Tensor, act: str, *, mouth: float) -> dict[str, Tensor]:
    """Return what each configuration makes of a drawing, signals [4, S, S] by its name.

    The face is moved by the morpher where there is one, then the head by each configuration;
    without any of them the morphed picture stands alone as ``morpher``.

    Args:
        run: the networks.
        rest: signals [1, 4, S, S], of the data set's size.
        act: key of ``ACTS``.
        mouth: how far the mouth is open in the drawing, 0..1.
    """
    values = [mouth if value is None else float(value) for value in ACTS[act]]
    pose = torch.tensor([values], dtype=torch.float32)
    picture = rest.clone()
    if run.morpher_size is not None:
        edge = (rest.shape[-1] - run.morpher_size) // 2
        box = slice(edge, edge + run.morpher_size)
        picture[..., box, box] = run.morphed(rest[..., box, box].contiguous(), pose[:, 3:])
    if run.head_size is None or not run.configurations:
        return {"morpher": picture[0]}
    answers = run.turned(shrunk(picture, run.head_size), pose[:, :3])
    return {name: answer.picture[0] for name, answer in answers.items()}
