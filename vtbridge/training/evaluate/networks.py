"""The networks that a run has trained, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from vtbridge.errors import TrainingError
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher, aligned_grid
from vtbridge.training.evaluate.configurations import CONFIGURATIONS, Configuration, Way
from vtbridge.training.learn.network_file import Tha1Network, load_network
from vtbridge.training.learn.recipe import NetworkName, StageName


@dataclass(frozen=True, eq=False)
class Answer:
    """What a configuration makes of a batch.

    Attributes:
        picture: signals [N, 4, S, S].
        moved: where each pixel was sampled, less its own place, [N, 2, S, S], pixels; None
            where the picture is not sampled alone.
    """

    picture: Tensor
    moved: Tensor | None = None


class TrainedRun:
    """The finished stages of a run.

    Args:
        folder: of ``vtbridge train``.

    Attributes:
        about: what each file remembers of its network.

    Raises:
        TrainingError: there is no finished network, one is damaged, or they do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        networks: dict[StageName, Tha1Network] = {}
        self.about: dict[StageName, Mapping[str, str]] = {}
        for stage in StageName:
            path = folder / f"{stage}.safetensors"
            if path.exists():
                networks[stage], self.about[stage] = load_network(path)
                if self.about[stage]["network"] != stage.network:
                    told = self.about[stage]["network"]
                    raise TrainingError(f"{path} is a {told}: put the {stage.network} there")
        if not networks:
            raise TrainingError(
                f"{folder} has no finished network: train them with `vtbridge train -o {folder}`"
            )
        self._networks = networks
        sizes = {n.image_size for s, n in networks.items() if s is not StageName.MORPHER}
        if len(sizes) > 1:
            raise TrainingError(
                f"the networks of {folder} see pictures of different sizes "
                f"({', '.join(map(str, sorted(sizes)))}): they are not from one run"
            )
        self._size = next(iter(sizes), None)

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """Those of the eight whose stages are all there."""
        return tuple(
            each for each in CONFIGURATIONS if all(s in self._networks for s in each.stages)
        )

    @property
    def morpher_size(self) -> int | None:
        """Side of the head box that the morpher sees, None if there is none."""
        morpher = self._networks.get(StageName.MORPHER)
        return None if morpher is None else morpher.image_size

    @property
    def head_size(self) -> int | None:
        """Side of the pictures that rotators and combiners see, None if there are none."""
        return self._size

    @torch.inference_mode()
    def morphed(self, image: Tensor, pose: Tensor) -> Tensor:
        """Return what the morpher makes of head boxes [N, 4, S, S] and left_eye, right_eye, mouth.

        Raises:
            TrainingError: it is not trained.
        """
        morpher = self._networks.get(StageName.MORPHER)
        if morpher is None:
            raise TrainingError("the morpher of this run is not trained")
        return cast(Morpher, morpher)(image, pose).image  # type: ignore[no-any-return]

    @torch.inference_mode()
    def turned(self, image: Tensor, pose: Tensor) -> dict[str, Answer]:
        """Return what each configuration makes of pictures [N, 4, S, S]; a rotator runs once.

        Args:
            image: signals, ``head_size`` x ``head_size``.
            pose: [N, 3], head_x, head_y, neck_z.
        """
        answers: dict[str, Answer] = {}
        rotated = {
            stage: cast(HeadRotator, network)(image, pose)
            for stage, network in self._networks.items()
            if stage.network is NetworkName.ROTATOR
        }
        for each in self.configurations:
            direct, sampled, grid_change = rotated[each.rotator]
            if each.way is Way.REPAINTED:
                answers[each.name] = Answer(direct)
            elif each.way is Way.SAMPLED:
                still = aligned_grid(torch.zeros_like(grid_change))
                answers[each.name] = Answer(sampled, aligned_grid(grid_change) - still)
            elif each.combiner is not None:
                combiner = cast(Combiner, self._networks[each.combiner])
                answers[each.name] = Answer(combiner(direct, sampled, pose).image)
        return answers
