"""Be found by VRCFaceTracking as a VRChat whose avatar wants every face parameter.

VRCFaceTracking sends only what the avatar declares. It looks for VRChat by mDNS
(``_oscjson._tcp``), reads the avatar's parameters there over HTTP (OSCQuery), and sends
them to the OSC port of its own settings (9000). It takes for VRChat what is named so and
answers from an address of its own computer, and it does not listen on loopback. So, as
VRChat does, the announcement goes out on this computer's networks while it names the
address 127.0.0.1, where alone the HTTP server can be reached.

The server answers GET with its own constant JSON and does nothing else.

Source: the OSCQuery proposal (Vidvox); VRChat's OSCQuery page (vrchat-community/osc);
MulticastDnsService and OscQueryConfigParser of benaclejames/VRCFaceTracking.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

import psutil
from zeroconf import (  # type: ignore[attr-defined]  # exported, but not all marked so
    DNSOutgoing,
    DNSQuestion,
    Error,
    IPVersion,
    ServiceInfo,
    Zeroconf,
)

from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.tracking.protocols.vrcft import NAMESPACE, VERSION, WANTED, WANTED_FLAGS

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
HTTP_SERVICE = "_oscjson._tcp.local."
OSC_SERVICE = "_osc._udp.local."
NAME_PREFIX = "VRChat-Client-"
"""How VRCFaceTracking knows a VRChat among the OSCQuery services."""
AVATAR_ID = "avtr_vtbridge"

_DNS_QUERY, _DNS_PTR, _DNS_INTERNET = 0, 12, 1
_LONGEST_LABEL = 63 - len("-99")  # room for the number that tells two of a name apart
_MOST_CONNECTIONS = 8
_CONNECTION_TIMEOUT_S = 2.0
_POLL_S = 0.2
_READ_ONLY, _WRITE_ONLY, _READ_WRITE = 1, 2, 3
_ATTRIBUTES = frozenset({"FULL_PATH", "ACCESS", "CONTENTS", "TYPE", "VALUE", "DESCRIPTION"})

Node: TypeAlias = "dict[str, object]"


def avatar_tree() -> Node:
    """Return the OSCQuery tree of an avatar with every parameter that ``VrcftProtocol`` reads."""
    root: Node = {"DESCRIPTION": "root node", "FULL_PATH": "/", "ACCESS": 0, "CONTENTS": {}}
    _add(root, "/avatar/change", "s", _READ_ONLY, AVATAR_ID)
    for name in WANTED:
        _add(root, f"{NAMESPACE}{VERSION}{name}", "f", _READ_WRITE, 0.0)
    for name in WANTED_FLAGS:
        _add(root, f"{NAMESPACE}{name}", "T", _READ_WRITE, False)
    return root


def _add(root: Node, path: str, osc_type: str, access: int, value: object) -> None:
    node = root
    for depth, name in enumerate(names := path.strip("/").split("/"), start=1):
        contents = node.setdefault("CONTENTS", {})
        assert isinstance(contents, dict)  # noqa: S101 - built here, a few lines above
        full_path = "/" + "/".join(names[:depth])
        node = contents.setdefault(name, {"FULL_PATH": full_path, "ACCESS": 0})
    node |= {"TYPE": osc_type, "ACCESS": access, "VALUE": [value]}


class OscQueryHost(ThreadService):
    """Announce a VRChat and answer its OSCQuery requests until stopped.

    A VRChat that runs on the same computer is the rival of this one: VRCFaceTracking
    takes whichever answers.

    Args:
        osc_port: UDP port on which the face parameters are received.
        host: address of this computer at which the HTTP server listens; ``0.0.0.0`` means
            loopback, for VRCFaceTracking turns to its own computer only.
        name: what follows ``VRChat-Client-`` in the announced name.
        announce_on: addresses of this computer on whose networks to announce; by default
            ``host``'s own, or all of this computer's where ``host`` is loopback.

    Attributes:
        http_port: TCP port of the HTTP server, 0 before ``bind``.
    """

    def __init__(
        self,
        osc_port: int,
        *,
        host: str = LOOPBACK,
        name: str = "vtbridge",
        announce_on: Sequence[str] | None = None,
    ) -> None:
        super().__init__("oscquery")
        self.osc_port = osc_port
        self.host = LOOPBACK if IPv4Address(host).is_unspecified else host
        self.http_port = 0
        self.instance = _label(NAME_PREFIX + name)
        self._announce_on = announce_on
        self._server: _JsonServer | None = None
        self._announcing: Future[None] | None = None

    def bind(self) -> None:
        """Take a free TCP port; ``serve`` does it otherwise.

        Raises:
            VtbridgeError: ``host`` is no address of this computer.
        """
        if self._server is not None:
            return
        answers = answers_for(avatar_tree(), self.host_info())
        try:
            self._server = _JsonServer(self.host, answers)
        except OSError as error:
            raise VtbridgeError(
                f"cannot listen on {self.host} for OSCQuery ({error.strerror}); use 127.0.0.1 or "
                "an address of this computer"
            ) from error
        self.http_port = self._server.server_port

    def host_info(self) -> Node:
        """Return the answer to ``?HOST_INFO``."""
        return {
            "NAME": self.instance,
            "OSC_IP": self.host,
            "OSC_PORT": self.osc_port,
            "OSC_TRANSPORT": "UDP",
            "EXTENSIONS": {
                "ACCESS": True,
                "CLIPMODE": False,
                "RANGE": False,
                "TYPE": True,
                "VALUE": True,
            },
        }

    def services(self) -> tuple[ServiceInfo, ServiceInfo]:
        """Return what is announced; the port of the first is known after ``bind``."""
        address = IPv4Address(self.host).packed
        return (
            _service(HTTP_SERVICE, self.instance, self.http_port, address),
            _service(OSC_SERVICE, self.instance, self.osc_port, address),
        )

    def serve(self) -> None:
        """Announce and answer until stopped; without mDNS, answer those who know the port."""
        self.bind()
        server = self._server
        assert server is not None  # noqa: S101 - bind made it or raised
        # Announcing takes seconds, and who hears of it asks at once.
        answering = threading.Thread(
            target=server.serve_forever, args=(_POLL_S,), name=f"{self.name}-http", daemon=True
        )
        answering.start()
        announcer: Zeroconf | None = None
        try:
            announcer = self._announce()
            self.stopping.wait()
        finally:
            if announcer is not None:
                announcer.close()  # says goodbye for its services first
            server.shutdown()
            server.server_close()

    def interrupt(self) -> None:
        """Leave off announcing, which waits seconds for objections."""
        announcing = self._announcing
        if announcing is not None:
            announcing.cancel()

    def stop(self, *, timeout_s: float = 5.0) -> bool:
        """Ask the thread to end, take the announcement back and return whether it did in time."""
        stopped = super().stop(timeout_s=timeout_s)
        if stopped and self._server is not None:
            self._server.server_close()  # a host that was bound but never started
        return stopped

    def _announce(self) -> Zeroconf | None:
        interfaces = list(self._announce_on or networks_of(self.host))
        announcer: Zeroconf | None = None
        try:
            announcer = Zeroconf(interfaces=interfaces, ip_version=IPVersion.V4Only)
            self._register(announcer)
            _ask(announcer)
        except (OSError, Error, CancelledError) as error:
            if not isinstance(error, CancelledError):
                log.warning(
                    "cannot announce OSCQuery on %s (%s): VRCFaceTracking will not find vtbridge "
                    "by itself; is multicast (UDP 5353) allowed there?",
                    ", ".join(interfaces),
                    error,
                )
            if announcer is not None:
                announcer.close()
            return None
        log.info("announced %s on %s", self.instance, ", ".join(interfaces))
        return announcer

    def _register(self, announcer: Zeroconf) -> None:
        """Announce both services, side by side.

        Raises:
            CancelledError: the host was stopped meanwhile.
            OSError: the network takes no multicast.
            Error: the services cannot be announced for another reason.
        """
        assert announcer.loop is not None  # noqa: S101 - it made one, outside of any other
        self._announcing = asyncio.run_coroutine_threadsafe(
            _registered(announcer, self.services()), announcer.loop
        )
        if self.stopping.is_set():  # before there was anything to interrupt
            self._announcing.cancel()
        self._announcing.result()


def networks_of(host: str) -> list[str]:
    """Return this computer's IPv4 addresses on whose networks ``host`` is to be announced."""
    if not IPv4Address(host).is_loopback:
        return [host]
    addresses = [
        address.address
        for name, interface in psutil.net_if_stats().items()
        if interface.isup
        for address in psutil.net_if_addrs().get(name, ())
        if address.family is socket.AF_INET
    ]
    return list(dict.fromkeys([host, *addresses]))


def _label(text: str) -> str:
    """Return ``text`` as one label of a name: without dots, of 63 bytes at most."""
    return text.replace(".", "-").encode()[:_LONGEST_LABEL].decode(errors="ignore")


def _service(kind: str, instance: str, port: int, address: bytes) -> ServiceInfo:
    return ServiceInfo(
        kind,
        f"{instance}.{kind}",
        port=port,
        addresses=[address],
        properties={"txtvers": "1"},
        server=f"{instance}.local.",
    )


async def _registered(announcer: Zeroconf, services: Sequence[ServiceInfo]) -> None:
    announced = await asyncio.gather(
        *(announcer.async_register_service(each, allow_name_change=True) for each in services)
    )
    await asyncio.gather(*announced)


def _ask(announcer: Zeroconf) -> None:
    """Ask for OSCQuery services, so that the answer is heard by who asked before we were here.

    VRCFaceTracking asks once, when it starts, and does not read unasked announcements,
    which hold their address and port elsewhere.
    """
    query = DNSOutgoing(_DNS_QUERY)
    query.add_question(DNSQuestion(HTTP_SERVICE, _DNS_PTR, _DNS_INTERNET))
    announcer.send(query)


def answers_for(tree: Node, host_info: Node) -> Mapping[str, bytes]:
    """Return the JSON for every path of ``tree``, and for ``?HOST_INFO`` at any of them."""
    answers = {"?HOST_INFO": _json(host_info)}
    for node in _walk(tree):
        path = str(node["FULL_PATH"])
        answers[path] = _json(node)
        for attribute in _ATTRIBUTES & node.keys():
            answers[f"{path}?{attribute}"] = _json({attribute: node[attribute]})
    return answers


def _walk(node: Node) -> Iterator[Node]:
    yield node
    contents = node.get("CONTENTS")
    if isinstance(contents, dict):
        for child in contents.values():
            yield from _walk(child)


def _json(value: Node) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class _JsonServer(ThreadingHTTPServer):
    """Answer from a table, a few connections at a time, each for a short while."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, answers: Mapping[str, bytes]) -> None:
        self.answers = answers
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__((host, 0), _JsonHandler)

    def process_request(self, request: object, client_address: object) -> None:
        """Serve on a thread of its own, or hang up if too many are being served."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave it at a line in the log: whoever hung up needs no traceback."""
        log.debug("OSCQuery request of %s failed", client_address, exc_info=True)


class _JsonHandler(BaseHTTPRequestHandler):
    """One GET, one answer, one connection."""

    timeout = _CONNECTION_TIMEOUT_S
    server_version = "vtbridge"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a path, or one attribute of it."""
        url = urlsplit(self.path)
        path = unquote(url.path).rstrip("/") or "/"
        answers = self._answers()
        if url.query == "HOST_INFO":
            self._send(HTTPStatus.OK, answers["?HOST_INFO"])
        elif path not in answers:
            self._send(HTTPStatus.NOT_FOUND)
        elif not url.query:
            self._send(HTTPStatus.OK, answers[path])
        elif url.query not in _ATTRIBUTES:
            self._send(HTTPStatus.BAD_REQUEST)
        else:  # the proposal wants "no content" for what a node does not have
            body = answers.get(f"{path}?{url.query}")
            self._send(HTTPStatus.NO_CONTENT if body is None else HTTPStatus.OK, body or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log requests for debugging only."""
        log.debug("OSCQuery: " + format, *args)

    def _answers(self) -> Mapping[str, bytes]:
        assert isinstance(self.server, _JsonServer)  # noqa: S101 - nobody else makes one
        return self.server.answers

    def _send(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Pragma", "no-cache")
        self.end_headers()
        self.wfile.write(body)
