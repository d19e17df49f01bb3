"""The tracker's side of two computers: what is asked for here is done there."""

from __future__ import annotations

import pytest

from vtbridge.app.remote_avatar import RemoteAvatar
from vtbridge.app.remote_tracker import RemoteTracker
from vtbridge.config.schema import Config
from vtbridge.control.api.metrics import exposition
from vtbridge.control.api.models import Action, QualityName
from vtbridge.control.api.orders import set_quality
from vtbridge.control.api.problem import Refusal
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
    ("name", "action", "command"),
    [
        ("smile", Action.TOGGLE, Command(Code.SWITCH, "smile", None)),
        ("smile", Action.ON, Command(Code.SWITCH, "smile", True)),
        ("of_mine", Action.OFF, Command(Code.SWITCH, "of_mine", False)),
        ("smile", Action.RELEASE, Command(Code.RELEASE, "smile")),
    ],
)
def test_commands_for_expressions_are_handed_on(
    tracker: RemoteTracker, asked: list[Command], name: str, action: Action, command: Command
) -> None:
    RemoteAvatar(tracker).switch(name, action, by="http")
    assert asked == [command]


def test_all_expressions_are_cleared_over_there(
    tracker: RemoteTracker, asked: list[Command]
) -> None:
    RemoteAvatar(tracker).clear()
    assert asked == [Command(Code.CLEAR)]


def test_what_the_renderer_cannot_know_is_unknown_here(
    tracker: RemoteTracker, asked: list[Command]
) -> None:
    avatar = RemoteAvatar(tracker)
    for action in (Action.ON, Action.RELEASE):
        with pytest.raises(KeyError):
            avatar.switch("x" * 65, action, by="http")
    with pytest.raises(Refusal, match="another computer"):
        set_quality(avatar, QualityName.FAST)
    assert asked == []


def test_calibration_is_done_here(tracker: RemoteTracker, asked: list[Command]) -> None:
    RemoteAvatar(tracker).calibrate()
    assert asked == []
    message = tracker.pose_message(10**9, taken=3)
    assert (message.tracked, message.presence, message.taken) == (False, 0.0, 3)
    assert tracker.calibrating


def test_state_names_the_renderer_and_what_is_wrong(tracker: RemoteTracker) -> None:
    avatar = RemoteAvatar(tracker)
    renderer = avatar.status().renderer
    assert renderer is not None
    assert (renderer.address, renderer.connected) == ("127.0.0.1:39590", False)
    assert {"smile", "nod"} <= {one.name for one in avatar.expressions().expressions}
    assert not avatar.tracking().tracked
    assert "vtbridge_tracked 0" in exposition(avatar)
    tracker.sender.trouble = "no answer"
    assert ("renderer", "no answer") in {(one.about, one.text) for one in avatar.warnings()}
