from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.vts import MODEL_ID, NOW_MS, Desk, FakePlugin, message_of
from vtbridge.control.vts.dispatch import _HANDLERS
from vtbridge.control.vts.hotkeys import hotkey_id
from vtbridge.control.vts.parameters import ARKIT_SHAPES, DEFAULT_PARAMETERS
from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.arkit import ARKIT_NAMES

OTHER_ID = "f" * 32
COLOR = {"colorR": 1, "colorG": 2, "colorB": 3, "colorA": 255}
MOVE = {"timeInSeconds": 0.2, "valuesAreRelativeToModel": False}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def deck(desk: Desk) -> FakePlugin:
    return desk.plugin()


def envelope(**changes: object) -> str:
    message = json.loads(message_of("APIState", {})) | changes
    return json.dumps({key: value for key, value in message.items() if value is not ...})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", 2),
        ("{", 2),
        ("[" * 100_000, 2),
        ("[]", 2),
        ('{"apiName": NaN}', 2),
        ("1" * 10_000, 2),
        (envelope(apiName="VTubeStudio"), 3),
        (envelope(apiName=...), 3),
        (envelope(apiVersion="2.0"), 4),
        (envelope(apiVersion=1.0), 4),
        (envelope(requestID="x" * 65), 5),
        (envelope(requestID="ä"), 5),
        (envelope(requestID=7), 5),
        (envelope(messageType=...), 6),
        (envelope(messageType=""), 6),
        (envelope(messageType=3), 6),
        (envelope(messageType="DanceRequest"), 7),
        (envelope(messageType="APIState"), 7),
        (envelope(messageType="apistaterequest"), 7),
    ],
)
def test_wrong_envelope_is_answered_with_its_error(desk: Desk, text: str, error: int) -> None:
    answer = desk.stranger().send(text)
    assert (answer["messageType"], answer["data"]["errorID"]) == ("APIError", error)
    assert (answer["apiName"], answer["apiVersion"]) == ("VTubeStudioPublicAPI", "1.0")


def test_answer_carries_the_request_id_and_the_time(desk: Desk) -> None:
    answer = desk.stranger().send(envelope(requestID="mine"))
    assert (answer["requestID"], answer["timestamp"]) == ("mine", NOW_MS)
    wrong = desk.stranger().send(envelope(requestID="mine", messageType="DanceRequest"))
    assert wrong["requestID"] == "mine"


@pytest.mark.parametrize("absent", [..., None, ""])
def test_request_without_an_id_is_given_one(desk: Desk, absent: object) -> None:
    ids = {desk.stranger().send(envelope(requestID=absent))["requestID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(ids)


@pytest.mark.parametrize("absent", [..., None, [], "x"])
def test_payload_may_be_left_out(desk: Desk, absent: object) -> None:
    assert desk.stranger().send(envelope(data=absent))["data"]["active"] is True


def test_nothing_but_the_state_is_told_without_authentication(desk: Desk) -> None:
    stranger = desk.stranger()
    assert stranger.ask("APIState")["currentSessionAuthenticated"] is False
    assert stranger.refused("Authentication") == 100
    for kind in {*_HANDLERS, "EventSubscription"} - {"APIState", "Authentication"}:
        assert stranger.refused(kind) == 8, kind
    assert desk.avatar.done == []


def test_wrong_token_is_an_answer_and_ends_the_session(desk: Desk, deck: FakePlugin) -> None:
    names = {"pluginName": "Deck", "pluginDeveloper": "tests"}
    assert deck.refused("Authentication", pluginName="Deck", authenticationToken="x") == 102
    assert deck.refused("Authentication", pluginDeveloper="x", authenticationToken="x") == 101
    assert deck.ask("APIState")["currentSessionAuthenticated"] is True
    wrong = deck.ask("Authentication", **names, authenticationToken="x" * 64)
    assert wrong["authenticated"] is False
    assert wrong["reason"]
    assert deck.refused("Statistics") == 8


def test_token_of_one_plugin_is_worth_nothing_to_another(desk: Desk) -> None:
    desk.plugin("Other")
    from vtbridge.control.vts.plugins import PluginId

    token = desk.book.grant(PluginId("Deck", "tests"))
    answer = desk.stranger().ask(
        "Authentication", pluginName="Other", pluginDeveloper="tests", authenticationToken=token
    )
    assert answer["authenticated"] is False


def test_revoked_plugin_is_refused_at_its_next_request(desk: Desk, deck: FakePlugin) -> None:
    deck.ask("EventSubscription", eventName="TestEvent", subscribe=True)
    assert desk.book.revoke("deck") == ["Deck (tests)"]
    assert deck.refused("Statistics") == 50
    assert deck.refused("Statistics") == 8
    assert deck.session.subscriptions == {}


def test_new_token_ends_the_sessions_of_the_old_one(desk: Desk, deck: FakePlugin) -> None:
    desk.plugin()
    assert deck.refused("Statistics") == 50


def test_program_is_told(desk: Desk, deck: FakePlugin) -> None:
    desk.clock.advance(2.5)
    told = deck.ask("Statistics")
    assert (told["uptime"], told["framerate"]) == (2500, 60)
    assert (told["allowedPlugins"], told["connectedPlugins"]) == (1, 2)
    assert (told["windowWidth"], told["windowHeight"]) == (512, 512)
    assert deck.ask("VTSFolderInfo")["models"] == "Live2DModels"


def test_character_is_the_only_model(deck: FakePlugin) -> None:
    model = deck.ask("CurrentModel")
    assert (model["modelLoaded"], model["modelName"], model["modelID"]) == (True, "Momo", MODEL_ID)
    assert model["vtsModelName"] == "Momo.vtube.json"
    assert model["timeSinceModelLoaded"] == 1500
    assert set(model["modelPosition"]) == {"positionX", "positionY", "rotation", "size"}
    (only,) = deck.ask("AvailableModels")["availableModels"]
    assert only["modelID"] == MODEL_ID


@pytest.mark.parametrize(
    ("model_id", "error"), [(None, 150), ("", 154), ("me", 151), (OTHER_ID, 152)]
)
def test_no_other_model_can_be_loaded(deck: FakePlugin, model_id: object, error: int) -> None:
    assert deck.refused("ModelLoad", modelID=model_id) == error


def test_shown_model_counts_as_loaded(deck: FakePlugin) -> None:
    assert deck.ask("ModelLoad", modelID=MODEL_ID.upper()) == {"modelID": MODEL_ID}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, 301),
        ({"timeInSeconds": 1}, 301),
        (MOVE | {"timeInSeconds": 3}, 302),
        (MOVE | {"positionX": 1001}, 302),
        (MOVE | {"rotation": "90"}, 302),
        (MOVE | {"size": 100.5}, 302),
        (MOVE, 0),
    ],
)
def test_move_is_checked_and_then_refused(
    deck: FakePlugin, data: dict[str, object], error: int
) -> None:
    assert deck.refused("MoveModel", **data) == error


def test_expressions_are_hotkeys_with_lasting_ids(deck: FakePlugin) -> None:
    told = deck.ask("HotkeysInCurrentModel")
    keys = {key["file"]: key for key in told["availableHotkeys"]}
    smile = keys["smile.exp3.json"]
    assert (smile["name"], smile["type"]) == ("Big smile", "ToggleExpression")
    assert smile["hotkeyID"] == hotkey_id("smile") == "032001c0f84f7a7562c3aa928cd9442e"
    assert smile["keyCombination"] == []
    kinds = [key["type"] for key in told["availableHotkeys"]]
    assert kinds[-2:] == ["RemoveAllExpressions", "CalibrateCam"]
    assert deck.ask("HotkeysInCurrentModel", modelID=MODEL_ID) == told
    assert deck.refused("HotkeysInCurrentModel", modelID=OTHER_ID) == 152
    assert deck.refused("HotkeysInCurrentModel", live2DItemFileName="hat") == 751


@pytest.mark.parametrize("wanted", [hotkey_id("smile"), "big SMILE", "smile"])
def test_hotkey_is_triggered_by_id_or_name(desk: Desk, deck: FakePlugin, wanted: str) -> None:
    assert deck.ask("HotkeyTrigger", hotkeyID=wanted) == {"hotkeyID": hotkey_id("smile")}
    assert desk.avatar.done == [("smile", None)]


@pytest.mark.parametrize("name", ["Calibrate", "remove all expressions"])
def test_other_actions_are_triggered(desk: Desk, deck: FakePlugin, name: str) -> None:
    deck.ask("HotkeyTrigger", hotkeyID=name)
    assert desk.avatar.done in ([("/calibrate", None)], [("/clear", None)])


def test_hotkey_rests_for_five_frames_each_by_itself(desk: Desk, deck: FakePlugin) -> None:
    deck.ask("HotkeyTrigger", hotkeyID="smile")
    assert deck.refused("HotkeyTrigger", hotkeyID="smile") == 203
    deck.ask("HotkeyTrigger", hotkeyID="nod")
    desk.clock.advance(0.084)
    deck.ask("HotkeyTrigger", hotkeyID="smile")
    assert desk.avatar.done == [("smile", None), ("nod", None), ("smile", None)]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, 202),
        ({"hotkeyID": ""}, 202),
        ({"hotkeyID": "dance"}, 202),
        ({"hotkeyID": 5}, 202),
        ({"hotkeyID": "smile", "itemInstanceID": "x"}, 207),
    ],
)
def test_unknown_hotkey_is_refused(
    desk: Desk, deck: FakePlugin, data: dict[str, object], error: int
) -> None:
    assert deck.refused("HotkeyTrigger", **data) == error
    assert desk.avatar.done == []


def test_expressions_tell_their_state(desk: Desk, deck: FakePlugin) -> None:
    desk.avatar.rows[0] = replace(desk.avatar.rows[0], active=True, held=True)
    smile, nod = deck.ask("ExpressionState", details=True)["expressions"]
    assert (smile["name"], smile["file"], smile["active"]) == ("smile", "smile.exp3.json", True)
    assert smile["deactivateWhenKeyIsLetGo"] is True
    assert nod["autoDeactivateAfterSeconds"] is True
    assert smile["usedInHotkeys"] == [{"name": "Big smile", "id": hotkey_id("smile")}]
    assert smile["parameters"] == [{"name": "mouth_aaa", "value": 0.5}]
    (only,) = deck.ask("ExpressionState", expressionFile="nod.exp3.json")["expressions"]
    assert (only["name"], only["parameters"], only["usedInHotkeys"]) == ("nod", [], [])
    assert deck.refused("ExpressionState", expressionFile="nod") == 600
    assert deck.refused("ExpressionState", expressionFile="x.exp3.json") == 601


def test_expression_is_switched_as_asked(desk: Desk, deck: FakePlugin) -> None:
    for active in (True, False):
        data = {"expressionFile": "smile.exp3.json", "active": active, "fadeTime": 9}
        assert deck.ask("ExpressionActivation", **data) == {}
    assert desk.avatar.done == [("smile", True), ("smile", False)]
    assert deck.refused("ExpressionActivation", expressionFile="smile", active=True) == 650
    assert deck.refused("ExpressionActivation", expressionFile="x.exp3.json", active=True) == 651


def test_every_default_parameter_is_listed_with_its_range(deck: FakePlugin) -> None:
    told = {row["name"]: row for row in deck.ask("InputParameterList")["defaultParameters"]}
    assert told["FaceAngleX"] == {
        "name": "FaceAngleX",
        "addedBy": "VTube Studio",
        "value": 0.0,
        "min": -30,
        "max": 30,
        "defaultValue": 0,
    }
    assert told["EyeOpenLeft"]["value"] == 1, "a face at rest has open eyes"
    assert set(ARKIT_SHAPES) == set(ARKIT_NAMES)
    assert {shape[0].upper() + shape[1:] for shape in ARKIT_NAMES} <= set(told)


def test_value_is_that_of_the_face(desk: Desk, deck: FakePlugin) -> None:
    desk.faces.put(FaceFrame(desk.clock.now_ns(), "vmc:h", blendshapes={"jawOpen": 0.275}))
    assert deck.ask("ParameterValue", name="MouthOpen")["value"] == pytest.approx(0.5)
    desk.clock.advance(1)
    assert deck.ask("ParameterValue", name="MouthOpen")["value"] == 0.0, "the face has gone"
    assert deck.refused("ParameterValue", name="Nose") == 500
    assert deck.refused("ParameterValue") == 500


def test_pose_parameters_are_the_live2d_parameters(deck: FakePlugin) -> None:
    (row,) = deck.ask("Live2DParameterList")["parameters"]
    assert row == {"name": "mouth_aaa", "value": 0.25, "min": 0, "max": 1, "defaultValue": 0}


def test_face_is_found_when_a_tracker_or_a_plugin_says_so(desk: Desk, deck: FakePlugin) -> None:
    assert deck.ask("FaceFound") == {"found": False}
    values = [{"id": "MouthOpen", "value": 1}]
    deck.ask("InjectParameterData", parameterValues=values)
    assert deck.ask("FaceFound") == {"found": False}, "injected values are no face"
    deck.ask("InjectParameterData", parameterValues=values, faceFound=True)
    assert deck.ask("FaceFound") == {"found": True}
    desk.clock.advance(1)
    assert deck.ask("FaceFound") == {"found": False}
    desk.faces.put(FaceFrame(desk.clock.now_ns(), "vmc:h"))
    assert deck.ask("FaceFound") == {"found": True}
    desk.faces.put(FaceFrame(desk.clock.now_ns(), "vmc:h", tracked=False))
    assert deck.ask("FaceFound") == {"found": False}


CUSTOM = {"parameterName": "MyParam", "min": -5, "max": 5, "defaultValue": 1}


def test_custom_parameter_lives_until_it_is_deleted(desk: Desk, deck: FakePlugin) -> None:
    assert deck.ask("ParameterCreation", **CUSTOM) == {"parameterName": "MyParam"}
    deck.ask("ParameterCreation", **(CUSTOM | {"max": 9}))
    (row,) = deck.ask("InputParameterList")["customParameters"]
    assert (row["name"], row["addedBy"], row["max"], row["value"]) == ("MyParam", "Deck", 9, 1)
    deck.ask("InjectParameterData", parameterValues=[{"id": "MyParam", "value": 3}])
    assert deck.ask("ParameterValue", name="MyParam")["value"] == 3
    desk.clock.advance(3)
    assert deck.ask("ParameterValue", name="MyParam")["value"] == 1

    other = desk.plugin("Other")
    assert other.refused("ParameterCreation", **CUSTOM) == 352
    assert other.refused("ParameterDeletion", parameterName="MyParam") == 402
    assert deck.ask("ParameterDeletion", parameterName="MyParam") == {"parameterName": "MyParam"}
    assert deck.refused("ParameterDeletion", parameterName="MyParam") == 401
    assert deck.refused("InjectParameterData", parameterValues=[{"id": "MyParam", "value": 3}])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"parameterName": "abc"}, 350),
        ({"parameterName": "a b c d"}, 350),
        ({"parameterName": "a" * 33}, 350),
        ({"parameterName": 4}, 350),
        ({"min": "0"}, 351),
        ({"max": 2e6}, 351),
        ({"min": 5}, 351),
        ({"defaultValue": None}, 351),
        ({"explanation": "x" * 256}, 353),
        ({"parameterName": "MouthOpen"}, 354),
    ],
)
def test_wrong_custom_parameter_is_refused(
    desk: Desk, deck: FakePlugin, change: dict[str, object], error: int
) -> None:
    assert deck.refused("ParameterCreation", **(CUSTOM | change)) == error
    assert deck.ask("InputParameterList")["customParameters"] == []


def test_custom_parameters_are_bounded(desk: Desk, deck: FakePlugin) -> None:
    from vtbridge.control.vts.plugins import CustomParameter

    def full(name: str) -> FakePlugin:
        plugin = desk.plugin(name)
        assert plugin.session.plugin is not None
        rows = tuple(CustomParameter(f"{name}{i:03}", 0, 1, 0) for i in range(100))
        desk.book.keep_parameters(plugin.session.plugin, rows)
        return plugin

    first = full("First")
    assert first.refused("ParameterCreation", **CUSTOM) == 355
    first.ask("ParameterCreation", **(CUSTOM | {"parameterName": "First007"}))
    full("Second")
    full("Third")
    assert deck.refused("ParameterCreation", **CUSTOM) == 356


def test_deleting_is_refused_where_there_is_nothing_to_delete(deck: FakePlugin) -> None:
    assert deck.refused("ParameterDeletion", parameterName="MouthOpen") == 403
    assert deck.refused("ParameterDeletion", parameterName="!") == 400


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, 450),
        ({"parameterValues": []}, 450),
        ({"parameterValues": {}}, 450),
        ({"parameterValues": ["MouthOpen"]}, 450),
        ({"parameterValues": [{"id": "MouthOpen"}]}, 451),
        ({"parameterValues": [{"id": "MouthOpen", "value": True}]}, 451),
        ({"parameterValues": [{"id": "MouthOpen", "value": 1_000_001}]}, 451),
        ({"parameterValues": [{"id": "MouthOpen", "value": 1, "weight": 1.1}]}, 452),
        ({"parameterValues": [{"id": "MouthOpen", "value": 1, "weight": "1"}]}, 452),
        ({"parameterValues": [{"id": "Nose", "value": 1}]}, 453),
        ({"parameterValues": [{"id": "MouthOpen", "value": 1}], "mode": "mix"}, 455),
        ({"parameterValues": [{"id": "MouthOpen", "value": 1}], "mode": 1}, 455),
    ],
)
def test_wrong_injection_moves_nothing(
    desk: Desk, deck: FakePlugin, data: dict[str, object], error: int
) -> None:
    assert deck.refused("InjectParameterData", **data) == error
    wrong = data.get("parameterValues")
    if wrong and isinstance(wrong, list):
        rows = [{"id": "FaceAngleX", "value": 9}, *wrong]
        assert deck.refused("InjectParameterData", **(data | {"parameterValues": rows})) == error
    assert desk.faces.peek() is None


def test_one_plugin_sets_a_parameter_and_any_may_add(desk: Desk, deck: FakePlugin) -> None:
    other = desk.plugin("Other")
    values = [{"id": "FaceAngleX", "value": 10}]
    deck.ask("InjectParameterData", parameterValues=values, mode=None)
    assert other.refused("InjectParameterData", parameterValues=values) == 454
    other.ask("InjectParameterData", parameterValues=values, mode="add")
    assert deck.ask("ParameterValue", name="FaceAngleX")["value"] == pytest.approx(20)
    desk.clock.advance(1)
    other.ask("InjectParameterData", parameterValues=values, mode="set")
    assert deck.refused("InjectParameterData", parameterValues=values) == 454


EMPTY: list[tuple[str, dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ("ArtMeshList", {}, lambda told: told["artMeshNames"] == []),
    ("ItemList", {}, lambda told: told["availableItemFiles"] == []),
    ("ItemUnload", {}, lambda told: told["unloadedItems"] == []),
    ("GetCurrentModelPhysics", {}, lambda told: told["modelHasPhysics"] is False),
    ("SceneColorOverlayInfo", {}, lambda told: told["colorOverlayR"] == 255),
    ("NDIConfig", {"setNewConfig": True, "ndiActive": True}, lambda told: not told["ndiActive"]),
    ("PostProcessingList", {}, lambda told: told["postProcessingSupported"] is False),
    ("Permission", {}, lambda told: told["permissions"][0]["granted"] is False),
    (
        "ColorTint",
        {"colorTint": COLOR, "artMeshMatcher": {"tintAll": True}},
        lambda told: told == {"matchedArtMeshes": 0},
    ),
    (
        "ItemMove",
        {"itemsToMove": [{"itemInstanceID": "x"}]},
        lambda told: told["movedItems"][0]["errorID"] == 900,
    ),
]


@pytest.mark.parametrize(("kind", "data", "is_honest"), EMPTY, ids=[row[0] for row in EMPTY])
def test_what_is_not_here_is_told_to_be_absent(
    deck: FakePlugin,
    kind: str,
    data: dict[str, Any],
    is_honest: Callable[[dict[str, Any]], bool],
) -> None:
    assert is_honest(deck.ask(kind, **data))


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("ColorTint", {}, 251),
        ("ColorTint", {"colorTint": COLOR | {"colorR": 256}, "artMeshMatcher": {}}, 252),
        ("SetCurrentModelPhysics", {}, 701),
        ("ItemLoad", {}, 750),
        ("ItemLoad", {"fileName": "hat.png"}, 751),
        ("ItemAnimationControl", {}, 850),
        ("ItemSort", {}, 1250),
        ("ItemPin", {}, 1050),
        ("ArtMeshSelection", {}, 1002),
        ("PostProcessingUpdate", {}, 1200),
        ("Permission", {"requestedPermission": "All"}, 1100),
    ],
)
def test_what_cannot_be_done_is_refused_as_specified(
    deck: FakePlugin, kind: str, data: dict[str, object], error: int
) -> None:
    assert deck.refused(kind, **data) == error


def test_every_parameter_has_its_default_in_range() -> None:
    for row in DEFAULT_PARAMETERS.values():
        assert row.low <= row.default <= row.high, row.name
        assert (row.read is None) == (row.write is None), row.name
