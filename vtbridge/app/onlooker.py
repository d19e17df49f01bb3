"""Look at a running avatar's frames from another process, so that it goes on to make them."""

from __future__ import annotations

import contextlib

from vtbridge.control.address import read_address
from vtbridge.control.ask import order
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService

_LOOK_EVERY_S = 1.0


class Onlooker(ThreadService):
    """Tell the avatar ``name`` once a second that somebody looks; see ``Audience``.

    An avatar that does not answer is none the worse: its frames are read all the same.
    """

    def __init__(self, name: str) -> None:
        super().__init__("onlooker")
        self._name = name

    def serve(self) -> None:
        """Tell until stopped."""
        while True:
            with contextlib.suppress(VtbridgeError):
                address = read_address(self._name)
                if address is not None:
                    order(self._name, address, "look")
            if self.stopping.wait(_LOOK_EVERY_S):
                return
