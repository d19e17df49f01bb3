"""One connection to obs-websocket, used by one thread, thrown away at the first doubt.

The lower half of obsws-python does the hand-shake. Requests are put and events taken here,
on one socket: the library never checks which request an answer belongs to, and takes an
event for an answer. A connection on which anything timed out or failed is closed and not
used again; the library's logger, which writes the password in clear, is switched off; and
its errors of many unrelated classes become the few of this project.

Source: https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from types import TracebackType
from typing import Any, Protocol, Self

from obsws_python import baseclient, error
from websocket import ABNF, WebSocketException

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
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

MAX_EVENTS = 256
"""Events kept until they are taken; beyond that the oldest go, and ``overrun`` tells."""

# RequestStatus of the protocol
NOT_FOUND = 600
ALREADY_EXISTS = 601
UNKNOWN_KIND = 605

# WebSocketCloseCode of the protocol
_SESSION_INVALIDATED = 4011

# WebSocketOpCode of the protocol
_REIDENTIFY, _IDENTIFIED, _EVENT, _REQUEST, _RESPONSE = 3, 2, 5, 6, 7


class EventKinds(IntFlag):
    """``EventSubscription`` of the protocol: only what somebody listens to is asked for."""

    NONE = 0
    SCENES = 1 << 2
    INPUTS = 1 << 3
    TRANSITIONS = 1 << 4
    OUTPUTS = 1 << 6
    INPUT_ACTIVE = 1 << 17
    """A source enters or leaves the program."""
    INPUT_SHOWN = 1 << 18
    """A source begins or ends to be seen anywhere: program, preview, projector, multiview."""


@dataclass(frozen=True, slots=True)
class ObsEvent:
    """Something that happened in OBS.

    Attributes:
        name: ``eventType`` of the protocol.
        data: its ``eventData``.
    """

    name: str
    data: Mapping[str, Any]


class ObsKicked(ObsAuthError):
    """OBS's user ended the session on purpose; to come back at once would be rude."""


class _TookTooLong(TimeoutError):
    """Other messages came, but not the one waited for."""


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
        overrun: events were lost since this was last set to False.
        heard_ns: when OBS last said anything, by the clock.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: Password | None,
        *,
        timeout_s: float,
        clock: Clock | None = None,
    ) -> None:
        """Connect and identify.

        Args:
            host: name or address.
            port: TCP port of OBS's WebSocket server.
            password: None if OBS has none.
            timeout_s: for connecting, and for each answer by default.
            clock: for how long an answer may take.

        Raises:
            ObsUnreachable: nothing, or no obs-websocket, answers there.
            ObsAuthError: the password is missing or wrong.
        """
        _silence_library()
        self.address = f"{host}:{port}"
        self.overrun = False
        self._timeout_s = timeout_s
        self._clock = clock or MonotonicClock()
        self.heard_ns = self._clock.now_ns()
        self._events: deque[ObsEvent] = deque(maxlen=MAX_EVENTS)
        self._sent = 0
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
            ObsKicked: OBS's user ended the session; the connection is closed.
        """
        if not self._open:
            raise ObsUnreachable(
                f"the connection to OBS at {self.address} was closed before {name}"
            )
        self._sent += 1
        asked: dict[str, Any] = {"requestType": name, "requestId": str(self._sent)}
        if data:
            asked["requestData"] = dict(data)
        try:
            self._send(_REQUEST, asked)
            response = self._await(_RESPONSE, self._timeout_s if timeout_s is None else timeout_s)
            answered, number = str(response["requestType"]), response["requestId"]
            status = response["requestStatus"]
            succeeded, code = bool(status["result"]), int(status["code"])
            comment = str(status.get("comment") or "")
            answer = response.get("responseData") or {}
        except ObsKicked:
            self.abort()
            raise
        except _TROUBLE as trouble:
            self.abort()
            raise ObsUnreachable(f"{name}: {_unreachable(self.address, trouble)}") from None
        if (answered, number) != (name, str(self._sent)) or not isinstance(answer, dict):
            self.abort()
            raise ObsUnreachable(f"OBS at {self.address} answered {answered} when asked for {name}")
        if not succeeded:
            raise ObsRefused(name, code, comment)
        return answer

    def subscribe(self, kinds: EventKinds) -> None:
        """Ask for these kinds of events from now on, and for no others.

        Raises:
            ObsUnreachable: as ``request``.
        """
        try:
            self._send(_REIDENTIFY, {"eventSubscriptions": int(kinds)})
            self._await(_IDENTIFIED, self._timeout_s)
        except ObsKicked:
            self.abort()
            raise
        except _TROUBLE as trouble:
            self.abort()
            raise ObsUnreachable(f"events: {_unreachable(self.address, trouble)}") from None

    def fileno(self) -> int:
        """Return the socket's number: it can be read from when ``receive`` would not wait.

        Raises:
            ObsUnreachable: the connection is closed.
        """
        socket = self._base.ws.sock if self._open else None
        number = -1 if socket is None else int(socket.fileno())
        if number < 0:
            raise ObsUnreachable(f"the connection to OBS at {self.address} was closed")
        return number

    def receive(self) -> None:
        """Read one message, which must be an event, for ``take_events``.

        Raises:
            ObsUnreachable: it is something else, or the connection ended.
        """
        try:
            self._base.ws.settimeout(self._timeout_s)
            op, data = self._message()
            if op is not None and op != _EVENT:
                raise ValueError(f"op {op}")
            self._keep(op, data)
        except ObsKicked:
            self.abort()
            raise
        except _TROUBLE as trouble:
            self.abort()
            raise ObsUnreachable(_unreachable(self.address, trouble)) from None

    @property
    def has_events(self) -> bool:
        """True while ``take_events`` would return some."""
        return bool(self._events)

    def take_events(self) -> list[ObsEvent]:
        """Return the events since the last call, oldest first."""
        taken = list(self._events)
        self._events.clear()
        return taken

    def _send(self, op: int, data: Mapping[str, Any]) -> None:
        self._base.ws.settimeout(self._timeout_s)
        self._base.ws.send(json.dumps({"op": op, "d": data}))

    def _await(self, wanted: int, timeout_s: float) -> dict[str, Any]:
        """Return the next message of the kind ``wanted``; events before it are kept."""
        deadline_ns = self._clock.now_ns() + round(timeout_s * NS_PER_S)
        while True:
            left_s = (deadline_ns - self._clock.now_ns()) / NS_PER_S
            if left_s <= 0:
                raise _TookTooLong
            self._base.ws.settimeout(left_s)
            op, data = self._message()
            if op == wanted:
                return data
            if op is not None and op != _EVENT:
                raise ValueError(f"op {op}")
            self._keep(op, data)

    def _message(self) -> tuple[int | None, dict[str, Any]]:
        """Return ``op`` and ``d`` of the next message; None if it was only a sign of life."""
        opcode, content = self._base.ws.recv_data(control_frame=True)
        self.heard_ns = self._clock.now_ns()
        if opcode in (ABNF.OPCODE_PING, ABNF.OPCODE_PONG):
            return None, {}
        if opcode == ABNF.OPCODE_CLOSE:
            if int.from_bytes(content[:2], "big") == _SESSION_INVALIDATED:
                raise ObsKicked(
                    f"OBS at {self.address} ended vtbridge's session (Tools > WebSocket Server "
                    "Settings > Kick); it stays away until vtbridge is started again"
                )
            raise ConnectionResetError("OBS closed the connection")
        message = json.loads(content)
        data = message["d"]
        if not isinstance(data, dict):
            raise TypeError(f"d is {data!r:.40}")
        return int(message["op"]), data

    def _keep(self, op: int | None, data: Mapping[str, Any]) -> None:
        if op is None:
            return
        self.overrun |= len(self._events) == MAX_EVENTS
        content = data.get("eventData")
        self._events.append(
            ObsEvent(str(data["eventType"]), content if isinstance(content, dict) else {})
        )

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
