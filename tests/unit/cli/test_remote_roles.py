"""``vtbridge run`` on one of two computers: options, the key, and what to type on the other."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from vtbridge.app.remote import RemoteRenderer
from vtbridge.app.remote_tracker import RemoteTracker
from vtbridge.cli.remote_roles import invitation, renderer_key, tracker_key
from vtbridge.cli.run import with_options
from vtbridge.config.load import parse_config
from vtbridge.config.ports import taken_ports
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError
from vtbridge.remote import key as remote_key
from vtbridge.remote.key import ENVIRONMENT_VARIABLE, find_key, new_key
from vtbridge.remote.settings import DEFAULT_PORT, Role


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "remote-key"
    monkeypatch.setattr(remote_key, "key_file", lambda: path)
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return path


def test_role_and_address_overrule_the_file() -> None:
    nothing = {"picture": None, "name": None, "fps": None}
    config = with_options(Config(), **nothing, role=Role.TRACKER, renderer="10.0.0.2:4000")
    assert (config.remote.role, config.remote.renderer) == (Role.TRACKER, "10.0.0.2")
    assert config.remote.port == 4000
    assert with_options(Config(), **nothing, renderer="tower").remote.port == DEFAULT_PORT
    for wrong in ("10.0.0.2:70000", "10.0.0.2:x"):
        with pytest.raises(ConfigError, match="--port"):
            with_options(Config(), **nothing, renderer=wrong)


def test_addresses_are_taken_from_a_file() -> None:
    text = '[remote]\nlisten = "192.168.1.20"\nallow = ["192.168.1.10"]\n'
    text += '[control]\nosc_allow = ["10.0.0.3"]'
    config = parse_config(text, "my.toml")
    assert [str(host) for host in config.remote.allow] == ["192.168.1.10"]
    assert str(config.remote.listen) == "192.168.1.20"
    assert [str(host) for host in config.control.osc_allow] == ["10.0.0.3"]
    with pytest.raises(ConfigError, match=r"my\.toml:2: remote\.listen: expected an IPv4 address"):
        parse_config('[remote]\nlisten = "here"', "my.toml")


def test_only_a_renderer_takes_the_port() -> None:
    def has_port(role: str) -> bool:
        ports = taken_ports(Config.model_validate({"remote": {"role": role}}))
        return ("remote", "port") in {port.key for port in ports}

    assert [has_port(role) for role in ("both", "tracker", "renderer")] == [False, False, True]


def test_tracker_without_an_address_is_told_what_to_type() -> None:
    with pytest.raises(ConfigError, match="--role renderer"):
        RemoteTracker(Config(), new_key())


def test_renderer_makes_a_key_once_and_another_when_asked() -> None:
    key = renderer_key(new=False)
    assert renderer_key(new=False) == key
    assert renderer_key(new=True) != key


def test_tracker_keeps_the_key_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=ENVIRONMENT_VARIABLE):
        tracker_key(ask=False)
    key = new_key()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.prompt", lambda *_, **__: key.text.upper())
    assert tracker_key(ask=False) == key
    assert find_key() == key
    monkeypatch.setattr("typer.prompt", lambda *_, **__: pytest.fail("asked again"))
    assert tracker_key(ask=False) == key


@pytest.mark.parametrize("show_key", [True, False])
def test_invitation_says_what_to_type_and_shows_the_key_to_people_alone(
    file: Path, show_key: bool
) -> None:
    key, remote = new_key(), cast(RemoteRenderer, SimpleNamespace(port=4000))
    told = invitation(key, remote, show_key=show_key)
    assert "vtbridge run --role tracker --renderer " in told
    assert ":4000" in told
    assert (key.text in told) == show_key
    assert (str(file) in told) != show_key
