"""The watch leaves the ports to an avatar that starts, and waits for one that ended."""

from __future__ import annotations

from typing import Any

import pytest

from vtbridge.app import tracker_watch
from vtbridge.app.tracker_watch import TrackerWatch
from vtbridge.clock import ManualClock
from vtbridge.config.schema import Config
from vtbridge.control.address import ControlAddress
from vtbridge.errors import VtbridgeError

FIRST = ControlAddress(1, "a")
SECOND = ControlAddress(2, "b")
OWN: dict[str, Any] = {"name": "own", "sources": [], "movers": {}, "face": None}


class World:
    """Which avatar runs, what it answers, and whether the ports are taken by the watch."""

    def __init__(self) -> None:
        self.address: ControlAddress | None = None
        self.running: ControlAddress | None = None
        self.open = 0
        self.opened = 0

    def read_address(self, name: str) -> ControlAddress | None:
        return self.address

    def ask(self, name: str, address: ControlAddress, view: str) -> dict[str, Any]:
        assert view == "trackers"
        assert self.open == 0, "the avatar is asked while its ports are taken"
        if address != self.running:
            raise VtbridgeError(f"the avatar {name!r} does not answer (refused)")
        return {"name": name, "sources": [address.port], "movers": {}, "face": None}

    def start(self, address: ControlAddress) -> None:
        self.address = self.running = address

    def end(self, *, leaving_its_address: bool = False) -> None:
        self.running = None
        if not leaving_its_address:
            self.address = None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    class Inputs:
        def __init__(self, config: Config, clock: object) -> None:
            world.open += 1
            world.opened += 1

        def snapshot(self) -> dict[str, Any]:
            return OWN

        def close(self) -> None:
            world.open -= 1

    monkeypatch.setattr(tracker_watch, "OwnInputs", Inputs)
    monkeypatch.setattr(tracker_watch, "read_address", world.read_address)
    monkeypatch.setattr(tracker_watch, "ask", world.ask)
    return world


def watch() -> TrackerWatch:
    return TrackerWatch(Config(), ManualClock())


def test_avatar_that_runs_is_asked_and_no_port_taken(world: World) -> None:
    world.start(FIRST)
    with watch() as watching:
        assert not watching.listening
        assert watching.snapshot()["sources"] == [FIRST.port]
        assert "which is running" in watching.told_by
    assert world.opened == 0


def test_ports_go_to_the_avatar_that_starts(world: World) -> None:
    with watch() as watching:
        assert watching.listening
        assert watching.snapshot() == OWN
        assert world.open == 1
        world.start(FIRST)
        assert watching.snapshot()["sources"] == [FIRST.port]
        assert world.open == 0
        assert not watching.listening


def test_address_that_a_crash_left_behind_takes_no_ports_from_us(world: World) -> None:
    world.address = FIRST
    with watch() as watching:
        assert watching.snapshot() == OWN
        world.start(SECOND)
        assert watching.snapshot()["sources"] == [SECOND.port]


@pytest.mark.parametrize("leaving", [False, True])
def test_avatar_that_ended_is_waited_for_without_taking_its_ports(
    world: World, leaving: bool
) -> None:
    world.start(FIRST)
    with watch() as watching:
        watching.snapshot()
        world.end(leaving_its_address=leaving)
        for _ in range(3):
            assert watching.snapshot()["sources"] == []
            assert "aiting for it" in watching.told_by
        world.start(SECOND)
        assert watching.snapshot()["sources"] == [SECOND.port]
        assert "which is running" in watching.told_by
    assert world.opened == 0


def test_ports_are_free_after_the_watch(world: World) -> None:
    with watch():
        assert world.open == 1
    assert world.open == 0
