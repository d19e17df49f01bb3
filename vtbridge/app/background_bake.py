"""A bake beside the avatar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtbridge.app.background_work import BackgroundWork


@dataclass(frozen=True, slots=True)
class BakeProgress:
    """How far a bake is, as ``vtbridge character bake --news`` tells.

    Attributes:
        phase: what it does, for people.
        baked_s: seconds baked, in all runs together.
        wanted_s: of so many.
        psnr_db: of the best model, None while there is none.
    """

    phase: str
    baked_s: float
    wanted_s: float
    psnr_db: float | None


def bake_command(
    character: str, package: Path, *, minutes: float, weights: str, threads: int
) -> list[str]:
    """Return the command that bakes a character into ``package`` and tells how far it is.

    Args:
        character: its name or path.
        package: the folder.
        minutes: how long, in all runs together.
        weights: name of the teacher's weights.
        threads: of the bake; 0 = every core.
    """
    return [
        *(sys.executable, "-m", "vtbridge", "character", "bake", character, "-o", str(package)),
        *("--minutes", f"{minutes:g}", "--weights", weights, "--threads", str(threads)),
        *("--news", "--json"),
    ]


class BackgroundBake(BackgroundWork[BakeProgress]):
    """Run a bake and listen to it.

    Args:
        command: see ``bake_command``.
        told: called on this service's thread with each news.
    """

    def __init__(
        self, command: Sequence[str], told: Callable[[BakeProgress], None] = lambda news: None
    ) -> None:
        super().__init__("preparing the character", command, told)

    def news_in(self, news: Any) -> BakeProgress:
        """Return how far it is."""
        psnr_db = news["psnr_db"]
        return BakeProgress(
            phase=str(news["phase"]),
            baked_s=float(news["baked_s"]),
            wanted_s=float(news["wanted_s"]),
            psnr_db=None if psnr_db is None else float(psnr_db),
        )
