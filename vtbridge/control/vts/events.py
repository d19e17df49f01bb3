"""Events: what a plugin may subscribe to, and the payloads that it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vtbridge.control.vts.avatar import Expression, Model
from vtbridge.control.vts.envelope import flag_of, text_of, texts_of
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.hotkeys import HOTKEY_ACTIONS, Hotkey
from vtbridge.control.vts.requests_state import MODEL_ID
from vtbridge.control.vts.session import Services, Session, Subscription

Data = Mapping[str, object]

MAX_TEST_MESSAGE = 32


def subscribe(_services: Services, session: Session, data: Data, request_id: str) -> Data:
    """Answer EventSubscriptionRequest; a second subscription replaces the first.

    Raises:
        RefusedError: there is no such event here, or its config is wrong.
    """
    name = text_of(data, "eventName")
    wanted = flag_of(data, "subscribe")
    if not wanted and not name:
        session.subscriptions.clear()
    elif name not in _CONFIGS:
        raise RefusedError(
            ErrorId.EVENT_UNKNOWN, f"vtbridge has no event {name!r:.60}, only {', '.join(_CONFIGS)}"
        )
    elif wanted:
        config = data.get("config")
        checked = _CONFIGS[name](config if isinstance(config, dict) else {})
        session.subscriptions[name] = Subscription(request_id, checked)
    else:
        session.subscriptions.pop(name, None)
    names = list(session.subscriptions)
    return {"subscribedEventCount": len(names), "subscribedEvents": names}


def test_event(config: Data, uptime_s: int) -> Data:
    """Return what TestEvent tells once a second."""
    return {"yourTestMessage": config["testMessageForEvent"], "counter": uptime_s}


def model_loaded(config: Data, model: Model, *, loaded: bool) -> Data | None:
    """Return what ModelLoadedEvent tells, None where the plugin waits for other models."""
    wanted = config["modelID"]
    if isinstance(wanted, list) and wanted and model.model_id not in wanted:
        return None
    return {"modelLoaded": loaded, "modelName": model.name, "modelID": model.model_id}


def tracking_changed(*, found: bool) -> Data:
    """Return what TrackingStatusChangedEvent tells; hands are never seen."""
    return {"faceFound": found, "leftHandFound": False, "rightHandFound": False}


def model_config_changed(model: Model) -> Data:
    """Return what ModelConfigChangedEvent tells when there are other hotkeys."""
    return {"modelID": model.model_id, "modelName": model.name, "hotkeyConfigChanged": True}


def hotkey_triggered(config: Data, model: Model, hotkey: Hotkey, *, by_api: bool) -> Data | None:
    """Return what HotkeyTriggeredEvent tells, None where the plugin does not want to know."""
    if by_api and config["ignoreHotkeysTriggeredByAPI"]:
        return None
    if config["onlyForAction"] not in ("", hotkey.action):
        return None
    return {
        "hotkeyID": hotkey.hotkey_id,
        "hotkeyName": hotkey.name,
        "hotkeyAction": hotkey.action,
        "hotkeyFile": hotkey.file,
        "hotkeyTriggeredByAPI": by_api,
        "modelID": model.model_id,
        "modelName": model.name,
        "isLive2DItem": False,
    }


def pressed_between(
    before: Mapping[str, Expression], after: Mapping[str, Expression]
) -> list[Expression]:
    """Return the expressions that somebody switched between two states.

    What ends by itself, what a condition or chance switched, and what made room for another is
    no hotkey that was pressed.
    """
    begun = [
        one
        for name, one in after.items()
        if one.active and not one.by_itself and not (name in before and before[name].active)
    ]
    if begun:
        return begun
    return [
        one
        for name, one in after.items()
        if not one.active
        and not one.fires
        and name in before
        and before[name].active
        and not before[name].by_itself
    ]


def _no_config(_config: Data) -> Data:
    return {}


def _test_config(config: Data) -> Data:
    message = text_of(config, "testMessageForEvent")
    if len(message) > MAX_TEST_MESSAGE:
        raise RefusedError(
            ErrorId.TEST_MESSAGE_TOO_LONG,
            f"testMessageForEvent must have at most {MAX_TEST_MESSAGE} characters",
        )
    return {"testMessageForEvent": message}


def _model_config(config: Data) -> Data:
    wanted = texts_of(config.get("modelID"))
    if wanted is None or not all(MODEL_ID.fullmatch(one) for one in wanted):
        raise RefusedError(ErrorId.EVENT_MODEL_ID_INVALID, "a modelID is 32 hexadecimal digits")
    return {"modelID": [one.lower() for one in wanted]}


def _hotkey_config(config: Data) -> Data:
    action = text_of(config, "onlyForAction")
    if action and action not in HOTKEY_ACTIONS:
        raise RefusedError(
            ErrorId.EVENT_HOTKEY_ACTION_INVALID, f"no hotkey action is called {action!r:.60}"
        )
    return {
        "onlyForAction": action,
        "ignoreHotkeysTriggeredByAPI": flag_of(config, "ignoreHotkeysTriggeredByAPI"),
    }


_CONFIGS: Mapping[str, Callable[[Data], Data]] = {
    "TestEvent": _test_config,
    "ModelLoadedEvent": _model_config,
    "TrackingStatusChangedEvent": _no_config,
    "ModelConfigChangedEvent": _no_config,
    "HotkeyTriggeredEvent": _hotkey_config,
}
