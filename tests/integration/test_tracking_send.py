"""``vtbridge send`` plays the performance and captures to a real socket."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from vtbridge.cli.send import address_from_option, protocol_of_capture, send
from vtbridge.errors import ConfigError
from vtbridge.tracking.formats import ProtocolName
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.recordings.udpcap import read_capture

APP = typer.Typer()
APP.command()(send)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def run_send(listener: socket.socket, *arguments: str) -> tuple[dict[str, Any], list[bytes]]:
    """Return the JSON that ``vtbridge send`` printed and the datagrams that came."""
    to = f"127.0.0.1:{listener.getsockname()[1]}"
    result = CliRunner().invoke(APP, [*arguments, "--to", to, "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["to"] == to
    return summary, [listener.recv(65_535) for _ in range(summary["datagrams"])]


@pytest.mark.parametrize(
    ("options", "protocol", "datagrams_per_frame"),
    [
        (["--protocol", "vmc"], VmcProtocol, 1),
        (["--protocol", "vmc", "--packing", "packets"], VmcProtocol, 3),
        (["--protocol", "vmc", "--packing", "single"], VmcProtocol, 57),
        (["--protocol", "ifacialmocap"], IFacialMocapProtocol, 1),
        (["--protocol", "ifacialmocap", "--text-version", "v1"], IFacialMocapProtocol, 1),
    ],
)
def test_performance_is_sent_as_the_chosen_protocol(
    listener: socket.socket,
    options: list[str],
    protocol: type[TrackerProtocol],
    datagrams_per_frame: int,
) -> None:
    summary, datagrams = run_send(listener, *options, "--seconds", "0.5", "--fps", "30")
    assert summary["bursts"] == 15
    assert summary["datagrams"] == 15 * datagrams_per_frame
    receiver = protocol()
    receiver.reset("test")
    frames = [f for i, d in enumerate(datagrams) for f in receiver.feed(d, i * 10_000_000)]
    assert len(frames) >= 15
    assert len(frames[-1].blendshapes) == 52


def test_text_versions_differ_in_their_separator(listener: socket.socket) -> None:
    for version, separator in (("v1", b"jawOpen-"), ("v2", b"jawOpen&")):
        options = ("--protocol", "ifacialmocap", "--text-version", version, "--seconds", "0.1")
        _, datagrams = run_send(listener, *options)
        assert all(separator in datagram for datagram in datagrams)


def test_capture_is_sent_bit_for_bit(captures: Path, listener: socket.socket) -> None:
    capture = captures / "vmc_vmcp-pypi.udpcap"
    _, datagrams = run_send(listener, str(capture), "--speed", "10")
    assert datagrams == [datagram.data for datagram in read_capture(capture)]


def test_capture_is_looped_until_the_time_is_up(captures: Path, listener: socket.socket) -> None:
    capture = captures / "vmc_node-osc.udpcap"
    summary, datagrams = run_send(
        listener, str(capture), "--speed", "10", "--loop", "--seconds", "0.3"
    )
    assert summary["datagrams"] > 300  # one round is 120, of a tenth of a second
    assert datagrams[120:240] == datagrams[:120]


def test_missing_capture_is_named(listener: socket.socket) -> None:
    result = CliRunner().invoke(APP, ["missing.udpcap"])
    assert isinstance(result.exception, ConfigError)
    assert "missing.udpcap" in str(result.exception)


@pytest.mark.parametrize("name", ["folder", "x" * 300])
def test_unreadable_capture_is_told_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(APP, [str(tmp_path / name), "--protocol", "vmc"])
    assert isinstance(result.exception, ConfigError)
    assert f"{tmp_path / name} cannot be read: " in str(result.exception)


def test_capture_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is no file"):
        protocol_of_capture(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("capture", "options", "port"),
    [
        ("vmc_node-osc", [], 39539),
        ("vmc_vmcp-pypi", [], 39539),
        ("ifacialmocap_v1_ExpressionAppBridge", [], 49983),
        ("ifacialmocap_v1_ExpressionAppBridge", ["--protocol", "vmc"], 39539),
    ],
)
def test_capture_goes_to_the_port_of_its_own_protocol(
    captures: Path, capture: str, options: list[str], port: int
) -> None:
    arguments = [str(captures / f"{capture}.udpcap"), *options, "--seconds", "0", "--json"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["to"] == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("to", "protocol", "address"),
    [
        (None, ProtocolName.VMC, ("127.0.0.1", 39539)),
        (None, ProtocolName.IFACIALMOCAP, ("127.0.0.1", 49983)),
        ("192.168.1.5", ProtocolName.VMC, ("192.168.1.5", 39539)),
        ("192.168.1.5:1234", ProtocolName.VMC, ("192.168.1.5", 1234)),
        (":1234", ProtocolName.VMC, ("127.0.0.1", 1234)),
        ("localhost:9", ProtocolName.VMC, ("127.0.0.1", 9)),
    ],
)
def test_destination_is_understood(
    to: str | None, protocol: ProtocolName, address: tuple[str, int]
) -> None:
    assert address_from_option(to, protocol) == address


@pytest.mark.parametrize(
    "to", ["127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:x", "127.0.0.1:", "a b"]
)
def test_senseless_destination_is_refused(to: str) -> None:
    with pytest.raises(ConfigError, match="--to"):
        address_from_option(to, ProtocolName.VMC)
