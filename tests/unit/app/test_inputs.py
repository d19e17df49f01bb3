"""A camera or microphone that cannot be opened costs only itself."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import pytest

from tests.support.daemon import free_udp_port, network_inputs
from vtbridge.app.inputs import open_trackers
from vtbridge.clock import MonotonicClock
from vtbridge.config.schema import Config
from vtbridge.errors import VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.source_status import SourceState


def opened(**tracking: Any) -> Inputs:
    """Return the inputs, their ports free again."""
    tables: dict[str, Any] = {name: {"enabled": False} for name in network_inputs()}
    tables["vmc"] = {"port": free_udp_port()}
    config = Config.model_validate({"tracking": tables | tracking})
    inputs = open_trackers(config, LatestSlot(), Telemetry(), MonotonicClock())
    for service in inputs.services:
        service.stop()
    return inputs


def test_only_what_is_enabled_is_opened() -> None:
    assert [service.name for service in opened().services] == ["tracking-vmc"]


@pytest.mark.parametrize(
    ("tables", "source"),
    [
        ({"webcam": {"enabled": True, "device": "me.mp4"}}, "webcam:me.mp4"),
        ({"microphone": {"enabled": True, "device": "me.wav"}}, "microphone:me.wav"),
    ],
)
def test_camera_and_microphone_stand_beside_the_network(
    tables: dict[str, Any], source: str
) -> None:
    inputs = opened(**tables)
    assert len(inputs.services) == 2
    assert [status.source for status in inputs.status()] == ["vmc", source]


def test_parameters_are_announced_only_when_asked_for() -> None:
    announced = opened(vrcft={"port": free_udp_port(), "oscquery": True})
    assert "oscquery" in {service.name for service in announced.services}
    silent = opened(vrcft={"port": free_udp_port()})
    assert "oscquery" not in {service.name for service in silent.services}


@pytest.mark.parametrize("error", [VtbridgeError("no lens"), OSError("no driver")])
@pytest.mark.parametrize(
    ("name", "module", "made"),
    [
        ("webcam", "vtbridge.tracking.webcam.source", "WebcamSource"),
        ("microphone", "vtbridge.tracking.microphone.source", "MicrophoneSource"),
    ],
)
def test_one_that_cannot_be_made_is_told_and_shown_as_blocked(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    module: str,
    made: str,
    error: Exception,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module(module), made, fail)
    with caplog.at_level(logging.WARNING):
        inputs = opened(**{name: {"enabled": True}})
    assert [service.name for service in inputs.services] == ["tracking-vmc"]
    _, blocked = inputs.status()
    assert (blocked.source, blocked.state, blocked.trouble) == (
        name,
        SourceState.BLOCKED,
        str(error),
    )
    assert str(error) in caplog.text
