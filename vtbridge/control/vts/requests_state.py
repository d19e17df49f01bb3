"""Requests about the program, the character and the face."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vtbridge.clock import NS_PER_S
from vtbridge.control.vts.envelope import number_of, text_of
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.plugins import PluginId
from vtbridge.control.vts.session import API_FEATURES, Services, Session

Data = Mapping[str, object]

MODEL_ID = re.compile(r"[0-9a-fA-F]{32}")
_MOVE_LIMITS = {"positionX": 1000.0, "positionY": 1000.0, "rotation": 360.0, "size": 100.0}
_MAX_MOVE_S = 2.0


def api_state(_services: Services, session: Session, _data: Data) -> Data:
    """Answer APIStateRequest."""
    return {
        "active": True,
        "vTubeStudioVersion": API_FEATURES,
        "currentSessionAuthenticated": session.plugin is not None,
    }


def authenticate(services: Services, session: Session, data: Data) -> Data:
    """Answer AuthenticationRequest; a wrong token is an answer, not an error."""
    token = text_of(data, "authenticationToken")
    plugin = PluginId(text_of(data, "pluginName"), text_of(data, "pluginDeveloper"))
    if not token:
        raise RefusedError(ErrorId.TOKEN_MISSING, "authenticationToken is missing")
    if not plugin.name:
        raise RefusedError(ErrorId.PLUGIN_NAME_MISSING, "pluginName is missing")
    if not plugin.developer:
        raise RefusedError(ErrorId.PLUGIN_DEVELOPER_MISSING, "pluginDeveloper is missing")
    known = services.book.find(plugin, token)
    if known is None:
        session.plugin = None
        session.subscriptions.clear()
        return {"authenticated": False, "reason": "The token is invalid or was revoked."}
    session.plugin, session.token_sha256 = plugin, known.token_sha256
    return {"authenticated": True, "reason": "The token is valid for this session."}


def statistics(services: Services, _session: Session, _data: Data) -> Data:
    """Answer StatisticsRequest."""
    side = services.avatar.side()
    return {
        "uptime": (services.clock.now_ns() - services.start_ns) * 1000 // NS_PER_S,
        "framerate": round(services.avatar.fps()),
        "vTubeStudioVersion": API_FEATURES,
        "allowedPlugins": len(services.book.read().plugins),
        "connectedPlugins": services.connected(),
        "startedWithSteam": False,
        "windowWidth": side,
        "windowHeight": side,
        "windowIsFullscreen": False,
    }


def folders(_services: Services, _session: Session, _data: Data) -> Data:
    """Answer VTSFolderInfoRequest; there are no such folders, so VTube Studio's names serve."""
    return {
        "models": "Live2DModels",
        "backgrounds": "Backgrounds",
        "items": "Items",
        "config": "Config",
        "logs": "Logs",
        "backup": "Backup",
    }


def current_model(services: Services, _session: Session, _data: Data) -> Data:
    """Answer CurrentModelRequest."""
    model = services.avatar.model()
    return {
        **services.model_fields(),
        "vtsModelName": f"{model.name}.vtube.json",
        "vtsModelIconName": "",
        "live2DModelName": f"{model.name}.model3.json",
        "modelLoadTime": 0,
        "timeSinceModelLoaded": services.avatar.loaded_ms(),
        "numberOfLive2DParameters": len(services.avatar.pose()),
        "numberOfLive2DArtmeshes": 0,
        "hasPhysicsFile": False,
        "numberOfTextures": 1,
        "textureResolution": model.texture_size,
        "modelPosition": {"positionX": 0.0, "positionY": 0.0, "rotation": 0.0, "size": 0.0},
    }


def available_models(services: Services, _session: Session, _data: Data) -> Data:
    """Answer AvailableModelsRequest: the one that is shown."""
    model = {
        **services.model_fields(),
        "vtsModelName": f"{services.avatar.model().name}.vtube.json",
        "vtsModelIconName": "",
    }
    return {"numberOfModels": 1, "availableModels": [model]}


def load_model(services: Services, _session: Session, data: Data) -> Data:
    """Answer ModelLoadRequest: only what is shown already can be loaded."""
    if not isinstance(data.get("modelID"), str):
        raise RefusedError(ErrorId.MODEL_ID_MISSING, "modelID is missing")
    wanted = text_of(data, "modelID")
    if not wanted:
        raise RefusedError(ErrorId.CANNOT_CHANGE_MODEL, "vtbridge always shows its character")
    if not MODEL_ID.fullmatch(wanted):
        raise RefusedError(ErrorId.MODEL_ID_INVALID, "a modelID is 32 hexadecimal digits")
    model_id = services.avatar.model().model_id
    if wanted.lower() != model_id:
        raise RefusedError(
            ErrorId.MODEL_ID_NOT_FOUND,
            "only the character that is shown is known here; vtbridge itself shows others",
        )
    return {"modelID": model_id}


def move_model(_services: Services, _session: Session, data: Data) -> Data:
    """Answer MoveModelRequest: OBS places the picture, so it is checked and then refused."""
    seconds = number_of(data.get("timeInSeconds"))
    if seconds is None or not isinstance(data.get("valuesAreRelativeToModel"), bool):
        raise RefusedError(
            ErrorId.MOVE_FIELDS_MISSING, "timeInSeconds and valuesAreRelativeToModel are needed"
        )
    for name, limit in _MOVE_LIMITS.items():
        if name in data:
            value = number_of(data[name])
            if value is None or abs(value) > limit:
                raise RefusedError(
                    ErrorId.MOVE_OUT_OF_RANGE, f"{name} must be a number within +-{limit:g}"
                )
    if not 0.0 <= seconds <= _MAX_MOVE_S:
        raise RefusedError(ErrorId.MOVE_OUT_OF_RANGE, f"timeInSeconds must be 0 to {_MAX_MOVE_S:g}")
    raise RefusedError(
        ErrorId.INTERNAL_SERVER_ERROR,
        "vtbridge does not move its picture: move the source in OBS instead",
    )


def face_found(services: Services, _session: Session, _data: Data) -> Data:
    """Answer FaceFoundRequest."""
    return {"found": services.faces.face_found()}


def permissions(_services: Services, _session: Session, data: Data) -> Data:
    """Answer PermissionRequest: what needs one is not here, so none is granted."""
    wanted = text_of(data, "requestedPermission")
    if wanted not in ("", _ITEMS_PERMISSION):
        raise RefusedError(ErrorId.PERMISSION_UNKNOWN, f"no permission is called {wanted!r:.60}")
    return {
        "grantSuccess": False,
        "requestedPermission": wanted,
        "permissions": [{"name": _ITEMS_PERMISSION, "granted": False}],
    }


_ITEMS_PERMISSION = "LoadCustomImagesAsItems"
