"""Requests about what a single picture does not have: meshes, items, physics, effects.

They are answered with what is true: empty lists where the API has them, else its own errors.
"""

from __future__ import annotations

from collections.abc import Mapping

from vtbridge.control.vts.envelope import number_of, text_of
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.session import Handler, Services, Session

Data = Mapping[str, object]

_COLORS = ("colorR", "colorG", "colorB", "colorA")
_WHITE = 255


def list_art_meshes(services: Services, _session: Session, _data: Data) -> Data:
    """Answer ArtMeshListRequest."""
    return {
        "modelLoaded": services.model_fields()["modelLoaded"],
        "numberOfArtMeshNames": 0,
        "numberOfArtMeshTags": 0,
        "artMeshNames": [],
        "artMeshTags": [],
        "numberOfArtMeshGroups": 0,
        "artMeshGroups": [],
    }


def tint(_services: Services, _session: Session, data: Data) -> Data:
    """Answer ColorTintRequest: it is checked, and matches nothing."""
    color, matcher = data.get("colorTint"), data.get("artMeshMatcher")
    if not isinstance(color, dict) or not isinstance(matcher, dict):
        raise RefusedError(
            ErrorId.TINT_MATCH_OR_COLOR_MISSING, "colorTint and artMeshMatcher are needed"
        )
    for name in _COLORS:
        value = number_of(color.get(name))
        if value is None or not 0.0 <= value <= _WHITE:
            raise RefusedError(ErrorId.TINT_COLOR_INVALID, f"{name} must be 0 to {_WHITE}")
    return {"matchedArtMeshes": 0}


def scene_color(_services: Services, _session: Session, _data: Data) -> Data:
    """Answer SceneColorOverlayInfoRequest: switched off, so everything is white."""
    part = {"active": False, "colorR": _WHITE, "colorG": _WHITE, "colorB": _WHITE}
    colors = {f"color{kind}{c}": _WHITE for kind in ("Overlay", "Avg") for c in "RGB"}
    return {
        "active": False,
        "itemsIncluded": False,
        "isWindowCapture": False,
        "baseBrightness": 0,
        "colorBoost": 0,
        "smoothing": 0,
        **colors,
        "leftCapturePart": part,
        "middleCapturePart": part,
        "rightCapturePart": part,
    }


def physics(services: Services, _session: Session, _data: Data) -> Data:
    """Answer GetCurrentModelPhysicsRequest."""
    return {
        **services.model_fields(),
        "modelHasPhysics": False,
        "physicsSwitchedOn": False,
        "usingLegacyPhysics": False,
        "physicsFPSSetting": -1,
        "baseStrength": 0,
        "baseWind": 0,
        "apiPhysicsOverrideActive": False,
        "apiPhysicsOverridePluginName": "",
        "physicsGroups": [],
    }


def list_items(_services: Services, _session: Session, _data: Data) -> Data:
    """Answer ItemListRequest."""
    return {
        "itemsInSceneCount": 0,
        "totalItemsAllowedCount": 0,
        "canLoadItemsRightNow": False,
        "availableSpots": [],
        "itemInstancesInScene": [],
        "availableItemFiles": [],
    }


def load_item(_services: Services, _session: Session, data: Data) -> Data:
    """Answer ItemLoadRequest."""
    if not text_of(data, "fileName"):
        raise RefusedError(ErrorId.ITEM_FILE_MISSING, "fileName is missing")
    raise RefusedError(ErrorId.ITEM_FILE_NOT_FOUND, "vtbridge has no items")


def unload_items(_services: Services, _session: Session, _data: Data) -> Data:
    """Answer ItemUnloadRequest."""
    return {"unloadedItems": []}


def move_items(_services: Services, _session: Session, data: Data) -> Data:
    """Answer ItemMoveRequest: each item fails by itself, as specified."""
    rows = data.get("itemsToMove")
    items = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {
        "movedItems": [
            {
                "itemInstanceID": text_of(row, "itemInstanceID"),
                "success": False,
                "errorID": int(ErrorId.ITEM_MOVE_NOT_FOUND),
            }
            for row in items
        ]
    }


def ndi(_services: Services, _session: Session, _data: Data) -> Data:
    """Answer NDIConfigRequest: off, and it stays off."""
    return {
        "setNewConfig": False,
        "ndiActive": False,
        "useNDI5": False,
        "useCustomResolution": False,
        "customWidthNDI": -1,
        "customHeightNDI": -1,
    }


def list_effects(_services: Services, _session: Session, _data: Data) -> Data:
    """Answer PostProcessingListRequest."""
    return {
        "postProcessingSupported": False,
        "postProcessingActive": False,
        "canSendPostProcessingUpdateRequestRightNow": False,
        "restrictedEffectsAllowed": False,
        "presetIsActive": False,
        "activePreset": "",
        "presetCount": 0,
        "activeEffectCount": 0,
        "effectCountBeforeFilter": 0,
        "configCountBeforeFilter": 0,
        "effectCountAfterFilter": 0,
        "configCountAfterFilter": 0,
        "postProcessingEffects": [],
        "postProcessingPresets": [],
    }


def _refusing(error_id: ErrorId, message: str) -> Handler:
    def refuse(_services: Services, _session: Session, _data: Data) -> Data:
        raise RefusedError(error_id, message)

    return refuse


_NO_ITEM = "vtbridge has no items"

ABSENT: Mapping[str, Handler] = {
    "ArtMeshList": list_art_meshes,
    "ArtMeshSelection": _refusing(
        ErrorId.MODEL_LACKS_ART_MESH, "a single picture has no ArtMeshes"
    ),
    "ColorTint": tint,
    "SceneColorOverlayInfo": scene_color,
    "GetCurrentModelPhysics": physics,
    "SetCurrentModelPhysics": _refusing(
        ErrorId.MODEL_HAS_NO_PHYSICS, "a single picture has no physics"
    ),
    "ItemList": list_items,
    "ItemLoad": load_item,
    "ItemUnload": unload_items,
    "ItemAnimationControl": _refusing(ErrorId.ITEM_ANIMATION_NOT_FOUND, _NO_ITEM),
    "ItemMove": move_items,
    "ItemSort": _refusing(ErrorId.ITEM_SORT_NOT_FOUND, _NO_ITEM),
    "ItemPin": _refusing(ErrorId.ITEM_PIN_NOT_LOADED, _NO_ITEM),
    "NDIConfig": ndi,
    "PostProcessingList": list_effects,
    "PostProcessingUpdate": _refusing(
        ErrorId.POST_PROCESSING_UNAVAILABLE, "vtbridge has no effects; OBS filters do"
    ),
}
"""What answers them, by the request's name without ``Request``."""
