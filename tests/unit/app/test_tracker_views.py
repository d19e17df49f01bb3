"""What `vtbridge trackers` prints: who sends, what is wrong, and what to type where."""

from __future__ import annotations

import io
import socket
from collections import namedtuple
from typing import Any

import pytest
from rich.console import Console, RenderableType

from vtbridge.app.tracker_guide import OwnAddress, instructions, own_addresses, reach
from vtbridge.app.trackers_view import face_view, guide_view, sources_view, troubles
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.table import PROTOCOLS
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceState, SourceStatus, plain_face, plain_status

NOW_NS = 10 * NS_PER_S
Address = namedtuple("Address", "family address")
LAN = OwnAddress("192.168.1.5", "wlan0", reaches_phones=True)
LOOPBACK = OwnAddress("127.0.0.1", "this computer", reaches_phones=False)


def printed(view: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(view)
    return out.getvalue()


def plain(**fields: Any) -> dict[str, object]:
    known: dict[str, Any] = {
        "source": "vmc:127.0.0.1",
        "title": "VMC",
        "place": "127.0.0.1:39539",
        "state": SourceState.LIVE,
    }
    return plain_status(SourceStatus(**(known | fields)), NOW_NS, with_face=True)


def test_source_is_told_with_rate_losses_and_refusals() -> None:
    status = plain(
        fps=59.94,
        jitter_ms=1.26,
        packets=1234,
        lost=7,
        rejects={"other sender": 3, "osc start": 1},
        last_ns=NOW_NS - 16_000_000,
    )
    line = next(line for line in printed(sources_view([status])).splitlines() if "vmc" in line)
    for told in ("vmc:127.0.0.1", "port 39539", "live", "59.9", "1.3 ms", "1234", " 7 ", "20 ms"):
        assert told in line
    assert "other sender 3, osc start 1" in line


def test_sources_nobody_uses_take_one_line() -> None:
    waiting = [
        plain(source=name, place=place, state=SourceState.WAITING)
        for name, place in (
            ("fmv3", "127.0.0.1:49983"),
            ("ifacialmocap", "127.0.0.1:49983"),
            ("livelink", "0.0.0.0:11111"),
        )
    ]
    text = printed(sources_view(waiting))
    assert text == "Nothing yet for: fmv3, ifacialmocap (port 49983); livelink (port 11111)\n"


def test_refused_sender_is_shown_although_nothing_good_came() -> None:
    refused = plain(source="vmc", state=SourceState.WAITING, rejects={"not allowed": 9})
    assert "not allowed 9" in printed(sources_view([refused]))


def test_trouble_is_told_once_with_its_remedy() -> None:
    blocked = plain(source="vmc", state=SourceState.BLOCKED, trouble="UDP port 1 is taken; close x")
    assert printed(troubles([blocked, blocked])) == "! UDP port 1 is taken; close x\n"


@pytest.mark.parametrize(("ascii_only", "block"), [(False, "████"), (True, "####")])
def test_each_blendshape_is_a_bar_and_the_head_an_angle(ascii_only: bool, block: str) -> None:
    face = FaceFrame(
        NOW_NS,
        "vmc:127.0.0.1",
        blendshapes=dict.fromkeys(ARKIT_NAMES, 0.0) | {"jawOpen": 0.5},
        head=HeadPose(0.1, -0.2, 0.0),
        left_eye=Gaze(0.05, 0.0),
    )
    view = face_view(
        plain_face(face, NOW_NS),
        {"mouth": "webcam:0", "head": "vmc:127.0.0.1"},
        width=100,
        ascii_only=ascii_only,
    )
    text = printed(view, 100)
    for name in ARKIT_NAMES:
        assert name.replace("Left", "L").replace("Right", "R")[:15] in text
    assert f"{block} " in text
    assert f"{block}{block[0]}" not in text
    assert text.isascii() or not ascii_only or text.replace("°", "").isascii()
    assert "pitch   +5.7°  yaw  -11.5°" in text
    assert "mouth: webcam:0, head: vmc:127.0.0.1" in text


def test_addresses_begin_with_what_a_phone_can_reach() -> None:
    found = own_addresses(
        {
            "lo": [Address(socket.AF_INET, "127.0.0.1")],
            "docker0": [Address(socket.AF_INET, "172.17.0.1")],
            "eth0": [
                Address(socket.AF_INET6, "fe80::1"),
                Address(socket.AF_INET, "8.8.8.8"),
            ],
            "wlan0": [Address(socket.AF_INET, "192.168.1.5")],
            "usb0": [Address(socket.AF_INET, "169.254.3.4")],
        }
    )
    assert found[0] == LAN
    assert found[-1] == LOOPBACK
    assert [own.address for own in found if own.reaches_phones] == ["192.168.1.5", "8.8.8.8"][:1]


def test_each_input_is_told_with_its_port() -> None:
    told = {i.protocol: i.text for i in instructions(TrackingSettings(), [LAN, LOOPBACK])}
    assert set(told) == {row.name for row in PROTOCOLS}
    assert "127.0.0.1" in told["vmc"]
    assert "39539" in told["vmc"]
    assert not any("{" in text for text in told.values())


def test_lan_is_told_where_the_settings_open_it() -> None:
    open_ = TrackingSettings(lan=True)
    told = {i.protocol: i.text for i in instructions(open_, [LAN, LOOPBACK])}
    assert "192.168.1.5" in told["vmc"]
    assert "lan = true" in reach(open_, [LAN], "config.toml")


def test_closed_lan_is_told_with_the_line_to_change() -> None:
    text = reach(TrackingSettings(), [LAN, LOOPBACK], "/home/me/config.toml")
    for told in ("192.168.1.5", "lan = true", "[tracking]", "/home/me/config.toml"):
        assert told in text


@pytest.mark.parametrize(("transport", "way"), [("udp", "UDP port 49983"), ("tcp", "over TCP")])
def test_named_phone_is_told_by_its_address(transport: str, way: str) -> None:
    settings = TrackingSettings.model_validate(
        {"ifacialmocap": {"phone": "192.168.1.20", "transport": transport}}
    )
    told = {i.protocol: i.text for i in instructions(settings, [LAN, LOOPBACK])}
    assert "192.168.1.20" in told["ifacialmocap"]
    assert way in told["ifacialmocap"]


def test_guide_holds_addresses_and_instructions() -> None:
    view = guide_view(instructions(TrackingSettings(), [LAN]), [LAN, LOOPBACK], "reaching")
    text = printed(view)
    assert text.index("192.168.1.5") < text.index("127.0.0.1") < text.index("reaching")
    for row in PROTOCOLS:
        assert row.title[:20] in text
