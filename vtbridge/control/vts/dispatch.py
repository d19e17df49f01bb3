"""The table of requests, and what becomes of one message: text in, text out, no I/O."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Protocol

from vtbridge.control.vts import hotkeys, requests_parameters, requests_state
from vtbridge.control.vts.envelope import Request, encode_message, parse_request
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.events import subscribe
from vtbridge.control.vts.requests_absent import ABSENT
from vtbridge.control.vts.session import Handler, Services, Session, plugin_of
from vtbridge.errors import VtbridgeError

log = logging.getLogger(__name__)

TOKEN_REQUEST = "AuthenticationTokenRequest"  # noqa: S105 - no secret
EVENT_REQUEST = "EventSubscriptionRequest"
_SUFFIX = "Request"

_OPEN: Mapping[str, Handler] = {
    "APIState": requests_state.api_state,
    "Authentication": requests_state.authenticate,
}
"""What may be asked before authentication; the token itself takes its time, see ``server``."""

_HANDLERS: Mapping[str, Handler] = {
    **_OPEN,
    "Statistics": requests_state.statistics,
    "VTSFolderInfo": requests_state.folders,
    "CurrentModel": requests_state.current_model,
    "AvailableModels": requests_state.available_models,
    "ModelLoad": requests_state.load_model,
    "MoveModel": requests_state.move_model,
    "FaceFound": requests_state.face_found,
    "Permission": requests_state.permissions,
    "HotkeysInCurrentModel": hotkeys.list_hotkeys,
    "HotkeyTrigger": hotkeys.trigger_hotkey,
    "ExpressionState": hotkeys.expression_state,
    "ExpressionActivation": hotkeys.activate_expression,
    "InputParameterList": requests_parameters.list_inputs,
    "ParameterValue": requests_parameters.parameter_value,
    "Live2DParameterList": requests_parameters.list_pose,
    "ParameterCreation": requests_parameters.create_parameter,
    "ParameterDeletion": requests_parameters.delete_parameter,
    "InjectParameterData": requests_parameters.inject,
    **ABSENT,
}


class Stamp(Protocol):
    """The wall clock."""

    def __call__(self) -> int:
        """Return milliseconds since 1970."""


class Dispatcher:
    """Answer the messages of plugins.

    Args:
        services: what the requests use.
        now_ms: the wall clock, for the answers' time stamps.
    """

    def __init__(self, services: Services, now_ms: Stamp) -> None:
        self.services = services
        self._now_ms = now_ms

    def parse(self, text: str) -> Request | str:
        """Return the request in ``text``, or the answer to what is none."""
        try:
            request = parse_request(text)
            kind = request.kind.removesuffix(_SUFFIX)
            known = kind in _HANDLERS and request.kind.endswith(_SUFFIX)
            if not known and request.kind not in (TOKEN_REQUEST, EVENT_REQUEST):
                raise RefusedError(
                    ErrorId.REQUEST_TYPE_UNKNOWN,
                    f"no request is called {request.kind!r:.60}",
                    request_id=request.request_id,
                )
        except RefusedError as refusal:
            return self.error(refusal, refusal.request_id)
        return request if request.request_id else Request(request.kind, _fresh_id(), request.data)

    def answer(self, session: Session, request: Request) -> str:
        """Return the answer to ``request``, which ``parse`` gave; any but that for a token."""
        kind = request.kind.removesuffix(_SUFFIX)
        try:
            if kind not in _OPEN:
                self._require_consent(session)
            if request.kind == EVENT_REQUEST:
                data = subscribe(self.services, session, request.data, request.request_id)
            else:
                data = _HANDLERS[kind](self.services, session, request.data)
        except RefusedError as refusal:
            return self.error(refusal, request.request_id)
        except VtbridgeError as error:
            log.warning("a plugin's %s failed: %s", request.kind, error)
            failure = RefusedError(ErrorId.INTERNAL_SERVER_ERROR, str(error))
            return self.error(failure, request.request_id)
        return self.message(f"{kind}Response", request.request_id, data)

    def message(self, kind: str, request_id: str, data: Mapping[str, object]) -> str:
        """Return the text of an answer or event."""
        return encode_message(kind, request_id, data, timestamp_ms=self._now_ms())

    def error(self, refusal: RefusedError, request_id: str) -> str:
        """Return the text of an error."""
        data = {"errorID": int(refusal.error_id), "message": str(refusal)}
        return self.message("APIError", request_id or _fresh_id(), data)

    def _require_consent(self, session: Session) -> None:
        """Let only plugins through that are allowed still.

        Raises:
            RefusedError: not authenticated, or revoked since.
        """
        plugin = plugin_of(session)
        known = self.services.book.read().find(plugin)
        if known is None or known.token_sha256 != session.token_sha256:
            session.plugin = None
            session.subscriptions.clear()
            raise RefusedError(
                ErrorId.TOKEN_REQUEST_DENIED, "the user has revoked this plugin's access"
            )


def _fresh_id() -> str:
    return str(uuid.uuid4())
