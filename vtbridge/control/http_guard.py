"""Who may talk to the control server: this machine's user, through this page or with the token.

A web page elsewhere can make a browser send requests to loopback, also under a name
that it points there (DNS rebinding). So Host must be loopback, a foreign Origin is
refused, and everything but the static page wants the token.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Awaitable, Callable

from aiohttp import web

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


def guard(token: str, clock: Clock, *, commands_per_s: int = 10) -> Callable[..., object]:
    """Return the middleware that lets only the user's own requests through."""
    recent: deque[int] = deque(maxlen=commands_per_s)

    def is_loopback(netloc: str) -> bool:
        host = netloc.rpartition(":")[0] if ":" in netloc.rpartition("]")[2] else netloc
        return host in {"127.0.0.1", "localhost", "[::1]"}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_loopback(request.host):
            raise web.HTTPForbidden(text="this server answers to loopback names only\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="requests from other sites are refused\n")
        if request.path.startswith("/api/"):
            if not hmac.compare_digest(token_of(request).encode(), token.encode()):
                raise web.HTTPUnauthorized(text="the token is missing or wrong\n")
            if request.method != "GET":
                now_ns = clock.now_ns()
                if len(recent) == commands_per_s and now_ns - recent[0] < NS_PER_S:
                    raise web.HTTPTooManyRequests(text=f"at most {commands_per_s} a second\n")
                recent.append(now_ns)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_SECURITY_HEADERS)
        return response

    return middleware
