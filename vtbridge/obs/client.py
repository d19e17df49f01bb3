"""One connection to obs-websocket, used by one thread, thrown away at the first doubt.

The lower half of obsws-python does the hand-shake and moves the JSON. Around it:
it never checks which request an answer belongs to, so a connection on which
anything timed out or failed is closed and not used again; its logger, which
writes the password in clear, is switched off; and its errors of many unrelated
classes become the three of this project.

Source: https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from obsws_python import baseclient, error
from websocket import WebSocketException

from vtbridge.errors import ObsAuthError, ObsError, ObsUnreachable
from vtbridge.obs.password import Password

Answer = dict[str, Any]
"""The ``responseData`` of a request; empty if it has none."""

ODD_ANSWER = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What reading an answer raises that is no JSON (a ValueError) or JSON of another shape."""

# What the library and the peer behind it can raise: its own errors, the socket's, and these.
_TROUBLE = (error.OBSSDKError, WebSocketException, OSError, *ODD_ANSWER)
_CLOSE_TIMEOUT_S = 0.5

# RequestStatus of the protocol
NOT_FOUND = 600
ALREADY_EXISTS = 601
UNKNOWN_KIND = 605


class ObsRefused(ObsError):
    """OBS answered a request with an error.

    Attributes:
        request: name of the request.
        code: ``RequestStatus`` of the protocol, such as 600 (no such resource).
        comment: OBS's own words, empty if it gave none.
    """

    def __init__(self, request: str, code: int, comment: str) -> None:
        super().__init__(f"OBS refused {request} with code {code}: {comment or 'no reason given'}")
        self.request = request
        self.code = code
        self.comment = comment


class Requests(Protocol):
    """Whatever can put a request to OBS."""

    def request(
        self, name: str, data: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Answer:
        """Send one request and return its answer."""


class ObsClient:
    """A connection that has been identified; not to be shared between threads.

    Attributes:
        auth_required: False if OBS lets in anybody who reaches its port.
    """

    def __init__(
        self, host: str, port: int, password: Password | None, *, timeout_s: float
    ) -> None:
        """Connect and identify.

        Args:
            host: name or address.
            port: TCP port of OBS's WebSocket server.
            password: None if OBS has none.
            timeout_s: for connecting, and for each answer by default.

        Raises:
            ObsUnreachable: nothing, or no obs-websocket, answers there.
            ObsAuthError: the password is missing or wrong.
        """
        _silence_library()
        self.address = f"{host}:{port}"
        self._timeout_s = timeout_s
        self._open = True
        # Made in two steps, so that the socket can be closed if the second one fails.
        self._base: Any = baseclient.ObsClient.__new__(baseclient.ObsClient)
        try:
            # All three are given, else the library reads a config.toml of the working directory.
            baseclient.ObsClient.__init__(
                self._base,
                host=host,
                port=port,
                password="" if password is None else password.reveal(),
                timeout=timeout_s,
                subs=0,
            )
            self.auth_required = "authentication" in self._base.server_hello["d"]
        except _TROUBLE as trouble:
            self.abort()
            raise ObsUnreachable(_unreachable(self.address, trouble)) from None
        try:
            self._base.authenticate()
        except error.OBSSDKError:
            self.abort()
            if not self.auth_required:
                raise ObsUnreachable(f"{self.address} broke off while greeting") from None
            raise ObsAuthError(_refusal(self.address, password)) from None
        except _TROUBLE as trouble:
            self.abort()
            raise ObsUnreachable(_unreachable(self.address, trouble)) from None

    def __repr__(self) -> str:
        return f"ObsClient({self.address}, {'open' if self._open else 'closed'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def request(
        self, name: str, data: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Answer:
        """Send one request and return its answer.

        Args:
            name: request type, such as ``GetVersion``.
            data: request data; empty is the same as none.
            timeout_s: how long to wait for the answer.

        Raises:
            ObsRefused: OBS answered with an error; the connection stays usable.
            ObsUnreachable: no answer, or not the one that was asked for; the
                connection is closed.
        """
        if not self._open:
            raise ObsUnreachable(
                f"the connection to OBS at {self.address} was closed before {name}"
            )
        try:
            self._base.ws.settimeout(self._timeout_s if timeout_s is None else timeout_s)
            response = self._base.req(name, dict(data) if data else None)
            answered = str(response["requestType"])
            status = response["requestStatus"]
            succeeded, code = bool(status["result"]), int(status["code"])
            comment = str(status.get("comment") or "")
            answer = response.get("responseData") or {}
        except _TROUBLE as trouble:
            self.abort()
            raise ObsUnreachable(f"{name}: {_unreachable(self.address, trouble)}") from None
        if answered != name or not isinstance(answer, dict):
            self.abort()
            raise ObsUnreachable(f"OBS at {self.address} answered {answered} when asked for {name}")
        if not succeeded:
            raise ObsRefused(name, code, comment)
        return answer

    def close(self) -> None:
        """Say goodbye and close; harmless when closed already."""
        if self._open:
            self._open = False
            with contextlib.suppress(*_TROUBLE):
                self._base.ws.close(timeout=_CLOSE_TIMEOUT_S)
        self.abort()

    def wake(self) -> None:
        """End the wait for an answer in another thread, which gets ObsUnreachable."""
        with contextlib.suppress(*_TROUBLE):
            self._base.ws.abort()

    def abort(self) -> None:
        """Close at once, without a goodbye."""
        self._open = False
        with contextlib.suppress(*_TROUBLE):
            self._base.ws.shutdown()


def _silence_library() -> None:
    """Keep obsws-python from logging the password and each failure a second time."""
    logger = logging.getLogger("obsws_python")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False


def _unreachable(address: str, trouble: BaseException) -> str:
    if isinstance(trouble, ConnectionRefusedError):
        why = "nothing listens there"
    elif isinstance(trouble, (TimeoutError, error.OBSSDKTimeoutError)) or "timed out" in str(
        trouble
    ):
        why = "it did not answer in time"
    elif isinstance(trouble, ODD_ANSWER):
        why = "the connection ended, or something else than OBS listens there"
    else:
        why = f"{type(trouble).__name__}: {trouble}"
    return (
        f"no answer from OBS at {address} ({why}); start OBS and switch on "
        "Tools > WebSocket Server Settings > Enable WebSocket server"
    )


def _refusal(address: str, password: Password | None) -> str:
    if password is None:
        return (
            f"OBS at {address} wants a password and none is stored; copy it from Tools > "
            "WebSocket Server Settings > Show Connect Info and run `vtbridge obs password`"
        )
    return (
        f"OBS at {address} refused the {password}; copy the right one from Tools > "
        "WebSocket Server Settings > Show Connect Info and run `vtbridge obs password`"
    )
