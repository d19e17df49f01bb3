"""What is compared: the pictures of a run's networks, and the picture they were shown.

The paper's configurations: PU is what the rotator paints (after Pumarola et al.), ZH what it
samples (after Zhou et al.), FU what the combiner makes of both. Behind stand the rotator's loss
and, for FU, the combiner's: L1, or P where something perceptual was added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import Tensor

from vtbridge.errors import TrainingError
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher, RotatedHead
from vtbridge.training.learn.network_file import load_network
from vtbridge.training.learn.recipe import LossName, StageName

IDENTITY = "identity"
_SHORT = {LossName.L1: "L1", LossName.PERCEPTUAL: "P"}


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a contender makes of a batch: signals [N, 4, S, S], and the flow if it has one.

    ``flow`` is [N, 2, S, S], to add to a pixel's place, in pixels.
    """

    image: Tensor
    flow: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to make the picture.

    Attributes:
        name: ``FU-L1-P``, ``identity``.
        stages: those it needs.
        make: gets the shown picture, the pose and what each rotator makes of them.
    """

    name: str
    stages: tuple[StageName, ...]
    make: Callable[[Tensor, Tensor, Mapping[StageName, RotatedHead]], Made]


class RunNetworks:
    """The finished networks of a run.

    Args:
        run: its folder.

    Raises:
        TrainingError: it holds none, or one is damaged.
    """

    def __init__(self, run: Path) -> None:
        paths = {stage: run / f"{stage}.safetensors" for stage in StageName}
        loaded = {stage: load_network(path) for stage, path in paths.items() if path.is_file()}
        if not loaded:
            raise TrainingError(
                f"{run} has no finished network: train one with `vtbridge train ... -o {run}`"
            )
        self.networks = {stage: network for stage, (network, _) in loaded.items()}
        self.about = {stage: about for stage, (_, about) in loaded.items()}

    @property
    def morpher(self) -> Morpher | None:
        """The morpher, None if it was not trained."""
        return cast("Morpher | None", self.networks.get(StageName.MORPHER))

    def rotated(self, image: Tensor, pose: Tensor) -> dict[StageName, RotatedHead]:
        """Return what every rotator makes of signals [N, 4, S, S] and poses [N, 3]."""
        return {
            stage: network(image, pose)
            for stage, network in self.networks.items()
            if isinstance(network, HeadRotator)
        }

    @property
    def head_size(self) -> int | None:
        """Side of the rotators' pictures, None without one.

        Raises:
            TrainingError: rotators or combiners differ.
        """
        sizes = {
            network.image_size
            for network in self.networks.values()
            if isinstance(network, HeadRotator | Combiner)
        }
        if len(sizes) > 1:
            raise TrainingError(f"the run's rotators and combiners see pictures of {sorted(sizes)}")
        return sizes.pop() if sizes else None

    def contenders(self) -> list[Contender]:
        """Return the paper's eight configurations, trained or not, after the identity."""
        found = [Contender(IDENTITY, (), lambda image, pose, rotated: Made(image))]
        found += map(self._painted, LossName)
        found += map(self._sampled, LossName)
        return [*found, *(self._combined(a, b) for a in LossName for b in LossName)]

    def ready(self, contender: Contender) -> bool:
        """Return whether all that a contender needs was trained."""
        return all(stage in self.networks for stage in contender.stages)

    def _painted(self, loss: LossName) -> Contender:
        stage = StageName(f"rotator-{loss}")
        return Contender(
            f"PU-{_SHORT[loss]}", (stage,), lambda image, pose, rotated: Made(rotated[stage].direct)
        )

    def _sampled(self, loss: LossName) -> Contender:
        stage = StageName(f"rotator-{loss}")

        def make(image: Tensor, pose: Tensor, rotated: Mapping[StageName, RotatedHead]) -> Made:
            head = rotated[stage]
            side = head.grid_change.shape[-1]
            return Made(head.sampled, head.grid_change * ((side - 1) / 2))

        return Contender(f"ZH-{_SHORT[loss]}", (stage,), make)

    def _combined(self, first: LossName, second: LossName) -> Contender:
        rotator, combiner = StageName(f"rotator-{first}"), StageName(f"combiner-{first}-{second}")

        def make(image: Tensor, pose: Tensor, rotated: Mapping[StageName, RotatedHead]) -> Made:
            head = rotated[rotator]
            network = cast(Combiner, self.networks[combiner])
            return Made(network(head.direct, head.sampled, pose).image)

        return Contender(f"FU-{_SHORT[first]}-{_SHORT[second]}", (rotator, combiner), make)


def best_combined(run: RunNetworks) -> StageName | None:
    """Return the combiner to show where one is shown: the paper's best that was trained."""
    for stage in (
        StageName.COMBINER_PERCEPTUAL_PERCEPTUAL,
        StageName.COMBINER_PERCEPTUAL_L1,
        StageName.COMBINER_L1_PERCEPTUAL,
        StageName.COMBINER_L1_L1,
    ):
        if stage in run.networks:
            return stage
    return None
