"""Who watches an avatar is told how far its prepared character is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from vtbridge.app import preparation_watch
from vtbridge.app.preparation_watch import PreparationWatch
from vtbridge.control.address import ControlAddress
from vtbridge.errors import VtbridgeError

_END_S = 10.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"preparation": {"state": "baking"}}, {"state": "baking"}),
        ({"preparation": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_avatar_is_asked(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, expected: object
) -> None:
    asked: list[str] = []

    def ask(name: str, address: ControlAddress, view: str) -> dict[str, Any]:
        asked.append(f"{name} {address.port} {view}")
        if answer is None:
            raise VtbridgeError("it does not answer")
        return answer

    monkeypatch.setattr(preparation_watch, "read_address", lambda name: ControlAddress(7, "token"))
    monkeypatch.setattr(preparation_watch, "ask", ask)
    watch = PreparationWatch("cat")
    watch.start()
    give_up = time.monotonic() + _END_S
    while not asked and time.monotonic() < give_up:
        time.sleep(0.005)
    assert watch.stop(timeout_s=_END_S)
    assert asked[0] == "cat 7 status"
    assert watch.newest == expected
