"""A taken port costs a message, not the avatar, and programs find the page all the same."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.support.control_avatar import FakeAvatar
from vtbridge.app.control_ports import open_osc, open_page
from vtbridge.config.schema import Config
from vtbridge.control.address import read_address
from vtbridge.control.osc_control import OscControl
from vtbridge.telemetry import Telemetry


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def config_of(name: str, port: int) -> Config:
    return Config.model_validate({"publish": {"name": name}, "control": {"http_port": port}})


def test_a_page_whose_port_is_taken_takes_another_and_is_found_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            first = await open_page(stack, config_of("first", 0), FakeAvatar(), "one")
            second = await open_page(stack, config_of("second", first.port), FakeAvatar(), "two")
            assert second.port not in (0, first.port)
            for name, server in (("first", first), ("second", second)):
                address = read_address(name)
                assert address is not None
                assert address.port == server.port
        assert read_address("first") is None
        assert read_address("second") is None

    asyncio.run(run())
    assert "taking a free one" in caplog.text


def test_commands_over_osc_whose_port_is_taken_are_done_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            first, second = OscControl({}, Telemetry()), OscControl({}, Telemetry())
            assert await open_osc(stack, first, 0)
            assert not await open_osc(stack, second, first.port)

    asyncio.run(run())
    assert "no commands over OSC" in caplog.text
