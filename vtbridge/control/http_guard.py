"""Who may talk to the control server: this machine's user, through this page or with the token.

A web page elsewhere can make a browser send requests to loopback, also under a name
that it points there (DNS rebinding). So Host must be this server's own, a foreign
Origin is refused, and everything but the static page wants the token.
"""

from __future__ import annotations

import hmac

from aiohttp import web
from aiohttp.typedefs import Middleware

from vtbridge.control.api.doctor import DRAWING_TYPES
from vtbridge.control.api.openapi import DRAWING_PATH
from vtbridge.control.api.problem import Handler, refusal
from vtbridge.control.rate_limit import RateLimit

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'self'; "
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:*"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_TOKEN_PROTOCOL = "token."  # noqa: S105 - a prefix, no secret
_READS = ("GET", "HEAD")
_FOREIGN = "Asked from elsewhere"


def token_of(request: web.Request) -> str:
    """Return the token a request carries, empty if none.

    Programs send ``Authorization: Bearer TOKEN``. A browser's WebSocket cannot set
    headers, so there the token travels as a subprotocol, which no log records.
    """
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credential.strip()
    for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(","):
        if protocol.strip().startswith(_TOKEN_PROTOCOL):
            return protocol.strip().removeprefix(_TOKEN_PROTOCOL)
    return ""


class Guard:
    """Let only the user's own requests through.

    Args:
        token: what ``/api/`` wants.
        orders: how many orders are taken.
        reads: how many other requests are.
    """

    def __init__(self, token: str, *, orders: RateLimit, reads: RateLimit) -> None:
        self._token = token
        self._orders = orders
        self._reads = reads

    def check(self, request: web.Request) -> None:
        """Refuse what does not come from this user, or too often.

        Raises:
            Refusal: with the status that fits and the remedy.
            HTTPException: there is no such path or method.
        """
        _check_sender(request)
        if not request.path.startswith("/api/"):
            return
        # What is no text stays the bytes that were sent, so that no token makes this fail.
        given = token_of(request).encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._token.encode()):
            raise refusal(
                401,
                "no-token",
                "The token is missing or wrong",
                "everything below /api/ wants the token of the avatar that runs",
                "send Authorization: Bearer TOKEN; the token is made anew at each start",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if request.match_info.http_exception is not None:
            raise request.match_info.http_exception
        if request.method in _READS:
            self._reads.take()
            return
        # A form on another site can send text, but neither JSON nor a picture nor a DELETE, without
        # being asked.
        takes_drawing = request.path == DRAWING_PATH and request.content_type in DRAWING_TYPES
        harmless = takes_drawing or request.content_type == "application/json"
        if request.method != "DELETE" and not harmless:
            raise refusal(
                415,
                "no-json-announced",
                "The body is not announced as JSON",
                f"Content-Type is {request.content_type[:60]}",
                "send Content-Type: application/json",
            )
        self._orders.take()

    def middleware(self) -> Middleware:
        """Return what aiohttp runs around every handler."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.check(request)
            return await handler(request)

        return guarded


def _check_sender(request: web.Request) -> None:
    socket = request.transport.get_extra_info("sockname") if request.transport else None
    own_names = {f"{host}:{socket[1]}" for host in ("127.0.0.1", "localhost")} if socket else ()
    if request.host not in own_names:
        raise refusal(
            403,
            "foreign-host",
            _FOREIGN,
            "this server answers to its loopback address only",
            "ask http://127.0.0.1 and its port, from this computer",
        )
    if request.headers.get("Origin", f"http://{request.host}") != f"http://{request.host}":
        raise refusal(
            403,
            "foreign-origin",
            _FOREIGN,
            "pages of other sites are refused",
            "ask from vtbridge's own page, or from a program that sends no Origin",
        )
