"""The settings say who listens where: shared ports, taken ones, and the way to the LAN."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from tests.support.daemon import free_udp_port, free_udp_ports
from tests.support.inlet import PATIENCE_S
from tests.support.inputs import settings_for, started, states
from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import open_inputs
from vtbridge.tracking.receivers.udp import ANY_ADDRESS, LOOPBACK
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.source_status import SourceState


def test_inputs_share_one_slot_and_stop_cleanly(sender: socket.socket) -> None:
    ports = free_udp_ports(2)
    slot: LatestSlot[FaceFrame] = LatestSlot()
    with started(open_inputs(settings_for(ports), slot, Telemetry(), MonotonicClock())) as inputs:
        sender.sendto(encode_ifacialmocap(face_at(1.0, 0)), (LOOPBACK, ports[1]))
        first = slot.wait_newer(0, timeout_s=PATIENCE_S)
        assert first is not None
        assert first.value.source == "ifacialmocap:127.0.0.1"
        assert states(inputs) == {"vmc": SourceState.WAITING, "ifacialmocap": SourceState.LIVE}
        sender.sendto(encode_vmc(face_at(1.0, 0))[0], (LOOPBACK, ports[0]))
        assert slot.wait_newer(first.seq, timeout_s=0.3) is None  # the phone has the face
        phone = inputs.status()[1]
        assert phone.place == f"127.0.0.1:{ports[1]}"
        assert phone.packets == 1
        assert phone.face == first.value
    for port in ports:  # free again
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, port))


def test_protocols_that_share_a_port_are_told_apart(
    sender: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_udp_port()
    settings = settings_for([port, port], fusion={"mouth": ["ifacialmocap"]})
    slot: LatestSlot[FaceFrame] = LatestSlot()
    telemetry = Telemetry()
    inputs = open_inputs(settings, slot, telemetry, MonotonicClock())
    assert len(inputs.services) == 1
    with caplog.at_level(logging.WARNING), started(inputs):
        for _ in range(3):
            sender.sendto(encode_vmc(face_at(1.0, 0))[0], (LOOPBACK, port))
            sender.sendto(encode_ifacialmocap(face_at(2.0, 0)), (LOOPBACK, port))
            sender.sendto(b"neither", (LOOPBACK, port))
        deadline_s = time.monotonic() + PATIENCE_S
        while telemetry.counters().get("tracking.packets", 0) < 9:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        newest = slot.peek()
        assert newest is not None
        assert newest.value.source == "ifacialmocap:127.0.0.1+vmc:127.0.0.1"
        vmc, phone = inputs.status()
        assert (vmc.packets, phone.packets) == (3, 3)
        assert (vmc.rejects, phone.rejects) == ({"not recognised": 3}, {})
        assert inputs.movers()["mouth"] == "ifacialmocap:127.0.0.1"
        assert inputs.movers()["head"] == "vmc:127.0.0.1"
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1


def test_taken_port_leaves_the_other_inputs_working(sender: socket.socket) -> None:
    sender.bind((LOOPBACK, 0))
    ports = [sender.getsockname()[1], free_udp_port()]
    inputs = open_inputs(settings_for(ports), LatestSlot(), Telemetry(), MonotonicClock())
    assert states(inputs) == {"vmc": SourceState.BLOCKED, "ifacialmocap": SourceState.WAITING}
    trouble = inputs.status()[0].trouble
    assert trouble is not None
    assert str(ports[0]) in trouble
    assert all(service.stop() for service in inputs.services)


def test_all_ports_taken_is_an_error_unless_there_is_a_camera(sender: socket.socket) -> None:
    sender.bind((LOOPBACK, 0))
    ports = [sender.getsockname()[1], 1]
    settings = settings_for(ports, ifacialmocap={"enabled": False})
    with pytest.raises(PortInUse, match="is taken"):
        open_inputs(settings, LatestSlot(), Telemetry(), MonotonicClock())
    filmed = settings_for(ports, ifacialmocap={"enabled": False}, webcam={"enabled": True})
    inputs = open_inputs(filmed, LatestSlot(), Telemetry(), MonotonicClock())
    assert states(inputs) == {"vmc": SourceState.BLOCKED}


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ({}, [LOOPBACK, LOOPBACK]),
        ({"lan": True}, [ANY_ADDRESS, ANY_ADDRESS]),
    ],
)
def test_only_the_settings_open_the_lan(options: dict[str, object], hosts: list[str]) -> None:
    settings = settings_for(free_udp_ports(2), **options)
    inputs = open_inputs(settings, LatestSlot(), Telemetry(), MonotonicClock())
    assert [status.place.partition(":")[0] for status in inputs.status()] == hosts
    assert all(service.stop() for service in inputs.services)


def test_naming_the_phone_opens_the_lan_for_it_alone(sender: socket.socket) -> None:
    ports = free_udp_ports(2)
    telemetry = Telemetry()
    settings = settings_for(ports, ifacialmocap={"port": ports[1], "phone": "192.0.2.20"})
    inputs = open_inputs(settings, LatestSlot(), telemetry, MonotonicClock())
    vmc, phone = inputs.status()
    assert vmc.place.startswith(LOOPBACK)
    assert phone.place.startswith(ANY_ADDRESS)
    with started(inputs):
        sender.sendto(encode_ifacialmocap(face_at(1.0, 0)), (LOOPBACK, ports[1]))
        deadline_s = time.monotonic() + PATIENCE_S
        while not telemetry.counters().get("tracking.turned_away.not_allowed"):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
