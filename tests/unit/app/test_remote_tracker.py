"""The tracker's side of two computers: what is asked for here is done there."""

from __future__ import annotations

import pytest

from vtbridge.app.remote_tracker import RemoteTracker
from vtbridge.config.schema import Config
from vtbridge.remote.key import new_key
from vtbridge.remote.sender import PoseSender
from vtbridge.remote.wire import Code, Command


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    commands: list[Command] = []
    monkeypatch.setattr(PoseSender, "ask", lambda self, command: commands.append(command))
    return commands


@pytest.fixture
def tracker() -> RemoteTracker:
    return RemoteTracker(Config.model_validate({"remote": {"renderer": "127.0.0.1"}}), new_key())


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("expression-smile", Command(Code.SWITCH, "smile", None)),
        ("expression-smile-on", Command(Code.SWITCH, "smile", True)),
        ("expression-of_mine-off", Command(Code.SWITCH, "of_mine", False)),
        ("expression-smile-release", Command(Code.RELEASE, "smile")),
        ("expressions-clear", Command(Code.CLEAR)),
    ],
)
def test_commands_for_expressions_are_handed_on(
    tracker: RemoteTracker, asked: list[Command], name: str, command: Command
) -> None:
    tracker.commands()[name]()
    assert asked == [command]


@pytest.mark.parametrize(
    "name", ["quality-fast", "expression-", "expression-smile-up", "expression-" + "x" * 65]
)
def test_commands_that_nobody_there_knows_are_unknown_here(
    tracker: RemoteTracker, asked: list[Command], name: str
) -> None:
    assert name not in tracker.commands()
    assert asked == []


def test_calibration_is_done_here(tracker: RemoteTracker, asked: list[Command]) -> None:
    tracker.commands()["calibrate"]()
    assert asked == []
    message = tracker.pose_message(10**9, taken=3)
    assert (message.tracked, message.presence, message.taken) == (False, 0.0, 3)
    assert tracker.calibrating


def test_state_names_the_renderer_and_what_is_wrong(tracker: RemoteTracker) -> None:
    status = tracker.status()
    assert (status["role"], status["renderer"]) == ("tracker", "127.0.0.1:39590")
    assert status["connected"] is False
