"""What `vtbridge trackers` prints: who sends, what is wrong, and what to type where."""

from __future__ import annotations

import io
import socket
from collections import namedtuple
from typing import Any

import pytest
from rich.console import Console, RenderableType

from vtbridge.app.devices import Device
from vtbridge.app.tracker_guide import OwnAddress, instructions, own_addresses, reach
from vtbridge.app.trackers_view import (
    brief_guide_view,
    devices_view,
    face_view,
    guide_view,
    live_screen,
    sources_view,
    troubles,
)
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


@pytest.mark.parametrize("lan", [False, True])
def test_phone_is_never_sent_to_loopback(lan: bool) -> None:
    told = {i.protocol: i for i in instructions(TrackingSettings(lan=lan), [LAN, LOOPBACK])}
    for row in PROTOCOLS:
        if row.on_phone:
            assert "127.0.0.1" not in told[row.name].text + told[row.name].target, row.name
    for name in ("livelink", "face_cap", "zig_sim", "visage", "fmv3"):
        assert LAN.address in told[name].text
        assert ("(first set lan = true)" in told[name].text) is not lan
    assert told["livelink"].target == f"{LAN.address}:11111" + " (first set lan = true)" * (not lan)
    assert told["vts_phone"].target == "set [tracking.vts_phone] phone"


def test_phone_is_told_what_to_type_also_while_no_network_is_there() -> None:
    told = {i.protocol: i.text for i in instructions(TrackingSettings(), [LOOPBACK])}
    assert "this computer's address" in told["livelink"]


@pytest.mark.parametrize("name", ["vrcft", "openseeface"])
def test_tracker_on_this_computer_is_sent_to_loopback(name: str) -> None:
    told = {i.protocol: i for i in instructions(TrackingSettings(lan=True), [LAN, LOOPBACK])}
    assert "127.0.0.1" in told[name].text
    assert told[name].target.startswith("127.0.0.1:")


def test_announcing_is_advised_only_while_it_is_off() -> None:
    for oscquery in (False, True):
        settings = TrackingSettings.model_validate({"vrcft": {"oscquery": oscquery}})
        told = {i.protocol: i.text for i in instructions(settings, [LAN])}
        assert ("oscquery = true" in told["vrcft"]) is not oscquery


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


@pytest.mark.parametrize("lan", [False, True])
def test_stream_that_is_started_on_the_phone_is_told_with_its_own_port(lan: bool) -> None:
    settings = TrackingSettings.model_validate({"fmv3": {"transport": "tcp"}, "lan": lan})
    told = {i.protocol: i for i in instructions(settings, [LAN, LOOPBACK])}["fmv3"]
    assert "address 192.168.1.5, port 49986 over TCP" in told.text
    assert told.target.startswith("192.168.1.5:49986")
    for text in (told.text, told.target):
        assert ("first set lan = true" in text) is not lan


def test_guide_holds_addresses_and_instructions() -> None:
    view = guide_view(instructions(TrackingSettings(), [LAN]), [LAN, LOOPBACK], "reaching")
    text = printed(view)
    assert text.index("192.168.1.5") < text.index("127.0.0.1") < text.index("reaching")
    for row in PROTOCOLS:
        assert row.title[:20] in text


def face_of_all_shapes(moved: int = 52) -> dict[str, Any]:
    weights = {name: 0.5 if i < moved else 0.0 for i, name in enumerate(ARKIT_NAMES)}
    gaze = Gaze(0.05, 0.0)
    return plain_face(
        FaceFrame(
            NOW_NS,
            "ifacialmocap:192.168.100.200",
            blendshapes=weights,
            head=HeadPose(0.1, -0.2, 0.0),
            left_eye=gaze,
            right_eye=gaze,
        ),
        NOW_NS,
    )


def screen(width: int, height: int, *, moved: int = 52, **snapshot: Any) -> list[str]:
    live = plain(source="ifacialmocap:192.168.100.200", packets=99, fps=59.9, last_ns=NOW_NS)
    waiting = [
        plain(source=row.name, place=f"127.0.0.1:{40000 + i}", state=SourceState.WAITING)
        for i, row in enumerate(PROTOCOLS)
    ]
    shown = {"sources": [live, *waiting], "movers": {}, "face": face_of_all_shapes(moved)}
    told = instructions(TrackingSettings(), [LAN, LOOPBACK])
    guide = brief_guide_view(told, reach(TrackingSettings(), [LAN, LOOPBACK], "config.toml"))
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=False)
    console.print(live_screen(shown | snapshot, "Told by x. Ctrl-C ends.", guide, console))
    return out.getvalue().splitlines()


SIZES = [(80, 24), (100, 30), (120, 30), (120, 40), (200, 50), (60, 20)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_live_screen_fits_the_terminal(width: int, height: int) -> None:
    lines = screen(width, height)
    assert len(lines) <= height
    assert any("ifacialmocap:192.168.100.200" in line and "live" in line for line in lines)
    assert sum("Nothing yet for" in line for line in lines) == 1
    assert not any(line.strip() in {"0.50", "█████"} for line in lines), "a bar was wrapped"


@pytest.mark.parametrize(("width", "height"), [size for size in SIZES if size != (60, 20)])
def test_every_shape_is_shown_where_the_terminal_is_of_a_common_size(
    width: int, height: int
) -> None:
    text = "\n".join(screen(width, height))
    for name in ARKIT_NAMES:
        assert name.replace("Left", "L").replace("Right", "R")[:15] in text


def test_numbers_stand_beside_the_bars_where_there_is_room() -> None:
    assert sum(line.count("0.50") for line in screen(120, 40)) == 52
    assert not any("0.50" in line for line in screen(80, 24))


def test_shapes_at_zero_are_left_out_last_and_counted() -> None:
    lines = screen(60, 20, moved=10)
    text = "\n".join(lines)
    assert len(lines) <= 20
    assert "and 42 smaller ones" in text
    for name in ARKIT_NAMES[:10]:
        assert name.replace("Left", "L").replace("Right", "R")[:15] in text
    assert "tongueOut" not in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 30)])
def test_waiting_screen_has_a_line_for_each_app_and_the_pointer_to_more(
    width: int, height: int
) -> None:
    waiting = [plain(source="vmc", state=SourceState.WAITING)]
    lines = screen(width, height, sources=waiting, face=None)
    assert len(lines) <= height
    text = "\n".join(lines)
    assert "vtbridge trackers --addresses" in text
    assert "192.168.1.5:11111 (first set lan = true)" in text
    for row in PROTOCOLS:
        assert sum(line.startswith(row.title[:10]) for line in lines) >= 1


def test_screen_without_an_avatar_says_so() -> None:
    lines = screen(80, 24, sources=[], face=None)
    assert lines[0].startswith("Told by x")
    assert "No input is enabled" not in "\n".join(lines)


def test_phone_that_is_asked_has_its_own_row() -> None:
    asked = plain(source="vts_phone", state=SourceState.WAITING, asked="192.0.2.77")
    text = printed(sources_view([asked, plain(source="vmc", state=SourceState.WAITING)]))
    assert "asking 192.0.2.77" in next(line for line in text.splitlines() if "vts_phone" in line)
    assert "Nothing yet for: vmc " in text


def test_devices_are_told_with_the_line_to_type() -> None:
    view = devices_view(
        "microphone",
        [Device("USB Mic", "USB Mic", is_default=True), Device("Cam", 3, trouble="it is taken")],
    )
    text = printed(view)
    assert "[tracking.microphone]" in text
    assert 'device = "USB Mic"  USB Mic (default)' in text
    assert "device = 3" in text
    assert "it is taken" in text


def test_absent_devices_are_told_with_the_reason() -> None:
    assert "this computer has no webcam" in printed(devices_view("webcam", []))
    assert "needs PortAudio" in printed(devices_view("microphone", [], "needs PortAudio"))
