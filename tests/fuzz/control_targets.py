"""What programs on this computer and its network order: HTTP, WebSocket, OSC, plugins, poses."""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from aiohttp import web

from tests.fuzz.target import BUDGET_MS, Target, folder, framed, unframed
from tests.support.control_avatar import FakeAvatar
from tests.support.osc_packets import message
from tests.support.vts import Desk, FakePlugin, message_of
from vtbridge.app.character_triggers import character_orders
from vtbridge.clock import ManualClock
from vtbridge.config.schema import Config
from vtbridge.control.api.events import SocketLimits, reply_to
from vtbridge.control.api.operation import Operation
from vtbridge.control.api.operations import operations
from vtbridge.control.api.problem import Refusal
from vtbridge.control.osc_control import OscControl
from vtbridge.control.rate_limit import RateLimit
from vtbridge.errors import PacketError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.remote.renderer_link import RendererLink
from vtbridge.remote.tracker_link import TrackerLink
from vtbridge.remote.wire import (
    SHAPES,
    Code,
    Command,
    PoseMessage,
    Report,
    encode_command,
    encode_pose,
    encode_report,
    parse_command,
    parse_pose,
    parse_report,
)
from vtbridge.telemetry import Telemetry

SECRET = bytes(range(32))
ADDRESS = ("127.0.0.1", 50_000)
MANY = 1 << 20


def control_targets() -> list[Target]:
    """Return the targets."""
    return [
        Target("control-http", _http, _bodies, (), budget_ms=BUDGET_MS),
        Target("control-websocket", _websocket, _commands, (), budget_ms=BUDGET_MS),
        Target("control-osc", _osc, _osc_packets, (), budget_ms=BUDGET_MS),
        Target("vts-api", _vts, _vts_messages, (), budget_ms=BUDGET_MS),
        Target("remote-link", _links, _remote_session, (), budget_ms=BUDGET_MS),
        Target("remote-payload", _payload, _payloads, (PacketError,), budget_ms=BUDGET_MS),
    ]


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _orders() -> tuple[Operation, ...]:
    return tuple(one for one in operations(Config) if one.body is not None)


def _http(data: bytes) -> None:
    """Send a body to the request that the first byte chooses."""
    if not data:
        return
    chosen = _orders()[data[0] % len(_orders())]

    async def read() -> bytes:
        return data[1:]

    request: Any = SimpleNamespace(
        read=read,
        match_info={"name": "smile"},
        query={},
        headers={},
        content_length=len(data) - 1,
        content_type="application/json",
    )
    with contextlib.suppress(Refusal, web.HTTPException):
        _loop().run_until_complete(chosen.run(FakeAvatar(), request))


def _bodies() -> list[bytes]:
    texts = [
        *('{"name": "smile"}', '{"quality": "fast"}', '{"action": "toggle"}', "{}"),
        *('{"avatar": {"fps": 30}}', '{"values": {"head_x": 0.5}}', '{"pose": {"head_x": 0.5}}'),
        '{"values": {"mouth_aaa": 1}, "fade_in_s": 0.1, "when": "jawOpen > 0.5"}',
    ]
    return [
        bytes([number]) + text.encode() for number in range(len(_orders())) for text in texts[:8]
    ]


def _websocket(data: bytes) -> None:
    clock = ManualClock()
    limits = SocketLimits(RateLimit("messages", MANY, clock), RateLimit("orders", MANY, clock))
    text = data.decode("utf-8", "replace")
    reply = _loop().run_until_complete(reply_to(FakeAvatar(), text, limits, "fuzz"))
    reply.model_dump_json()


def _commands() -> list[bytes]:
    return [
        json.dumps({"id": 1, "command": command, **more}).encode()
        for command, more in (
            *(("expression", {"name": "smile", "action": "on"}), ("clear-expressions", {})),
            *(("calibrate", {}), ("quality", {"quality": "fast"}), ("release-pose", {})),
            *(("pose", {"pose": {"head_x": 0.5}}), ("character", {"name": "michi"})),
            *(("status", {}),),
        )
    ]


def _osc(data: bytes) -> None:
    shown: list[str] = []

    def switch(name: str, on: bool | None) -> None:
        if name != "smile":
            raise KeyError(name)
        assert on in (True, False, None)

    control = OscControl(
        {"/vtbridge/calibrate": lambda: None},
        Telemetry(),
        switches={"/vtbridge/expression/": switch},
        listeners={"/vtbridge/character": character_orders(shown.append)},
    )
    control.datagram_received(data, ADDRESS)


def _osc_packets() -> list[bytes]:
    return [
        message("/vtbridge/calibrate"),
        message("/vtbridge/expression/smile", 1.0),
        message("/vtbridge/character", "michi"),
    ]


def _vts(data: bytes) -> None:
    """Send lines as a plugin that is allowed, and as a stranger."""
    desk = _fresh_desk()
    for plugin in (desk.plugin(), desk.stranger()):
        for line in data.split(b"\n")[:8]:
            answer = plugin.send(line.decode("utf-8", "replace"))
            assert isinstance(answer["data"], dict)
            assert isinstance(answer["requestID"], str)
        _look(desk, plugin)


def _fresh_desk() -> Desk:
    (folder() / "plugins.json").unlink(missing_ok=True)
    return Desk(folder())


def _look(desk: Desk, plugin: FakePlugin) -> None:
    desk.clock.advance(0.2)
    desk.events.look()
    desk.faces.fill()
    plugin.told()


def _vts_messages() -> list[bytes]:
    parameters = {
        "faceFound": True,
        "mode": "set",
        "parameterValues": [{"id": "MouthOpen", "value": 0.5, "weight": 1}],
    }
    asked: list[tuple[str, dict[str, object]]] = [
        ("APIState", {}),
        ("Statistics", {}),
        ("CurrentModel", {}),
        ("HotkeysInCurrentModel", {}),
        ("HotkeyTrigger", {"hotkeyID": "smile"}),
        ("ExpressionActivation", {"expressionFile": "smile.exp3.json", "active": True}),
        (
            "ParameterCreation",
            {"parameterName": "MyParam", "min": 0, "max": 1, "defaultValue": 0.5},
        ),
        ("InjectParameterData", parameters),
        ("EventSubscription", {"eventName": "TestEvent", "subscribe": True, "config": {}}),
        ("MoveModel", {"timeInSeconds": 0.2, "positionX": 0.1}),
    ]
    return [message_of(kind, data).encode() for kind, data in asked]


def _counted(size: int) -> bytes:
    """Return what both ends take for random: an input always gives the same."""
    return bytes(range(1, size + 1))


def _links(data: bytes) -> None:
    """Give both ends of the wire, in a session with each other, what a stranger sends."""
    renderer, tracker = RendererLink(SECRET, random=_counted), TrackerLink(SECRET, random=_counted)
    now_ns = 10**9
    for hello in tracker.due(now_ns):
        reply = renderer.take(hello, ADDRESS, now_ns).reply
        if reply is not None:
            tracker.take(reply, now_ns)
    for datagram in unframed(data)[:16]:
        now_ns += 10**7
        with contextlib.suppress(PacketError):
            renderer.take(datagram, ADDRESS, now_ns)
        with contextlib.suppress(PacketError):
            tracker.take(datagram, now_ns)
        renderer.due(now_ns)


def _message(taken: int = 0) -> PoseMessage:
    values = np.zeros(POSE_SIZE, np.float32)
    return PoseMessage(values, 1.0, True, 5, np.ones(POSE_SIZE, np.float32), (0.5,) * SHAPES, taken)


def _remote_session() -> list[bytes]:
    renderer, tracker = RendererLink(SECRET, random=_counted), TrackerLink(SECRET, random=_counted)
    sent = tracker.due(10**9)
    reply = renderer.take(sent[0], ADDRESS, 10**9).reply
    assert reply is not None
    tracker.take(reply, 10**9)
    pose = tracker.pose(_message, 2 * 10**9)
    assert pose is not None
    return [framed([*sent, reply, pose, *renderer.due(3 * 10**9)])]


def _payload(data: bytes) -> None:
    """Parse what a signed message carries: whoever has the key may still be out of order."""
    if data:
        (parse_pose, parse_report, parse_command)[data[0] % 3](data[1:])


def _payloads() -> list[bytes]:
    return [
        b"\0" + encode_pose(_message()),
        b"\1" + encode_report(Report(3, 17, 12)),
        b"\2" + encode_command(3, Command(Code.SWITCH, "smile", on=True)),
    ]
