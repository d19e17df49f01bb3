"""Who holds a port is told by its name, or as the command of vtbridge that it is."""

from __future__ import annotations

import os
import socket

import pytest

from vtbridge.tracking.receivers.port_holder import (
    PortHolder,
    holder_of_port,
    holders_of_ports,
    ports_taken,
    vtbridge_command,
)

TRACKERS = PortHolder(7, "python3", "trackers")
STRANGER = PortHolder(8, "VSeeFace.exe")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/usr/bin/python3", "/usr/bin/vtbridge", "trackers", "--once"], "trackers"),
        (["python", "-m", "vtbridge", "run"], "run"),
        (["python", "-X", "dev", "-m", "vtbridge", "record", "a.vtbrec"], "record"),
        ([r"vtbridge.exe", "run"], "run"),
        (["vtbridge"], None),
        (["obs", "--profile", "a", "b", "c", "vtbridge", "run"], None),
        (["VSeeFace.exe"], None),
        ([], None),
    ],
)
def test_command_of_vtbridge_is_read_off_the_command_line(
    arguments: list[str], command: str | None
) -> None:
    assert vtbridge_command(arguments) == command


def test_holder_of_a_port_is_this_process() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        holder = holder_of_port(port)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert holders_of_ports([port]) == {port: holder}
    assert holder_of_port(port) is None


def test_ports_of_one_holder_are_one_sentence() -> None:
    holders = {39539: TRACKERS, 9000: TRACKERS, 11111: STRANGER}
    assert ports_taken([39539, 9000, 11111, 8888], holders) == (
        "UDP ports 39539, 9000 are taken by `vtbridge trackers` (pid 7): end it; "
        "UDP port 11111 is taken by VSeeFace.exe (pid 8): close it, or set other ports under "
        "[tracking] and send there; "
        "UDP port 8888 is taken by another program: close it, or set other ports under "
        "[tracking] and send there"
    )
