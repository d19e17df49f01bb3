"""The eight ways of the write-up of version 1 to turn a head, and its figures for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from vtbridge.training.learn.recipe import StageName


class Way(StrEnum):
    """How the picture is made."""

    REPAINTED = "repainted"
    SAMPLED = "sampled"
    COMBINED = "combined"


@dataclass(frozen=True, slots=True)
class Configuration:
    """One of the eight.

    Attributes:
        name: the write-up's: PU repaints (Pumarola et al.), ZH samples (Zhou et al.), FU
            combines both; then the rotator's loss and the combiner's, P for perceptual.
        way: how its picture is made.
        rotator: the stage that turns.
        combiner: the stage that combines, None where one picture is taken as it is.
    """

    name: str
    way: Way
    rotator: StageName
    combiner: StageName | None = None

    @property
    def stages(self) -> tuple[StageName, ...]:
        """All stages that have to be trained for it."""
        return (self.rotator,) if self.combiner is None else (self.rotator, self.combiner)


CONFIGURATIONS: Final = (
    Configuration("PU-L1", Way.REPAINTED, StageName.ROTATOR_L1),
    Configuration("PU-P", Way.REPAINTED, StageName.ROTATOR_PERCEPTUAL),
    Configuration("ZH-L1", Way.SAMPLED, StageName.ROTATOR_L1),
    Configuration("ZH-P", Way.SAMPLED, StageName.ROTATOR_PERCEPTUAL),
    *(
        Configuration(f"FU-{name}", Way.COMBINED, rotator, combiner)
        for name, combiner in (
            ("L1-L1", StageName.COMBINER_L1_L1),
            ("L1-P", StageName.COMBINER_L1_PERCEPTUAL),
            ("P-L1", StageName.COMBINER_PERCEPTUAL_L1),
            ("P-P", StageName.COMBINER_PERCEPTUAL_PERCEPTUAL),
        )
        if (rotator := combiner.rotator) is not None
    ),
)


@dataclass(frozen=True, slots=True)
class Published:
    """What the write-up tells of a configuration.

    Attributes:
        rmse: its column of that name; by its size a mean square in the networks' signals.
        ssim: as it computes it.
    """

    rmse: float
    ssim: float


PAPER: Final[Mapping[str, Published]] = MappingProxyType(
    {
        "PU-L1": Published(0.010311, 0.837049),
        "PU-P": Published(0.009831, 0.837744),
        "ZH-L1": Published(0.010657, 0.841081),
        "ZH-P": Published(0.010326, 0.844812),
        "FU-L1-L1": Published(0.010080, 0.851760),
        "FU-L1-P": Published(0.009982, 0.850675),
        "FU-P-L1": Published(0.009870, 0.854050),
        "FU-P-P": Published(0.009789, 0.852795),
    }
)
"""P. Khungurn, "Talking Head Anime from a Single Image" (2019), its table of 10 000 examples."""

PAPER_NOTE: Final = (
    "The write-up measured 10 000 pictures of 72 MikuMikuDance models at 256 x 256. Data, sizes "
    "and perhaps definitions differ from these, so its rows can be compared with each other, "
    "not with ours."
)
