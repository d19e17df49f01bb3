"""The settings say which port takes which protocol, and from whom."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from pydantic import ValidationError

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.fusion import Fusion
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow, Wire
from vtbridge.tracking.receivers import inputs as inputs_module
from vtbridge.tracking.receivers.inputs import FusedFaces, Inputs, open_inputs
from vtbridge.tracking.receivers.port_holder import PortHolder
from vtbridge.tracking.receivers.ports import allowed, listeners, reaches_lan, streams
from vtbridge.tracking.receivers.streams import accepting_ports
from vtbridge.tracking.receivers.udp import ANY_ADDRESS, LOOPBACK
from vtbridge.tracking.settings import FusionSettings, TrackingSettings
from vtbridge.tracking.source_status import SourceState, SourceStatus

T0 = NS_PER_S
OSC = {row.name for row in PROTOCOLS if row.wire is Wire.OSC}


def settings(**tables: Any) -> TrackingSettings:
    return TrackingSettings.model_validate(tables)


def test_each_port_is_opened_once_and_each_protocol_has_a_home() -> None:
    opened = listeners(TrackingSettings())
    assert len({listener.port for listener in opened}) == len(opened)
    homes = [row.name for listener in opened for row in listener.homes]
    assert sorted(homes) == sorted(row.name for row in PROTOCOLS)


def test_port_of_one_osc_protocol_takes_them_all() -> None:
    for listener in listeners(TrackingSettings()):
        taken = {row.name for row in listener.rows}
        assert len(taken) == len(listener.rows)
        assert taken & OSC in (OSC, set())


def test_protocols_set_to_one_port_share_it() -> None:
    chosen = settings(vmc={"port": 5000}, ifacialmocap={"port": 5000})
    (shared,) = (listener for listener in listeners(chosen) if listener.port == 5000)
    assert {row.name for row in shared.homes} >= {"vmc", "ifacialmocap"}


def test_input_that_is_off_is_nowhere() -> None:
    for listener in listeners(settings(vmc={"enabled": False})):
        assert "vmc" not in {row.name for row in listener.rows}


def test_named_phone_opens_the_lan_for_itself_and_nobody_else() -> None:
    chosen = settings(
        vmc={"port": 49983}, ifacialmocap={"phone": "192.168.1.20"}, allow=["10.0.0.0/8"]
    )
    (shared,) = (listener for listener in listeners(chosen) if listener.port == 49983)
    assert shared.host == ANY_ADDRESS
    rows = {row.name: row for row in shared.rows}
    assert reaches_lan(rows["ifacialmocap"], chosen)
    assert allowed(rows["ifacialmocap"], chosen) == (IPv4Network("192.168.1.20"),)
    assert not reaches_lan(rows["vmc"], chosen)
    assert IPv4Network("10.0.0.0/8") in allowed(rows["vmc"], chosen)


@pytest.mark.parametrize("lan", [False, True])
def test_allow_list_shuts_out_no_program_on_this_computer(lan: bool) -> None:
    chosen = settings(lan=lan, allow=["192.168.1.0/24"])
    networks = allowed(PROTOCOLS[0], chosen)
    assert any(IPv4Address("127.0.0.1") in network for network in networks)
    assert not any(IPv4Address("192.168.2.1") in network for network in networks)
    assert allowed(PROTOCOLS[0], settings(lan=lan)) == (), "anyone"


@pytest.mark.parametrize("name", ["webcan", "Vmc", "", ":0", "ifacialmocap 192.168.1.20"])
def test_tracker_that_is_none_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is no tracker; .*openseeface.*webcam"):
        settings(fusion={"mouth": ["vmc", name]})


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row.name)
def test_every_tracker_can_be_ranked(row: ProtocolRow) -> None:
    names = [row.name, f"{row.name}:192.168.1.20", "webcam:me.mp4", "microphone"]
    assert settings(fusion={"head": names}).fusion.head == tuple(names)


def test_phone_that_is_this_computer_opens_no_lan() -> None:
    chosen = settings(ifacialmocap={"phone": "127.0.0.1"})
    (shared,) = (each for each in listeners(chosen) if each.port == 49983)
    assert shared.host == LOOPBACK


@pytest.mark.parametrize(("lan", "host"), [(False, LOOPBACK), (True, ANY_ADDRESS)])
def test_only_the_settings_open_the_lan(lan: bool, host: str) -> None:
    assert {listener.host for listener in listeners(settings(lan=lan))} == {host}


@pytest.mark.parametrize("protocol", ["ifacialmocap", "fmv3"])
def test_tcp_leaves_the_udp_port(protocol: str) -> None:
    chosen = settings(**{protocol: {"transport": "tcp", "phone": "192.168.1.20"}})
    assert [row.name for row in streams(chosen)] == [protocol]
    assert protocol not in {row.name for each in listeners(chosen) for row in each.rows}


def test_phone_that_must_be_asked_to_connect_must_be_named() -> None:
    with pytest.raises(ValidationError, match="tcp needs `phone`"):
        settings(ifacialmocap={"transport": "tcp"})


@pytest.mark.parametrize(
    ("phone", "lan", "found"),
    [
        ({}, False, {"fmv3": (LOOPBACK, 5000)}),
        ({}, True, {"fmv3": (ANY_ADDRESS, 5000)}),
        ({"phone": "192.168.1.20"}, True, {}),
    ],
)
def test_stream_that_is_started_on_the_phone_is_waited_for(
    phone: dict[str, str], lan: bool, found: dict[str, tuple[str, int]]
) -> None:
    chosen = settings(fmv3={"transport": "tcp", "listen_port": 5000, **phone}, lan=lan)
    assert accepting_ports(chosen) == found


class Idle(ThreadService):
    def serve(self) -> None:
        """Do nothing."""


class Listening:
    """A tap that keeps what it was told."""

    def __init__(self) -> None:
        self.faces: list[FaceFrame] = []

    def datagram(self, source: str, data: bytes, t_ns: int, *, fresh: bool = False) -> None:
        raise AssertionError("no datagram was sent")

    def face(self, face: FaceFrame) -> None:
        self.faces.append(face)


def test_local_face_is_tapped_as_it_came_and_shown_fused() -> None:
    slot: LatestSlot[FaceFrame] = LatestSlot()
    tap = Listening()
    faces = FusedFaces(slot, Fusion(FusionSettings(), NS_PER_S, Telemetry()))
    inputs = Inputs(faces, tap)
    face = FaceFrame(T0, "webcam:0", blendshapes={"jawOpen": 0.5})
    voice = FaceFrame(T0 + 1, "microphone:default", presets={"aa": 1.0})
    inputs.offer_local(face)
    inputs.offer_local(voice)
    assert tap.faces == [face, voice]
    newest = slot.peek()
    assert newest is not None
    assert newest.value.source == "webcam:0"
    assert newest.value.blendshapes["mouthLowerDownLeft"] == 0.5
    assert inputs.movers() == {"mouth": "webcam:0"}


def test_sources_are_told_in_the_order_of_the_inputs() -> None:
    inputs = Inputs()
    told = [SourceStatus(name, name, "", SourceState.WAITING) for name in ("a", "b", "c")]
    inputs.add(Idle("one"), lambda: told[:2])
    inputs.add(Idle("two"))
    inputs.add_absent(told[2])
    assert inputs.status() == told
    assert [service.name for service in inputs.services] == ["one", "two"]


def test_every_protocol_has_a_table_of_its_own_name() -> None:
    settings = TrackingSettings()
    for row in PROTOCOLS:
        assert row.settings(settings) is getattr(settings, row.name)
        protocol = row.create(settings)
        assert protocol.name == row.name


def test_only_a_named_phone_is_greeted() -> None:
    silent = TrackingSettings.model_validate({})
    named = TrackingSettings.model_validate(
        {"ifacialmocap": {"phone": "192.168.1.20", "version": "v1"}}
    )
    row = next(row for row in PROTOCOLS if row.name == "ifacialmocap")
    assert row.create(silent).greeting(T0) is None
    greeting = row.create(named).greeting(T0)
    assert greeting is not None
    assert (greeting.host, greeting.port) == ("192.168.1.20", 49983)
    assert b"v2" not in greeting.data


@pytest.fixture
def held() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        yield sock


def only_vmc_at(port: int) -> TrackingSettings:
    tables = {row.name: {"enabled": False} for row in PROTOCOLS}
    return settings(**(tables | {"vmc": {"port": port}}))


def test_trackers_command_gets_time_to_let_the_ports_go(
    held: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, clock = held.getsockname()[1], ManualClock()
    trackers = PortHolder(7, "python3", "trackers")

    def holders(ports: Collection[int]) -> dict[int, PortHolder]:
        if clock.now_ns() < 2 * NS_PER_S:  # it started at one
            return dict.fromkeys(ports, trackers)
        held.close()
        return {}

    monkeypatch.setattr(inputs_module, "holders_of_ports", holders)
    inputs = open_inputs(only_vmc_at(port), LatestSlot(), Telemetry(), clock)
    assert [status.state for status in inputs.status()] == [SourceState.WAITING]
    assert all(service.stop() for service in inputs.services)


@pytest.mark.parametrize(("command", "waited_s"), [("trackers", 2.0), ("record", 0.0), (None, 0.0)])
def test_who_keeps_the_ports_is_named(
    held: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    command: str | None,
    waited_s: float,
) -> None:
    port, clock = held.getsockname()[1], ManualClock()
    holder = PortHolder(7, "VSeeFace.exe", command)
    monkeypatch.setattr(
        inputs_module, "holders_of_ports", lambda ports: dict.fromkeys(ports, holder)
    )
    with pytest.raises(PortInUse) as refused:
        open_inputs(only_vmc_at(port), LatestSlot(), Telemetry(), clock)
    assert str(refused.value).startswith(f"UDP port {port} is taken by {holder}: ")
    assert clock.now_ns() == NS_PER_S + round(waited_s * NS_PER_S)


def test_ports_that_one_program_keeps_are_told_in_one_line(
    held: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        second.bind((LOOPBACK, 0))
        ports = [sock.getsockname()[1] for sock in (held, second)]
        tables = {row.name: {"enabled": False} for row in PROTOCOLS}
        tables |= {"vmc": {"port": ports[0]}, "livelink": {"port": ports[1]}}
        holder = PortHolder(7, "python3", "run")
        monkeypatch.setattr(
            inputs_module, "holders_of_ports", lambda ports: dict.fromkeys(ports, holder)
        )
        chosen = settings(**tables, microphone={"enabled": True})  # works without any port
        with caplog.at_level(logging.WARNING):
            telemetry = Telemetry()
            inputs = open_inputs(chosen, LatestSlot(), telemetry, ManualClock())
            for service in inputs.services:
                service.start()
            deadline_s = time.monotonic() + 20
            while telemetry.counters().get("tracking.socket_errors", 0) < 2:  # each tried again
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
            assert all(service.stop() for service in inputs.services)
    (warning,) = caplog.messages
    assert warning == (
        f"UDP ports {ports[0]}, {ports[1]} are taken by `vtbridge run` (pid 7): end it "
        "(tried again in the background)"
    )
    assert [status.state for status in inputs.status()] == [SourceState.BLOCKED] * 2
