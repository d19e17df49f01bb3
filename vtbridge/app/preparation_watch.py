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
