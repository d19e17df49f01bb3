"""Train the landmark network: ``python -m vtbridge.training.landmarks.fit OUT.safetensors``.

Everything it sees is drawn here; a run is the same for the same arguments and thread count. The
weights in ``characters`` are of the defaults, on one thread (a quarter of an hour on a busy core),
made when the jaw of a turned head was drawn with a notch: a new run differs by as much.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from vtbridge.datatypes import U8Array
from vtbridge.training.landmarks.network import LandmarkNetwork
from vtbridge.training.landmarks.targets import loss
from vtbridge.training.synthetic.scene import Cutout, draw_background, draw_cutout, random_scene

SIZE = 128
"""Side of the pictures learnt from, pixels."""
_NOBODY = 0.1
"""Share of pictures with nothing but background."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made of; the defaults made the weights that come with vtbridge.

    Attributes:
        characters: how many cut-outs are drawn before learning.
        backgrounds: how many backgrounds.
        steps: batches learnt from.
        batch: pictures a batch.
        rate: the highest learning rate; it falls to nothing along a cosine.
        seed: of everything random.
    """

    characters: int = 8000
    backgrounds: int = 2000
    steps: int = 5500
    batch: int = 32
    rate: float = 4e-3
    seed: int = 0


class Pictures:
    """Batches of labelled pictures, without end."""

    def __init__(self, recipe: Recipe) -> None:
        first = recipe.seed * 1_000_000
        self._cutouts: list[Cutout] = [
            draw_cutout(first + number) for number in range(recipe.characters)
        ]
        self._backgrounds: list[U8Array] = [
            draw_background(first + number) for number in range(recipe.backgrounds)
        ]
        self._random = np.random.default_rng([recipe.seed, 3])
        self._batch = recipe.batch

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return B x 3 x SIZE x SIZE in -1..1, B x 4 x 4 boxes in pixels, B shown (0 or 1)."""
        random = self._random
        scenes = [
            random_scene(
                None
                if random.random() < _NOBODY
                else self._cutouts[random.integers(len(self._cutouts))],
                self._backgrounds[random.integers(len(self._backgrounds))],
                random,
                SIZE,
            )
            for _ in range(self._batch)
        ]
        pixels = torch.from_numpy(np.stack([scene.rgb for scene in scenes]))
        none = np.tile(np.array([0, 0, SIZE, SIZE], np.float32), (4, 1))
        boxes = np.stack([none if scene.boxes is None else scene.boxes for scene in scenes])
        shown = torch.tensor([float(scene.boxes is not None) for scene in scenes])
        return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1, torch.from_numpy(boxes), shown


def fit(
    recipe: Recipe, tell: Callable[[str], None], keep: Callable[[LandmarkNetwork], None]
) -> LandmarkNetwork:
    """Return a trained network in evaluation mode.

    Args:
        recipe: what to do.
        tell: gets a line now and then.
        keep: gets the network as it is, every 500 steps.
    """
    torch.manual_seed(recipe.seed)
    began = time.monotonic()
    pictures = Pictures(recipe)
    tell(f"drew {recipe.characters} characters in {time.monotonic() - began:.0f} s")
    network = LandmarkNetwork().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.1
    )
    sums = np.zeros(2)
    for step in range(1, recipe.steps + 1):
        pixels, boxes, shown = pictures.batch()
        heat, box = loss(network(pixels), boxes, shown)
        optimiser.zero_grad()
        (heat + box).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        sums += [heat.item(), box.item()]
        if step % 100 == 0:
            tell(
                f"step {step}: heat {sums[0] / 100:.3f}, boxes {sums[1] / 100:.3f}, "
                f"{time.monotonic() - began:.0f} s"
            )
            sums[:] = 0
        if step % 500 == 0:
            keep(network)
    return network.eval()


def save(network: LandmarkNetwork, path: Path) -> None:
    """Write the folded weights in half precision."""
    save_file({name: tensor.half() for name, tensor in network.folded().items()}, path)


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    defaults = Recipe()
    for name in ("characters", "backgrounds", "steps", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument("--threads", type=int, default=1)
    arguments = vars(parser.parse_args())
    out: Path = arguments.pop("out")
    torch.set_num_threads(arguments.pop("threads"))

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    save(fit(Recipe(**arguments), tell, lambda network: save(network, out)), out)


if __name__ == "__main__":
    main()
