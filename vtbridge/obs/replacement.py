"""Put a source of another kind in the place of one, in every scene where it stands.

Its filters go with it.

obs-websocket can neither change the kind of a source nor remove one at once: the name
of a removed source stays taken until each scene that held it has been rendered, which
never happens to a scene that is not shown. So the old source is renamed first, which
frees its name immediately, and each of its scene items hands its place to a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vtbridge.obs.client import NOT_FOUND, ObsRefused, Requests

_PLACE = (
    "positionX",
    "positionY",
    "rotation",
    "scaleX",
    "scaleY",
    "alignment",
    "boundsType",
    "boundsAlignment",
    "cropLeft",
    "cropTop",
    "cropRight",
    "cropBottom",
)
_BOUNDS = ("boundsWidth", "boundsHeight")  # OBS reports 0 without bounds and refuses it back


@dataclass(frozen=True, slots=True)
class _Item:
    """One scene item of the old source."""

    scene: str
    number: int
    index: int
    enabled: bool
    transform: Mapping[str, Any]


def replace_source(obs: Requests, name: str, make: Callable[[], object]) -> None:
    """Make a new source ``name`` where the old one stands.

    Args:
        obs: the connection to ask by.
        name: of the source.
        make: creates the new source, by that name, in a scene of its choice.

    Raises:
        ObsError: OBS refused; the old source then stands under its old name or with
            "(old)" behind it.
    """
    old_name = f"{name} (old)"
    items = _items_of(obs, name)
    obs.request("SetInputName", {"inputName": name, "newInputName": old_name})
    make()
    _copy_filters(obs, old_name, name)
    made = {item.scene for item in _items_of(obs, name)}
    for item in items:
        place = {"sceneName": item.scene}
        if item.scene in made:
            made.remove(item.scene)
            found = obs.request("GetSceneItemId", place | {"sourceName": name})
        else:
            found = obs.request("CreateSceneItem", place | {"sourceName": name})
        place |= {"sceneItemId": found["sceneItemId"]}
        obs.request(
            "SetSceneItemTransform", place | {"sceneItemTransform": _settable(item.transform)}
        )
        obs.request("SetSceneItemEnabled", place | {"sceneItemEnabled": item.enabled})
        obs.request("RemoveSceneItem", {"sceneName": item.scene, "sceneItemId": item.number})
        obs.request("SetSceneItemIndex", place | {"sceneItemIndex": item.index})
    try:
        obs.request("RemoveInput", {"inputName": old_name})
    except ObsRefused as refusal:
        if refusal.code != NOT_FOUND:  # it usually left with its last scene item
            raise


def _items_of(obs: Requests, source: str) -> list[_Item]:
    return [
        _Item(
            scene=scene["sceneName"],
            number=item["sceneItemId"],
            index=item["sceneItemIndex"],
            enabled=item["sceneItemEnabled"],
            transform=item["sceneItemTransform"],
        )
        for scene in obs.request("GetSceneList")["scenes"]
        for item in obs.request("GetSceneItemList", {"sceneName": scene["sceneName"]})["sceneItems"]
        if item["sourceName"] == source
    ]


def _copy_filters(obs: Requests, old: str, new: str) -> None:
    """Give a source the filters of another, in their order."""
    filters = obs.request("GetSourceFilterList", {"sourceName": old})["filters"]
    for found in sorted(filters, key=lambda each: int(each["filterIndex"])):
        which = {"sourceName": new, "filterName": found["filterName"]}
        made = {"filterKind": found["filterKind"], "filterSettings": found["filterSettings"]}
        obs.request("CreateSourceFilter", which | made)
        obs.request("SetSourceFilterIndex", which | {"filterIndex": found["filterIndex"]})
        obs.request("SetSourceFilterEnabled", which | {"filterEnabled": found["filterEnabled"]})


def _settable(transform: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a reported transform OBS takes back."""
    settable = {key: transform[key] for key in _PLACE if key in transform}
    return settable | {key: transform[key] for key in _BOUNDS if transform.get(key, 0) >= 1}
