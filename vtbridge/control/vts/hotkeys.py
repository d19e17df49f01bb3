"""Expressions as VTube Studio's hotkeys: ids, names and files, and the requests about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from vtbridge.clock import NS_PER_S
from vtbridge.control.vts.avatar import Avatar, Expression
from vtbridge.control.vts.envelope import flag_of, text_of
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.requests_state import MODEL_ID
from vtbridge.control.vts.session import Services, Session

Data = Mapping[str, object]

EXPRESSION_SUFFIX = ".exp3.json"
HOTKEY_ACTIONS = (
    *("Unset", "TriggerAnimation", "ChangeIdleAnimation", "ToggleExpression"),
    *("RemoveAllExpressions", "MoveModel", "ChangeBackground", "ReloadMicrophone"),
    *("ReloadTextures", "CalibrateCam", "ChangeVTSModel", "TakeScreenshot"),
    *("ScreenColorOverlay", "RemoveAllItems", "ToggleItemScene", "DownloadRandomWorkshopItem"),
    *("ExecuteItemAction", "ArtMeshColorPreset", "ToggleTracker", "ToggleTwitchFeature"),
    *("LoadEffectPreset", "ToggleLive2DEditorAPI", "WebItemAction", "ToggleModelSound"),
)
"""What hotkeys can do in VTube Studio, by the specification."""

_COOLDOWN_NS = 5 * NS_PER_S // 60
"""Five frames, within which one hotkey cannot be triggered again."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """Something that plugins can trigger.

    Attributes:
        hotkey_id: 32 hexadecimal digits, the same in every run.
        name: what people read.
        action: what it does, one of ``HOTKEY_ACTIONS``.
        file: the expression's file, empty for other actions.
        description: a sentence for people.
        alias: another name that triggers it.
        press: does it.
    """

    hotkey_id: str
    name: str
    action: str
    file: str
    description: str
    alias: str
    press: Callable[[Avatar], None]

    def plain(self) -> dict[str, object]:
        """Return it as a list of hotkeys has it."""
        return {
            "name": self.name,
            "type": self.action,
            "description": self.description,
            "file": self.file,
            "hotkeyID": self.hotkey_id,
            "keyCombination": [],
            "onScreenButtonID": -1,
        }


@lru_cache(maxsize=512)
def hotkey_id(what: str) -> str:
    """Return the id of the hotkey for ``what``, an expression's name or another action."""
    return hashlib.sha256(f"vtbridge hotkey {what}".encode()).hexdigest()[:32]


def file_of(expression: Expression) -> str:
    """Return the file name under which plugins know an expression."""
    return expression.name + EXPRESSION_SUFFIX


def hotkeys_of(avatar: Avatar) -> list[Hotkey]:
    """Return all hotkeys: every expression, then what VTube Studio users bind besides."""
    return [
        *(hotkey_of(expression) for expression in avatar.expressions()),
        Hotkey(
            hotkey_id("/clear"),
            "Remove all expressions",
            "RemoveAllExpressions",
            "",
            "Ends all expressions",
            "clear",
            lambda avatar: avatar.clear(),
        ),
        Hotkey(
            hotkey_id("/calibrate"),
            "Calibrate",
            "CalibrateCam",
            "",
            "Takes your face of the next second as neutral",
            "calibrate",
            lambda avatar: avatar.calibrate(),
        ),
    ]


def hotkey_of(expression: Expression) -> Hotkey:
    """Return the hotkey of an expression."""
    name = expression.name
    return Hotkey(
        hotkey_id(name),
        expression.label,
        "ToggleExpression",
        file_of(expression),
        "Plays an expression" if expression.fires else "Toggles an expression",
        name,
        lambda avatar: avatar.switch(name, None),
    )


def list_hotkeys(services: Services, _session: Session, data: Data) -> Data:
    """Answer HotkeysInCurrentModelRequest."""
    model_id, item = text_of(data, "modelID"), text_of(data, "live2DItemFileName")
    if model_id and (
        not MODEL_ID.fullmatch(model_id) or model_id.lower() != services.avatar.model().model_id
    ):
        raise RefusedError(ErrorId.MODEL_ID_NOT_FOUND, "no character has this modelID")
    if item and not model_id:
        raise RefusedError(ErrorId.ITEM_FILE_NOT_FOUND, "vtbridge has no items")
    keys = [hotkey.plain() for hotkey in hotkeys_of(services.avatar)]
    return {**services.model_fields(), "availableHotkeys": keys}


def trigger_hotkey(services: Services, _session: Session, data: Data) -> Data:
    """Answer HotkeyTriggerRequest: by id, or by name without regard to case."""
    if text_of(data, "itemInstanceID"):
        raise RefusedError(ErrorId.HOTKEY_ITEM_NOT_FOUND, "vtbridge has no items")
    wanted = text_of(data, "hotkeyID")
    hotkey = _find(hotkeys_of(services.avatar), wanted)
    if hotkey is None:
        raise RefusedError(ErrorId.HOTKEY_NOT_FOUND, f"no hotkey is called {wanted!r:.60}")
    now_ns, last_ns = services.clock.now_ns(), services.hotkeys_ns.get(hotkey.hotkey_id)
    if last_ns is not None and now_ns - last_ns < _COOLDOWN_NS:
        raise RefusedError(ErrorId.HOTKEY_COOLDOWN, f"{hotkey.name} was triggered a moment ago")
    services.hotkeys_ns[hotkey.hotkey_id] = now_ns
    try:
        hotkey.press(services.avatar)
    except KeyError:  # its file has changed since it was looked up
        raise RefusedError(ErrorId.HOTKEY_NOT_FOUND, f"{hotkey.name} is gone") from None
    services.hotkey_triggered(hotkey.hotkey_id)
    return {"hotkeyID": hotkey.hotkey_id}


def expression_state(services: Services, _session: Session, data: Data) -> Data:
    """Answer ExpressionStateRequest."""
    expressions = list(services.avatar.expressions())
    file = text_of(data, "expressionFile")
    if file:
        if not file.endswith(EXPRESSION_SUFFIX):
            raise RefusedError(
                ErrorId.EXPRESSION_STATE_FILE_INVALID, f"a file ends with {EXPRESSION_SUFFIX}"
            )
        expressions = [one for one in expressions if file_of(one) == file]
        if not expressions:
            raise RefusedError(
                ErrorId.EXPRESSION_STATE_FILE_NOT_FOUND, f"no expression is called {file!r:.60}"
            )
    details = flag_of(data, "details")
    return {
        **services.model_fields(),
        "expressions": [_plain_state(one, details=details) for one in expressions],
    }


def activate_expression(services: Services, _session: Session, data: Data) -> Data:
    """Answer ExpressionActivationRequest; each expression fades by its own times."""
    file = text_of(data, "expressionFile")
    if not file.endswith(EXPRESSION_SUFFIX):
        raise RefusedError(ErrorId.EXPRESSION_FILE_INVALID, f"a file ends with {EXPRESSION_SUFFIX}")
    try:
        services.avatar.switch(file.removesuffix(EXPRESSION_SUFFIX), flag_of(data, "active"))
    except KeyError:
        raise RefusedError(
            ErrorId.EXPRESSION_FILE_NOT_FOUND, f"no expression is called {file!r:.60}"
        ) from None
    return {}


def _find(hotkeys: list[Hotkey], wanted: str) -> Hotkey | None:
    folded = wanted.casefold()
    names: tuple[Callable[[Hotkey], str], ...] = (
        lambda hotkey: hotkey.hotkey_id,
        lambda hotkey: hotkey.name.casefold(),
        lambda hotkey: hotkey.alias.casefold(),
    )
    for name_of in names:
        for hotkey in hotkeys:
            if folded and name_of(hotkey) == folded:
                return hotkey
    return None


def _plain_state(expression: Expression, *, details: bool) -> dict[str, object]:
    hotkey = {"name": expression.label, "id": hotkey_id(expression.name)}
    values = [{"name": name, "value": value} for name, value in expression.values.items()]
    return {
        "name": expression.name,
        "file": file_of(expression),
        "active": expression.active,
        "deactivateWhenKeyIsLetGo": expression.held,
        "autoDeactivateAfterSeconds": expression.fires,
        "secondsRemaining": 0.0,
        "usedInHotkeys": [hotkey] if details else [],
        "parameters": values if details else [],
    }
