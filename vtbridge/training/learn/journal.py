"""What a run tells of itself while it learns: TensorBoard's files, with pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vtbridge.closing import Closing


class Journal(Closing):
    """Figures and pictures of one stage, to look at with ``tensorboard --logdir RUN``.

    Args:
        folder: TensorBoard's; None writes nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._writer = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(folder)

    def figure(self, name: str, value: float, examples: int) -> None:
        """Note a number after so many examples."""
        if self._writer is not None:
            self._writer.add_scalar(name, value, examples)

    def pictures(self, name: str, rows: list[Tensor], examples: int) -> None:
        """Note pictures: each of ``rows`` is signals [N, 4, S, S] and becomes a row of N."""
        if self._writer is not None:
            sheet = torch.cat([torch.cat(list(on_grey(row)), dim=2) for row in rows], dim=1)
            self._writer.add_image(name, sheet, examples)

    def close(self) -> None:
        """Write what is not written yet; nothing can be noted afterwards."""
        if self._writer is not None:
            self._writer.close()


def on_grey(pictures: Tensor) -> Tensor:
    """Return signals [N, 4, S, S] as sRGB [N, 3, S, S], 0..1, over light grey."""
    unit = ((pictures.detach().float().cpu() + 1) / 2).clamp(0, 1)
    linear, alpha = unit[:, :3], unit[:, 3:]
    encoded = torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055
    )
    return encoded * alpha + 0.8 * (1 - alpha)
