"""How far a running avatar's prepared character is, for those who only see its frames."""

from __future__ import annotations

from typing import Any

from vtbridge.control.address import read_address
from vtbridge.control.ask import ask
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService

_ASK_EVERY_S = 1.0


class PreparationWatch(ThreadService):
    """Ask the avatar ``name`` once a second; whoever shows frames is never kept waiting.

    Attributes:
        newest: the ``preparation`` of its status, None while there is none.
    """

    def __init__(self, name: str) -> None:
        super().__init__("preparation")
        self._name = name
        self.newest: dict[str, Any] | None = None

    def serve(self) -> None:
        """Ask until stopped."""
        while True:
            address = read_address(self._name)
            told = None
            if address is not None:
                try:
                    told = ask(self._name, address, "status").get("preparation")
                except VtbridgeError:
                    told = None
            self.newest = told if isinstance(told, dict) else None
            if self.stopping.wait(_ASK_EVERY_S):
                return


def preparation_text(preparation: dict[str, Any] | None) -> str:
    """Return one phrase such as ``preparing: 3:10 left, 36.2 dB``, empty if there is nothing."""
    if preparation is None:
        return ""
    shown_db, progress = preparation["shown_db"], preparation["progress"]
    if preparation["state"] == "baking" and progress is not None:
        left_s = max(round(progress["wanted_s"] - progress["baked_s"]), 0)
        best_db = progress["psnr_db"]
        quality = "no model yet" if best_db is None else f"{best_db:.1f} dB"
        return f"preparing: {left_s // 60}:{left_s % 60:02d} left, {quality}"
    if preparation["state"] == "baking":
        return "preparing: loading"
    if preparation["state"] == "elsewhere" and shown_db is None:
        return "preparing: by another vtbridge"
    if preparation["state"] == "failed":
        return f"not prepared: {preparation['trouble']}"
    if shown_db is None:
        return ""
    return f"prepared, {shown_db:.1f} dB{_learning_text(preparation)}"


def _learning_text(preparation: dict[str, Any]) -> str:
    learning = preparation["learning"]
    if preparation["state"] != "learning" or learning is None:
        return ""
    if preparation["learning_waits"]:
        return ", learning waits: frames come late"
    return f", learning: {learning['turns']} turns known"
