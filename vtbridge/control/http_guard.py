"""Who may talk to the control server: this machine's user, through this page or with the token.

A web page elsewhere can make a browser send requests to loopback, also under a name
that it points there (DNS rebinding). So Host must be this server's own, a foreign
Origin is refused, and everything but the static page wants the token.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from vtbridge.clock import NS_PER_S, Clock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WEBSOCKET_PROTOCOL = "vtbridge.preview"
_TOKEN_PROTOCOL = "token."  # noqa: S105 - a prefix, no secret
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'self'; "
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:*"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


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
        clock: of the rate limit.
        commands_per_s: commands let through in any second.
    """

    def __init__(self, token: str, clock: Clock, *, commands_per_s: int = 10) -> None:
        self._token = token
        self._clock = clock
        self._recent_ns: deque[int] = deque(maxlen=commands_per_s)

    def check(self, request: web.Request) -> None:
        """Refuse what does not come from this user.

        Raises:
            HTTPException: with the status that fits and a sentence.
        """
        socket = request.transport.get_extra_info("sockname") if request.transport else None
        own_names = {f"{host}:{socket[1]}" for host in ("127.0.0.1", "localhost")} if socket else ()
        if request.host not in own_names:
            raise web.HTTPForbidden(text="this server answers to its loopback address only\n")
        if request.headers.get("Origin", f"http://{request.host}") != f"http://{request.host}":
            raise web.HTTPForbidden(text="requests from other sites are refused\n")
        if not request.path.startswith("/api/"):
            return
        if not hmac.compare_digest(token_of(request).encode(), self._token.encode()):
            raise web.HTTPUnauthorized(text="the token is missing or wrong\n")
        if request.method != "GET":
            self._check_command(request)

    def _check_command(self, request: web.Request) -> None:
        # A form on another site can send text, but not JSON, without being asked first.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send application/json\n")
        now_ns = self._clock.now_ns()
        limit = self._recent_ns.maxlen or 0
        if len(self._recent_ns) == limit and now_ns - self._recent_ns[0] < NS_PER_S:
            raise web.HTTPTooManyRequests(text=f"at most {limit} a second\n")
        self._recent_ns.append(now_ns)

    def middleware(self) -> Middleware:
        """Return what aiohttp runs around every handler."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                self.check(request)
                response = await handler(request)
            except web.HTTPException as refusal:
                refusal.headers.update(_SECURITY_HEADERS)
                raise
            if not response.prepared:
                response.headers.update(_SECURITY_HEADERS)
            return response

        return guarded
