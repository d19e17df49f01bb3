from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.vts import MODEL_ID, Desk, FakePlugin
from vtbridge.control.vts.avatar import Expression, Model
from vtbridge.control.vts.hotkeys import hotkey_id
from vtbridge.datatypes import FaceFrame

OTHER = Model("f" * 32, "Yuki")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def deck(desk: Desk) -> FakePlugin:
    return desk.plugin()


def subscribe(plugin: FakePlugin, name: str, **config: object) -> None:
    told = plugin.ask("EventSubscription", eventName=name, subscribe=True, config=config)
    assert name in told["subscribedEvents"]


def switch(desk: Desk, *, on: bool = True, name: str = "smile", by_itself: bool = False) -> None:
    """Let an expression be on or off, as the engine tells it."""
    desk.avatar.rows = [
        replace(one, active=on, by_itself=by_itself) if one.name == name else one
        for one in desk.avatar.rows
    ]
    desk.events.expressions_changed()


def test_subscriptions_are_counted_and_end_one_by_one_or_all_at_once(deck: FakePlugin) -> None:
    subscribe(deck, "TestEvent")
    subscribe(deck, "ModelLoadedEvent")
    subscribe(deck, "TestEvent")
    left = deck.ask("EventSubscription", eventName="TestEvent", subscribe=False)
    assert left == {"subscribedEventCount": 1, "subscribedEvents": ["ModelLoadedEvent"]}
    deck.ask("EventSubscription", eventName="TestEvent", subscribe=False)
    none = deck.ask("EventSubscription", subscribe=False)
    assert none == {"subscribedEventCount": 0, "subscribedEvents": []}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"eventName": "ModelOutlineEvent", "subscribe": True}, 950),
        ({"eventName": "", "subscribe": True}, 950),
        ({"eventName": "Dance", "subscribe": False}, 950),
        ({"eventName": "TestEvent", "config": {"testMessageForEvent": "x" * 33}}, 100_000),
        ({"eventName": "ModelLoadedEvent", "config": {"modelID": ["me"]}}, 100_050),
        ({"eventName": "ModelLoadedEvent", "config": {"modelID": MODEL_ID}}, 100_050),
        ({"eventName": "HotkeyTriggeredEvent", "config": {"onlyForAction": "Dance"}}, 100_100),
    ],
)
def test_wrong_subscription_is_refused(
    deck: FakePlugin, data: dict[str, object], error: int
) -> None:
    assert deck.refused("EventSubscription", **({"subscribe": True} | data)) == error
    assert deck.session.subscriptions == {}


def test_test_event_counts_seconds_and_its_message_can_be_replaced(
    desk: Desk, deck: FakePlugin
) -> None:
    subscribe(deck, "TestEvent", testMessageForEvent="one")
    subscribe(deck, "TestEvent", testMessageForEvent="two")
    desk.events.look()
    assert deck.told() == []
    for second in (1, 2):
        desk.clock.advance(1.0)
        desk.events.look()
        desk.events.look()
        assert deck.told() == [("TestEvent", {"yourTestMessage": "two", "counter": second})]


def test_event_carries_the_id_of_its_subscription(desk: Desk, deck: FakePlugin) -> None:
    subscribe(deck, "TestEvent")
    desk.clock.advance(1.0)
    desk.events.look()
    ((name, request_id, _),) = desk.events.take(deck.session)
    assert (name, request_id) == ("TestEvent", "r1")


def test_tracking_is_told_when_it_changes_and_only_to_who_asked(
    desk: Desk, deck: FakePlugin
) -> None:
    other = desk.plugin("Other")
    subscribe(deck, "TrackingStatusChangedEvent")
    desk.faces.put(FaceFrame(desk.clock.now_ns()))
    desk.events.look()
    desk.events.look()
    ((_, found),) = deck.told()
    assert found == {"faceFound": True, "leftHandFound": False, "rightHandFound": False}
    desk.clock.advance(1.0)
    desk.events.look()
    ((_, lost),) = deck.told()
    assert lost["faceFound"] is False
    assert other.told() == []


def test_another_character_is_told_as_unloaded_and_loaded(desk: Desk, deck: FakePlugin) -> None:
    picky = desk.plugin("Picky")
    subscribe(deck, "ModelLoadedEvent")
    subscribe(picky, "ModelLoadedEvent", modelID=["F" * 32])
    desk.avatar.shown = OTHER
    desk.events.look()
    desk.events.look()
    loaded = {"modelLoaded": True, "modelName": "Yuki", "modelID": "f" * 32}
    gone = {"modelLoaded": False, "modelName": "Momo", "modelID": MODEL_ID}
    assert [data for _, data in deck.told()] == [gone, loaded]
    assert [data for _, data in picky.told()] == [loaded]


def test_other_hotkeys_are_told(desk: Desk, deck: FakePlugin) -> None:
    subscribe(deck, "ModelConfigChangedEvent")
    desk.avatar.rows.append(Expression("wink", "Wink"))
    desk.events.look()
    ((_, data),) = deck.told()
    assert data == {"modelID": MODEL_ID, "modelName": "Momo", "hotkeyConfigChanged": True}


def test_hotkey_pressed_anywhere_is_told(desk: Desk, deck: FakePlugin) -> None:
    subscribe(deck, "HotkeyTriggeredEvent")
    switch(desk)
    ((_, data),) = deck.told()
    assert data == {
        "hotkeyID": hotkey_id("smile"),
        "hotkeyName": "Big smile",
        "hotkeyAction": "ToggleExpression",
        "hotkeyFile": "smile.exp3.json",
        "hotkeyTriggeredByAPI": False,
        "modelID": MODEL_ID,
        "modelName": "Momo",
        "isLive2DItem": False,
    }
    switch(desk, on=False)
    assert len(deck.told()) == 1, "a toggle is pressed to end too"


def test_hotkey_that_a_plugin_triggered_is_told_once_and_as_such(
    desk: Desk, deck: FakePlugin
) -> None:
    proud = desk.plugin("Proud")
    subscribe(deck, "HotkeyTriggeredEvent", ignoreHotkeysTriggeredByAPI=True)
    subscribe(proud, "HotkeyTriggeredEvent", onlyForAction="ToggleExpression")
    deck.ask("HotkeyTrigger", hotkeyID="smile")
    deck.ask("HotkeyTrigger", hotkeyID="Calibrate")
    switch(desk)
    ((_, data),) = proud.told()
    assert (data["hotkeyTriggeredByAPI"], data["hotkeyName"]) == (True, "Big smile")
    assert deck.told() == []
    switch(desk, on=False)
    assert len(deck.told()) == 1, "this time it was the user"


def test_what_happens_by_itself_is_no_hotkey(desk: Desk, deck: FakePlugin) -> None:
    subscribe(deck, "HotkeyTriggeredEvent")
    switch(desk, by_itself=True)
    switch(desk, on=False, by_itself=True)
    assert deck.told() == []
    switch(desk, name="nod")
    assert len(deck.told()) == 1
    switch(desk, name="nod", on=False)
    assert deck.told() == [], "it ended by itself"


def test_events_of_a_plugin_that_never_takes_them_are_bounded(desk: Desk, deck: FakePlugin) -> None:
    subscribe(deck, "TestEvent")
    for _ in range(200):
        desk.clock.advance(1.0)
        desk.events.look()
    assert len(deck.told()) == 64
    desk.events.dismiss(deck.session)
    desk.clock.advance(1.0)
    desk.events.look()
    assert deck.told() == []
