"""The wanted scene in a real OBS: made once, left alone the second time."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.obs import CANVAS, ObsProcess, wait_until
from vtbridge.app.obs_scene import set_up_now
from vtbridge.config.schema import Config
from vtbridge.errors import ObsError
from vtbridge.obs.client import NOT_FOUND, ObsClient, ObsRefused
from vtbridge.obs.scene import (
    MEDIA_KIND,
    SHARED_MEMORY_KIND,
    MediaFeed,
    SceneReport,
    Transport,
    WantedScene,
    media_settings,
    set_up_scene,
)
from vtbridge.obs.settings import Away, Look, Placement


@pytest.fixture
def wanted(obs_client: ObsClient) -> Iterator[WantedScene]:
    """Return a scene that OBS does not have, and remove what was made of it."""
    name = uuid.uuid4().hex[:8]
    wanted = WantedScene(scene=f"scene {name}", source=f"avatar {name}", avatar=name)
    yield wanted
    for request, data in (
        ("RemoveInput", {"inputName": wanted.source}),
        ("RemoveScene", {"sceneName": wanted.scene}),
    ):
        with contextlib.suppress(ObsRefused):  # the test made or left nothing of it
            obs_client.request(request, data)


def kind_of(client: ObsClient, wanted: WantedScene) -> str:
    return str(client.request("GetInputSettings", {"inputName": wanted.source})["inputKind"])


def items(client: ObsClient, scene: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.request("GetSceneItemList", {"sceneName": scene})[
        "sceneItems"
    ]
    return found


def create_input(client: ObsClient, wanted: WantedScene, kind: str, **settings: object) -> None:
    client.request(
        "CreateInput",
        {
            "sceneName": wanted.scene,
            "inputName": wanted.source,
            "inputKind": kind,
            "inputSettings": settings,
        },
    )


def test_second_set_up_changes_nothing(obs_client: ObsClient, wanted: WantedScene) -> None:
    first = set_up_scene(obs_client, wanted)
    assert first.transport is Transport.SHARED_MEMORY
    assert len(first.changes) == 3
    before = items(obs_client, wanted.scene)
    assert set_up_scene(obs_client, wanted) == SceneReport(Transport.SHARED_MEMORY)
    assert items(obs_client, wanted.scene) == before
    assert [item["sourceName"] for item in before] == [wanted.source]
    assert before[0]["inputKind"] == SHARED_MEMORY_KIND


@pytest.mark.parametrize(
    ("placement", "bounds_alignment"), [(Placement.FIT, 0), (Placement.BOTTOM, 8)]
)
def test_new_source_fills_the_canvas(
    obs_client: ObsClient, wanted: WantedScene, placement: Placement, bounds_alignment: int
) -> None:
    set_up_scene(obs_client, replace(wanted, placement=placement))
    transform = items(obs_client, wanted.scene)[0]["sceneItemTransform"]
    assert (transform["boundsWidth"], transform["boundsHeight"]) == CANVAS
    assert transform["boundsType"] == "OBS_BOUNDS_SCALE_INNER"
    assert transform["boundsAlignment"] == bounds_alignment


def test_source_that_the_user_moved_stays_unless_placing_anew_is_asked(
    obs_client: ObsClient, wanted: WantedScene
) -> None:
    set_up_scene(obs_client, wanted)
    item = items(obs_client, wanted.scene)[0]["sceneItemId"]
    moved = {
        "sceneName": wanted.scene,
        "sceneItemId": item,
        "sceneItemTransform": {"positionX": 99.0},
    }
    obs_client.request("SetSceneItemTransform", moved)
    assert set_up_scene(obs_client, wanted).changes == ()
    assert items(obs_client, wanted.scene)[0]["sceneItemTransform"]["positionX"] == 99.0
    placed = set_up_scene(obs_client, replace(wanted, place_anew=True))
    assert len(placed.changes) == 1
    assert items(obs_client, wanted.scene)[0]["sceneItemTransform"]["positionX"] == 0.0


def test_changed_wish_changes_the_settings(obs_client: ObsClient, wanted: WantedScene) -> None:
    set_up_scene(obs_client, wanted)
    other = replace(wanted, look=Look.LINEAR, away=Away.PLACEHOLDER)
    assert len(set_up_scene(obs_client, other).changes) == 1
    found = obs_client.request("GetInputSettings", {"inputName": wanted.source})
    assert found["inputSettings"] == {
        "avatar": wanted.avatar,
        "look": "linear",
        "away": "placeholder",
    }


def test_source_in_another_scene_is_shown_in_this_one_too(
    obs_client: ObsClient, wanted: WantedScene
) -> None:
    other = replace(wanted, scene=f"other {wanted.scene}")
    set_up_scene(obs_client, other)
    try:
        report = set_up_scene(obs_client, wanted)
        assert report.changes[1] == f"added '{wanted.source}' to the scene '{wanted.scene}'"
        for scene in (wanted.scene, other.scene):
            assert [item["sourceName"] for item in items(obs_client, scene)] == [wanted.source]
    finally:
        obs_client.request("RemoveScene", {"sceneName": other.scene})


def filters_of(obs: ObsClient, wanted: WantedScene) -> list[tuple[str, str, object, bool]]:
    filters = obs.request("GetSourceFilterList", {"sourceName": wanted.source})["filters"]
    return [
        (
            found["filterName"],
            found["filterKind"],
            found["filterSettings"],
            found["filterEnabled"],
        )
        for found in sorted(filters, key=lambda each: int(each["filterIndex"]))
    ]


def test_media_source_of_the_fallback_gives_way_once_the_script_is_there(
    obs_client: ObsClient, wanted: WantedScene
) -> None:
    other = f"other {wanted.scene}"
    for scene in (wanted.scene, other):
        obs_client.request("CreateScene", {"sceneName": scene})
    create_input(obs_client, wanted, MEDIA_KIND, **media_settings(MediaFeed("127.0.0.1", 9)))
    in_other = {"sceneName": other, "sourceName": wanted.source}
    item = obs_client.request("CreateSceneItem", in_other)["sceneItemId"]
    moved = {
        "sceneName": other,
        "sceneItemId": item,
        "sceneItemTransform": {"positionX": 12.0, "scaleX": 0.5, "cropTop": 3},
    }
    obs_client.request("SetSceneItemTransform", moved)
    for name, kind, filter_settings in (
        ("tint", "color_filter_v2", {"opacity": 0.5}),
        ("cut", "crop_filter", {"left": 7}),
    ):
        of = {"sourceName": wanted.source, "filterName": name}
        made = {"filterKind": kind, "filterSettings": filter_settings}
        obs_client.request("CreateSourceFilter", of | made)
    obs_client.request("SetSourceFilterEnabled", of | {"filterEnabled": False})
    filters = filters_of(obs_client, wanted)
    try:
        report = set_up_scene(obs_client, wanted)
        assert report.transport is Transport.SHARED_MEMORY
        assert kind_of(obs_client, wanted) == SHARED_MEMORY_KIND
        for scene in (wanted.scene, other):
            assert [found["sourceName"] for found in items(obs_client, scene)] == [wanted.source]
        transform = items(obs_client, other)[0]["sceneItemTransform"]
        assert (transform["positionX"], transform["scaleX"], transform["cropTop"]) == (12, 0.5, 3)
        assert [name for name, *_ in filters] == ["tint", "cut"]
        assert filters_of(obs_client, wanted) == filters
        assert set_up_scene(obs_client, wanted).changes == ()
    finally:
        obs_client.request("RemoveScene", {"sceneName": other})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("color_source_v3", {}), (MEDIA_KIND, {"local_file": "/home/me/clip.mkv"})],
)
def test_somebody_elses_source_of_that_name_is_left_alone(
    obs_client: ObsClient, wanted: WantedScene, kind: str, settings: dict[str, object]
) -> None:
    obs_client.request("CreateScene", {"sceneName": wanted.scene})
    create_input(obs_client, wanted, kind, **settings)
    with pytest.raises(ObsError, match="of another kind"):
        set_up_scene(obs_client, wanted)
    assert kind_of(obs_client, wanted) == kind


def test_removed_source_is_made_again(obs_client: ObsClient, wanted: WantedScene) -> None:
    set_up_scene(obs_client, wanted)
    # OBS lets go of a removed source once each scene that held it has been rendered.
    obs_client.request("SetCurrentProgramScene", {"sceneName": wanted.scene})
    obs_client.request("RemoveInput", {"inputName": wanted.source})

    def let_go() -> bool:
        try:
            obs_client.request("GetInputSettings", {"inputName": wanted.source})
        except ObsRefused as refusal:
            return refusal.code == NOT_FOUND
        return False

    wait_until(let_go, "OBS has let go of the source")
    assert len(set_up_scene(obs_client, wanted).changes) == 2
    assert [item["sourceName"] for item in items(obs_client, wanted.scene)] == [wanted.source]


def test_set_up_by_the_studio_is_that_of_the_command(
    obs: ObsProcess, obs_client: ObsClient, wanted: WantedScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VTBRIDGE_OBS_PASSWORD", obs.password)
    settings = {"port": obs.port, "scene": wanted.scene, "source": wanted.source}
    config = Config.model_validate({"publish": {"name": wanted.avatar}, "obs": settings})
    assert len(set_up_now(config).changes) == 3
    assert [one["sourceName"] for one in items(obs_client, wanted.scene)] == [wanted.source]
    assert set_up_now(config).changes == ()
