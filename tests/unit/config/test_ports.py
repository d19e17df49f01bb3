"""Two settings that want the same port are told before anything listens."""

from __future__ import annotations

import re

import pytest

from vtbridge.config.load import parse_config
from vtbridge.config.ports import taken_ports
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError
from vtbridge.tracking.receivers.ports import listeners
from vtbridge.tracking.receivers.streams import accepting_ports


def mistakes(text: str) -> list[str]:
    try:
        parse_config(text, "stream.toml")
    except ConfigError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    ("text", "line", "key", "rivals"),
    [
        ("[tracking.vmc]\nport = 39581", 2, "tracking.vmc.port", "control.osc_port"),
        ("[control]\nosc_port = 39539", 2, "control.osc_port", "tracking.vmc.port"),
        (
            "[tracking.vmc]\nport = 5000\n[control]\nosc_port = 5000",
            4,
            "control.osc_port",
            "tracking.vmc.port",
        ),
        (
            "[control]\n\nosc_port = 49983",
            3,
            "control.osc_port",
            "tracking.ifacialmocap.port, tracking.fmv3.port, tracking.facemotion3d.port",
        ),
        ("[control]\nhttp_port = 5601", 2, "control.http_port", "publish.media_port"),
        ("[publish]\nmedia_port = 39580", 2, "publish.media_port", "control.http_port"),
        (
            "[tracking.ifacialmocap]\nphone = '192.168.1.20'\ntransport = 'tcp'\n"
            "[control]\nhttp_port = 49986",
            5,
            "control.http_port",
            "tracking.ifacialmocap.tcp_port",
        ),
        (
            "[tracking.ifacialmocap]\nphone = '192.168.1.20'\ntransport = 'tcp'\n"
            "[tracking.fmv3]\ntransport = 'tcp'\nlisten_port = 49986",
            6,
            "tracking.fmv3.listen_port",
            "tracking.ifacialmocap.tcp_port",
        ),
    ],
)
def test_clash_is_told_where_the_port_was_chosen(
    text: str, line: int, key: str, rivals: str
) -> None:
    (mistake,) = mistakes(text)
    pattern = rf"stream\.toml:{line}: {key}: (UDP|TCP) port \d+ is {rivals} too; choose another"
    assert re.fullmatch(pattern, mistake), mistake


def test_each_tracker_that_takes_the_port_of_the_commands_is_told() -> None:
    text = "[tracking.vmc]\nport = 39581\n[tracking.phiz]\nport = 39581"
    assert [mistake.split(":")[1] for mistake in mistakes(text)] == ["2", "4"]


@pytest.mark.parametrize(
    "text",
    [
        "[tracking.livelink]\nport = 39539",
        "[control]\nhttp_port = 39539",
        "[control]\nhttp_port = 0\nosc_port = 0\n[publish]\nmedia_port = 0",
        "[tracking.vmc]\nenabled = false\n[control]\nosc_port = 39539",
        "[control]\nosc_enabled = false\nosc_port = 39539",
        "[publish]\nmedia_enabled = false\nmedia_port = 39580",
        "[tracking.fmv3]\nphone = '192.168.1.20'\ntransport = 'tcp'\n[control]\nhttp_port = 49984",
        "[control]\nhttp_port = 49986",
    ],
)
def test_ports_that_can_live_together_are_no_mistake(text: str) -> None:
    assert mistakes(text) == []


@pytest.mark.parametrize(
    "fmv3",
    [
        {"phone": "192.168.1.20", "transport": "udp"},
        {"phone": "192.168.1.20", "transport": "tcp"},
        {"transport": "tcp", "listen_port": 5000},
    ],
)
def test_ports_of_the_trackers_are_those_that_the_receivers_take(fmv3: dict[str, object]) -> None:
    ifacialmocap = {"phone": "192.168.1.20", "transport": fmv3["transport"]}
    tracking = Config.model_validate(
        {"tracking": {"ifacialmocap": ifacialmocap, "fmv3": fmv3, "vmc": {"enabled": False}}}
    ).tracking
    taken = {
        (port.transport, port.number)
        for port in taken_ports(Config(tracking=tracking))
        if port.key[0] == "tracking"
    }
    assert taken == {
        *(("UDP", listener.port) for listener in listeners(tracking)),
        *(("TCP", port) for _, port in accepting_ports(tracking).values()),
    }
