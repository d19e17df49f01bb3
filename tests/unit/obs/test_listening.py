"""Events on the connection's one thread: told in order, only those wanted, whatever comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.support.fake_obs import FakeObs, Refuse
from vtbridge.errors import ObsAuthError
from vtbridge.obs.client import MAX_EVENTS, EventKinds, ObsEvent, Requests
from vtbridge.obs.connection import Backoff, ObsConnection, ObsState
from vtbridge.obs.listener import NOTHING
from vtbridge.obs.settings import ObsSettings
from vtbridge.telemetry import Telemetry

DROPS = 200
QUICK = Backoff(first_s=0.001, max_s=0.002)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.002)


def _reached(told: list[str], what: str, times: int) -> bool:
    return told.count(what) >= times


@dataclass
class Notes:
    """A listener that writes down what it is told.

    Attributes:
        kinds: that it wants.
        told: ``read``, ``lost``, and the events' names, in order.
        asks: a request that it puts at each event, empty for none.
        due_s: what ``tend`` returns.
    """

    kinds: EventKinds = EventKinds.SCENES
    told: list[str] = field(default_factory=list)
    asks: str = ""
    due_s: float = NOTHING
    tended: int = 0

    def wanted(self) -> EventKinds:
        return self.kinds

    def read(self, obs: Requests) -> None:
        self.told.append("read")

    def heard(self, event: ObsEvent, obs: Requests) -> None:
        self.told.append(event.name)
        if self.asks:
            obs.request(self.asks)

    def tend(self, obs: Requests, now_ns: int) -> float:
        self.tended += 1
        return self.due_s

    def lost(self) -> None:
        self.told.append("lost")


@pytest.fixture
def fake() -> Iterator[FakeObs]:
    with FakeObs() as server:
        yield server


@dataclass
class Rig:
    """A connection to the fake with one listener."""

    fake: FakeObs
    notes: Notes
    telemetry: Telemetry
    connection: ObsConnection

    def ready(self) -> None:
        wait_for(lambda: self.connection.state is ObsState.READY)


@pytest.fixture
def rig(fake: FakeObs) -> Iterator[Rig]:
    notes, telemetry = Notes(), Telemetry()
    connection = ObsConnection(
        ObsSettings(port=fake.port, timeout_s=1),
        lambda: None,
        listeners=[notes],
        backoff=QUICK,
        ping_s=0.05,
        telemetry=telemetry,
    )
    connection.start()
    yield Rig(fake, notes, telemetry, connection)
    assert connection.stop(timeout_s=5)
    assert connection.failure is None


def test_events_reach_the_listener_in_order_after_it_has_read(rig: Rig) -> None:
    rig.ready()
    for number in range(5):
        rig.fake.emit(f"E{number}", EventKinds.SCENES)
    rig.fake.emit("not wanted", EventKinds.OUTPUTS)
    rig.fake.emit("last", EventKinds.SCENES)
    wait_for(lambda: "last" in rig.notes.told)
    assert rig.notes.told == ["read", "E0", "E1", "E2", "E3", "E4", "last"]
    assert rig.telemetry.counters()["obs.events"] == 6


def test_requests_and_events_share_the_connection(rig: Rig) -> None:
    rig.ready()
    rig.notes.asks = "GetVersion"
    for number in range(20):
        rig.fake.emit(f"E{number}", EventKinds.SCENES)
        assert rig.connection.request("GetVersion") == {"obsVersion": "99.0"}
    wait_for(lambda: "E19" in rig.notes.told)
    assert rig.notes.told == ["read", *(f"E{number}" for number in range(20))]
    assert rig.fake.connections == 1


def test_listener_that_wants_more_is_subscribed_and_reads_again(rig: Rig) -> None:
    rig.ready()
    rig.notes.due_s = 0.01
    rig.notes.kinds = EventKinds.SCENES | EventKinds.INPUT_SHOWN
    wait_for(lambda: rig.notes.told == ["read", "read"])
    assert rig.fake.subscriptions == [0, EventKinds.SCENES, rig.notes.kinds]


def test_flood_makes_it_read_again_instead_of_growing(rig: Rig) -> None:
    rig.ready()

    def pour(_: object) -> dict[str, object]:
        return {}

    rig.fake.handlers["Pour"] = pour
    rig.fake.delays["Pour"] = 0.3
    rig.notes.asks = "Pour"
    rig.fake.emit("first", EventKinds.SCENES)
    wait_for(lambda: "Pour" in rig.fake.requests)
    rig.notes.asks = ""
    rig.fake.emit("E", EventKinds.SCENES, times=3 * MAX_EVENTS)
    rig.fake.emit("last", EventKinds.SCENES)
    wait_for(lambda: "last" in rig.notes.told)
    assert rig.notes.told[:3] == ["read", "first", "read"]
    assert rig.notes.told.count("E") == MAX_EVENTS - 1
    assert rig.telemetry.counters()["obs.overrun"] == 1


@pytest.mark.parametrize("trouble", [KeyError("x"), ValueError("x"), Refuse(600)])
def test_listener_that_trips_costs_only_that_event(
    rig: Rig, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.ready()

    def fail(event: ObsEvent, obs: Requests) -> None:
        rig.notes.told.append(event.name)
        if isinstance(trouble, Refuse):
            obs.request("Unknown")
        raise trouble

    monkeypatch.setattr(rig.notes, "heard", fail)
    rig.fake.emit("A", EventKinds.SCENES)
    rig.fake.emit("B", EventKinds.SCENES)
    wait_for(lambda: rig.telemetry.counters().get("obs.odd") == 2)
    assert rig.notes.told == ["read", "A", "B"]
    assert rig.fake.connections == 1


def test_two_hundred_drops_are_survived_and_each_time_all_is_read_again(rig: Rig) -> None:
    told = rig.notes.told
    for _ in range(DROPS):
        rig.ready()
        lost = told.count("lost") + 1
        rig.fake.drop()
        wait_for(partial(_reached, told, "lost", lost))
        wait_for(partial(_reached, told, "read", lost + 1))
    rig.ready()
    assert rig.notes.told == ["read", "lost"] * DROPS + ["read"]
    counters = rig.telemetry.counters()
    assert (counters["obs.connected"], counters["obs.lost"]) == (DROPS + 1, DROPS)
    assert rig.connection.request("GetVersion") == {"obsVersion": "99.0"}


def test_half_open_line_is_noticed_and_left_for_a_new_one(rig: Rig) -> None:
    rig.ready()
    rig.fake.mute = True
    wait_for(lambda: "lost" in rig.notes.told)
    rig.fake.mute = False
    wait_for(lambda: rig.notes.told.count("read") >= 2)
    rig.ready()


def test_kicked_means_stay_away_until_told_otherwise(rig: Rig) -> None:
    rig.ready()
    rig.fake.kick()
    wait_for(lambda: rig.connection.state is ObsState.REFUSED)
    time.sleep(0.1)  # fifty times the longest pause of this back-off
    assert rig.fake.connections == 1
    assert "Kick" in rig.connection.trouble
    with pytest.raises(ObsAuthError, match="Kick"):
        rig.connection.request("GetVersion")
    rig.connection.retry()
    rig.ready()
    assert rig.telemetry.counters()["obs.kicked"] == 1


def test_kick_during_a_request_tells_whoever_asked(rig: Rig) -> None:
    rig.ready()

    def kick(_: object) -> dict[str, object]:
        raise AssertionError("it is kicked before it answers")

    rig.fake.handlers["Long"] = kick
    rig.fake.kicks_at = "Long"
    with pytest.raises(ObsAuthError, match="Kick"):
        rig.connection.request("Long")
    wait_for(lambda: rig.connection.state is ObsState.REFUSED)


def test_stop_while_kicked_ends_at_once(rig: Rig) -> None:
    rig.ready()
    rig.fake.kick()
    wait_for(lambda: rig.connection.state is ObsState.REFUSED)
    assert rig.connection.stop(timeout_s=5)
    assert rig.connection.state is ObsState.STOPPED
