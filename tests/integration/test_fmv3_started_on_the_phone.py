"""FMV3 over TCP whose stream is started in the app: the phone connects, and sends unasked."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.daemon import network_inputs
from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.fmv3_messages import HEADER, Kind, parse_message
from vtbridge.tracking.receivers.inputs import Inputs, open_inputs
from vtbridge.tracking.receivers.udp import LOOPBACK
from vtbridge.tracking.senders.fmv3 import Fmv3Phone
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceState

PATIENCE_S = 20.0
ATTEMPTS = 500


class Listening:
    """The inputs of settings that wait for a phone, and where they do."""

    def __init__(self, inputs: Inputs, port: int, faces: LatestSlot[FaceFrame]) -> None:
        self.inputs = inputs
        self.port = port
        self.faces = faces

    def connected(self) -> socket.socket:
        """Return a connection from this computer, made as soon as the port is open."""
        for _ in range(ATTEMPTS):
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection((LOOPBACK, self.port), PATIENCE_S)
            time.sleep(PATIENCE_S / ATTEMPTS)
        raise AssertionError("nobody listens")


@pytest.fixture
def listening() -> Iterator[Listening]:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    tables: dict[str, object] = {name: {"enabled": False} for name in network_inputs()}
    tables["fmv3"] = {"transport": "tcp", "listen_port": port}
    faces: LatestSlot[FaceFrame] = LatestSlot()
    settings = TrackingSettings.model_validate(tables)
    inputs = open_inputs(settings, faces, Telemetry(), MonotonicClock())
    (receiver,) = inputs.services
    receiver.start()
    yield Listening(inputs, port, faces)
    assert receiver.stop()
    assert receiver.failure is None


def test_phone_is_heard_kept_alive_and_never_greeted_or_acknowledged(listening: Listening) -> None:
    phone = Fmv3Phone(transport="tcp")
    with listening.connected() as stream:
        for message in (*phone.start(0), *phone.frames(face_at(1.0, 0))):
            stream.sendall(message)
        found = listening.faces.wait_newer(0, timeout_s=PATIENCE_S)
        assert found is not None
        assert found.value.source == "fmv3:127.0.0.1"
        assert found.value.blendshapes == pytest.approx(face_at(1.0, 0).blendshapes, abs=0.01)
        (status,) = listening.inputs.status()
        assert status.state is SourceState.LIVE
        assert status.place == f"tcp 127.0.0.1:{listening.port}"
        assert parse_message(stream.recv(HEADER.size, socket.MSG_WAITALL)).kind is Kind.PING


def test_each_start_in_the_app_is_a_stream_of_its_own(listening: Listening) -> None:
    seen = 0
    for visit in range(2):
        phone = Fmv3Phone(transport="tcp", session=100 + visit)
        with listening.connected() as stream:
            for message in (*phone.start(0), *phone.frames(face_at(float(visit), 0))):
                stream.sendall(message)
            found = listening.faces.wait_newer(seen, timeout_s=PATIENCE_S)
            assert found is not None
            seen = found.seq


def test_frames_of_the_last_connection_mean_nothing_on_the_next(listening: Listening) -> None:
    phone = Fmv3Phone(transport="tcp")
    with listening.connected() as stream:
        for message in (*phone.start(0), *phone.frames(face_at(0.0, 0))):
            stream.sendall(message)
        first = listening.faces.wait_newer(0, timeout_s=PATIENCE_S)
        assert first is not None
    with listening.connected() as stream:  # the same session, without its SCHEMA
        for message in phone.frames(face_at(1.0, 0)):
            stream.sendall(message)
        for message in Fmv3Phone(transport="tcp", session=9).start(0):
            stream.sendall(message)
        assert parse_message(stream.recv(HEADER.size, socket.MSG_WAITALL)).kind is Kind.PING
    newest = listening.faces.peek()
    assert newest is not None
    assert newest.seq == first.seq
    (status,) = listening.inputs.status()
    assert status.rejects["unknown fmv3 session"] == 1
