"""How far the prepared character of an avatar is, in figures and in words."""

from __future__ import annotations

from dataclasses import dataclass

from vtbridge.app.background_bake import BakeProgress
from vtbridge.app.background_learning import LearnProgress


@dataclass(frozen=True, slots=True)
class Preparation:
    """How far the prepared character is, for people.

    Attributes:
        state: "waiting", "not needed", "baking", "elsewhere" (another process bakes it),
            "shown", "learning" (and shown) or "failed".
        progress: of the bake, None while there is none.
        shown_db: likeness of the model that is shown, None while the networks are.
        trouble: why it failed; empty if it did not.
        learning: how far learning is, None while there is none.
        learning_waits: it stands still because frames came late.
    """

    state: str
    progress: BakeProgress | None = None
    shown_db: float | None = None
    trouble: str = ""
    learning: LearnProgress | None = None
    learning_waits: bool = False

    @property
    def text(self) -> str:
        """One phrase such as ``preparing: 3:10 left, 36.2 dB``, empty if there is nothing."""
        if self.state == "baking" and self.progress is not None:
            left_s = max(round(self.progress.wanted_s - self.progress.baked_s), 0)
            best_db = self.progress.psnr_db
            quality = "no model yet" if best_db is None else f"{best_db:.1f} dB"
            return f"preparing: {left_s // 60}:{left_s % 60:02d} left, {quality}"
        if self.state == "baking":
            return "preparing: loading"
        if self.state == "elsewhere" and self.shown_db is None:
            return "preparing: by another vtbridge"
        if self.state == "failed":
            return f"not prepared: {self.trouble}"
        if self.shown_db is None:
            return ""
        return f"prepared, {self.shown_db:.1f} dB{self._learning_text}"

    @property
    def _learning_text(self) -> str:
        if self.state != "learning" or self.learning is None:
            return ""
        if self.learning_waits:
            return ", learning waits: frames come late"
        return f", learning: {self.learning.turns} turns known"
