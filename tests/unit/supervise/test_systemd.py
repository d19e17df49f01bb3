from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vtbridge.supervise.systemd import Systemd


@pytest.fixture(params=["file", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        if request.param == "file":
            heard.bind(name)
        else:
            heard.bind(f"\0{name}")
            name = f"@{name}"
        heard.settimeout(5)
        yield name, heard


def test_systemd_hears_each_state_in_its_own_words(listener: tuple[str, socket.socket]) -> None:
    name, heard = listener
    systemd = Systemd.of({"NOTIFY_SOCKET": name})
    systemd.ready("live")
    systemd.alive()
    systemd.reloading(1_234_567_890)
    systemd.status("starting again")
    systemd.stopping()
    assert [heard.recv(999).decode() for _ in range(5)] == [
        "READY=1\nSTATUS=live",
        "WATCHDOG=1",
        "RELOADING=1\nMONOTONIC_USEC=1234567",
        "STATUS=starting again",
        "STOPPING=1",
    ]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_where_nobody_listens_nothing_happens(environment: dict[str, str]) -> None:
    Systemd.of(environment).ready("live")


def test_a_deaf_systemd_blocks_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        systemd = Systemd.of({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(2000):  # more than a socket holds
            systemd.alive()
