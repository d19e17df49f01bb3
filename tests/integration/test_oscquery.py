"""A real client and a real browser find the host as VRCFaceTracking would; loopback only."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Iterator
from enum import Enum
from typing import Any

import pytest
from zeroconf import (  # type: ignore[attr-defined]  # exported, but not all marked so
    DNSIncoming,
    DNSOutgoing,
    DNSPointer,
    IPVersion,
    ServiceBrowser,
    ServiceInfo,
    ServiceListener,
    Zeroconf,
)

from tests.conftest import skip_loudly
from vtbridge.tracking import oscquery
from vtbridge.tracking.oscquery import HTTP_SERVICE, LOOPBACK, OSC_SERVICE, OscQueryHost

OSC_PORT = 9000
MDNS_GROUP, MDNS_PORT = "224.0.0.251", 5353
PATIENCE_S = 20.0
PATIENCE_MS = 20_000
DNS_PTR, DNS_A, DNS_SRV, DNS_ANY = 12, 1, 33, 255


def mdns_socket() -> socket.socket:
    """Return a socket that hears mDNS on loopback beside whoever else does."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        sock.bind(("", MDNS_PORT))
        membership = socket.inet_aton(MDNS_GROUP) + socket.inet_aton(LOOPBACK)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
    except OSError as error:
        sock.close()
        skip_loudly(f"no multicast on loopback here: {error}")
    sock.settimeout(PATIENCE_S)
    return sock


def stopped(host: OscQueryHost) -> bool:
    return host.stop(timeout_s=PATIENCE_S) and host.failure is None


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Iterator[OscQueryHost]:
    """Return a host of the test's own, its port taken, not started."""
    host = OscQueryHost(OSC_PORT, name=f"test-{request.node.name[5:25]}", announce_on=[LOOPBACK])
    host.bind()
    yield host
    assert stopped(host)


@pytest.fixture(scope="module")
def running() -> Iterator[OscQueryHost]:
    """Return a host that runs, for all the tests that only ask over HTTP."""
    host = OscQueryHost(OSC_PORT, name="test-running", announce_on=[LOOPBACK])
    host.bind()
    host.start()
    yield host
    assert stopped(host)


def get(host: OscQueryHost, path: str, method: str = "GET") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, host.http_port, timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if body.startswith(b"{") else body
    finally:
        connection.close()


def test_avatar_is_read_over_http(running: OscQueryHost) -> None:
    status, info = get(running, "/?HOST_INFO")
    assert (status, info["OSC_IP"], info["OSC_PORT"]) == (200, LOOPBACK, OSC_PORT)
    assert info["NAME"] == running.instance
    status, avatar = get(running, "/avatar")
    assert status == 200
    assert avatar["CONTENTS"]["change"]["VALUE"] == ["avtr_vtbridge"]
    v2 = avatar["CONTENTS"]["parameters"]["CONTENTS"]["v2"]["CONTENTS"]
    assert v2["JawOpen"]["TYPE"] == "f"
    assert v2["Head"]["CONTENTS"]["Yaw"]["FULL_PATH"] == "/avatar/parameters/v2/Head/Yaw"
    assert get(running, "/avatar/parameters/v2/JawOpen?TYPE") == (200, {"TYPE": "f"})
    assert get(running, "/avatar/?ACCESS") == (200, {"ACCESS": 0})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/chatbox", 404),
        ("GET", "/avatar/../../etc/passwd", 404),
        ("GET", "/avatar?COMMAND", 400),
        ("GET", "/avatar?VALUE", 204),
        ("GET", "/" + "x" * 100_000, 414),
        ("POST", "/avatar", 501),
        ("PUT", "/avatar/change", 501),
        ("DELETE", "/avatar", 501),
    ],
)
def test_nothing_else_is_answered(
    running: OscQueryHost, method: str, path: str, status: int
) -> None:
    assert get(running, path, method)[0] == status
    assert get(running, "/?HOST_INFO")[0] == 200


def test_connections_that_say_nothing_are_bounded_and_do_not_last(running: OscQueryHost) -> None:
    idle = [socket.create_connection((LOOPBACK, running.http_port)) for _ in range(20)]
    try:
        for sock in idle:
            sock.settimeout(PATIENCE_S)
            try:
                assert sock.recv(1) == b""  # hung up on, at once or after a short while
            except ConnectionResetError:
                continue
    finally:
        for sock in idle:
            sock.close()
    assert get(running, "/?HOST_INFO")[0] == 200


class Seen(ServiceListener):
    """Remember what came."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.present: set[str] = set()

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        with self.changed:
            self.present.add(name)
            self.changed.notify_all()

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """A renewed announcement changes nothing here."""

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """What goes is heard on the network itself, see ``hear_goodbyes``."""


def hear_goodbyes(sock: socket.socket, names: set[str]) -> None:
    """Wait until every service of ``names`` was taken back.

    Not seen through a browser: the library's own takes a goodbye that is repeated within a
    second for a copy, so an answer that was under way and overtook the first one stays.
    """
    missing = set(names)
    deadline = time.monotonic() + PATIENCE_S
    while missing and time.monotonic() < deadline:
        for record in DNSIncoming(sock.recv(9000)).answers():
            if isinstance(record, DNSPointer) and record.ttl == 0:
                missing.discard(record.alias)
    assert not missing


def test_browser_finds_both_services_which_say_goodbye(host: OscQueryHost) -> None:
    http_name, osc_name = f"{host.instance}.{HTTP_SERVICE}", f"{host.instance}.{OSC_SERVICE}"
    seen = Seen()
    with mdns_socket() as sock:
        browser = Zeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
        try:
            ServiceBrowser(browser, [HTTP_SERVICE, OSC_SERVICE], listener=seen)
            host.start()
            with seen.changed:
                assert seen.changed.wait_for(
                    lambda: {http_name, osc_name} <= seen.present, timeout=PATIENCE_S
                )
            http = browser.get_service_info(HTTP_SERVICE, http_name, timeout=PATIENCE_MS)
            assert http is not None
            assert (http.port, http.parsed_addresses()) == (host.http_port, [LOOPBACK])
            osc = browser.get_service_info(OSC_SERVICE, osc_name, timeout=PATIENCE_MS)
            assert osc is not None
            assert (osc.port, osc.parsed_addresses()) == (OSC_PORT, [LOOPBACK])
        finally:
            browser.close()
        assert stopped(host)
        hear_goodbyes(sock, {http_name, osc_name})


def dns_name(packet: bytes, offset: int) -> tuple[list[str], int]:
    """Return the labels at ``offset``, compression followed, and the offset behind them."""
    labels: list[str] = []
    after = None
    while length := packet[offset]:
        if length >= 0xC0:
            after = after or offset + 2
            offset = struct.unpack_from(">H", packet, offset)[0] & 0x3FFF
            continue
        labels.append(packet[offset + 1 : offset + 1 + length].decode())
        offset += 1 + length
    return labels, after or offset + 1


def vrchat_in(packet: bytes) -> tuple[str, str, int] | None:
    """Return name, address and port if VRCFaceTracking would take ``packet`` for a VRChat's.

    It wants a response whose first answer is the service's pointer to a VRChat-Client,
    and address and port among the additional records.
    """
    _, flags, questions, answers, authorities, additionals = struct.unpack_from(">6H", packet)
    if not flags & 0x8000 or not answers:
        return None
    offset = 12
    for _ in range(questions):
        offset = dns_name(packet, offset)[1] + 4
    instance, address, port = "", "", 0
    for index in range(answers + authorities + additionals):
        name, offset = dns_name(packet, offset)
        kind, _, _, size = struct.unpack_from(">HHIH", packet, offset)
        data, offset = offset + 10, offset + 10 + size
        if index == 0:
            labels = dns_name(packet, data)[0] if kind == DNS_PTR else []
            if name != ["_oscjson", "_tcp", "local"] or len(labels) != 4:
                return None
            instance = labels[0]
        elif index >= answers + authorities:
            if kind == DNS_A and not address:
                address = socket.inet_ntoa(packet[data : data + 4])
            if kind == DNS_SRV and not port:
                port = struct.unpack_from(">H", packet, data + 4)[0]
    found = instance.startswith("VRChat-Client") and address and port
    return (instance, address, port) if found else None


def heard_vrchat(sock: socket.socket, instance: str) -> tuple[str, str, int]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = vrchat_in(sock.recv(9000))
        if found is not None and found[0] == instance:
            return found
    raise AssertionError(f"{instance} was not heard of in {PATIENCE_S:g} s")


def test_program_that_asked_before_we_came_hears_of_us(host: OscQueryHost) -> None:
    with mdns_socket() as sock:
        host.start()
        assert heard_vrchat(sock, host.instance) == (host.instance, LOOPBACK, host.http_port)


def test_program_that_asks_later_is_answered_as_it_wants(host: OscQueryHost) -> None:
    with mdns_socket() as sock:
        host.start()
        heard_vrchat(sock, host.instance)
        question = b"\x08_oscjson\x04_tcp\x05local\0" + struct.pack(">HH", DNS_ANY, 1)
        sock.sendto(struct.pack(">6H", 0, 0, 1, 0, 0, 0) + question, (MDNS_GROUP, MDNS_PORT))
        assert heard_vrchat(sock, host.instance) == (host.instance, LOOPBACK, host.http_port)


class Network(Enum):
    """What becomes of an announcement."""

    GOOD = "good"
    REFUSED = "refused"
    SLOW = "slow"


class FakeAnnouncer:
    """Stands for a Zeroconf: says what it was told to do, on a network of any kind."""

    def __init__(self, network: Network = Network.GOOD) -> None:
        self.done: list[str] = []
        self.asked: list[bytes] = []
        self.ready, self.closed = threading.Event(), threading.Event()
        self.loop = asyncio.new_event_loop()
        self._network = network
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    async def async_register_service(
        self, service: ServiceInfo, *, allow_name_change: bool
    ) -> Awaitable[None]:
        if self._network is not Network.GOOD:
            self.ready.set()
        if self._network is Network.REFUSED:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        if self._network is Network.SLOW:
            await asyncio.Event().wait()
        self.done.append(f"register {service.type}")
        return asyncio.sleep(0)

    def send(self, query: DNSOutgoing) -> None:
        self.done.append("ask")
        self.asked += query.packets()
        self.ready.set()

    def close(self) -> None:
        self.done.append("close")
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop).result(PATIENCE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()
        self.closed.set()

    async def _finish(self) -> None:
        """Let what was cancelled come to its end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)


def test_services_are_announced_asked_for_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    announcer = FakeAnnouncer()
    monkeypatch.setattr(oscquery, "Zeroconf", lambda **options: announcer)
    host = OscQueryHost(OSC_PORT)
    host.start()
    assert announcer.ready.wait(PATIENCE_S)
    assert stopped(host)
    registered = [f"register {HTTP_SERVICE}", f"register {OSC_SERVICE}"]
    assert announcer.done == [*registered, "ask", "close"]
    (query,) = announcer.asked
    assert query.endswith(b"\x08_oscjson\x04_tcp\x05local\0\0\x0c\0\x01")


def test_host_that_is_still_announcing_stops_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    announcer = FakeAnnouncer(Network.SLOW)
    monkeypatch.setattr(oscquery, "Zeroconf", lambda **options: announcer)
    host = OscQueryHost(OSC_PORT)
    host.start()
    assert announcer.ready.wait(PATIENCE_S)
    assert stopped(host)
    assert announcer.done == ["close"]
    assert caplog.records == []


def test_host_that_was_stopped_before_it_began_to_announce_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announcer = FakeAnnouncer(Network.SLOW)
    host = OscQueryHost(OSC_PORT)

    def stopped_meanwhile(**options: object) -> FakeAnnouncer:
        host.stop(timeout_s=0)
        return announcer

    monkeypatch.setattr(oscquery, "Zeroconf", stopped_meanwhile)
    host.serve()
    assert announcer.done == ["close"]


def test_without_multicast_http_is_still_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    announcer = FakeAnnouncer(Network.REFUSED)
    monkeypatch.setattr(oscquery, "Zeroconf", lambda **options: announcer)
    host = OscQueryHost(OSC_PORT)
    host.bind()
    host.start()
    assert announcer.closed.wait(PATIENCE_S)
    status, info = get(host, "/?HOST_INFO")
    assert (status, info["OSC_PORT"]) == (200, OSC_PORT)
    assert stopped(host)
    assert announcer.done == ["close"]
    assert "multicast" in caplog.text
