from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from tests.support.expressions import library_of
from tests.support.vts import message_of
from vtbridge.app.expressions import Expressions
from vtbridge.app.vts_api import ShownAvatar, faces_for_plugins, open_vts_api
from vtbridge.clock import ManualClock
from vtbridge.config.schema import Config
from vtbridge.control.vts.injected_faces import InjectedFaces
from vtbridge.control.vts.plugins import PluginBook, PluginId
from vtbridge.datatypes import Picture, Pose
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.news import ExpressionNews

CAT = """
[expressions.cat]
fade_in_s = 0
fade_out_s = 0
values = { mouth_aaa = 1 }
[expressions.nod]
mode = "one_shot"
duration_s = 1
values = { head_x = 1 }
"""
DIGEST = "ab" * 32


class Loop:
    """As much of a render loop as plugins see."""

    def __init__(self) -> None:
        self.pose: Pose | None = None

    def fps(self) -> float:
        return 30.0


class Stage:
    """An avatar without a renderer."""

    def __init__(self, folder: Path, *, port: int = 0, enabled: bool = True) -> None:
        self.config = Config.model_validate(
            {"control": {"vts": {"enabled": enabled, "port": port, "discovery": False}}}
        )
        self.clock = ManualClock()
        self.engine = ExpressionEngine(library_of(CAT), seed=1)
        self.expressions = Expressions(self.engine, ExpressionNews(self.engine), None, False)
        self.faces = faces_for_plugins(self.config, self.clock, history=4)
        self.loop = Loop()
        self.calibrated: list[bool] = []
        picture = Picture(np.zeros((512, 512, 4), np.uint8), "me.png", DIGEST)
        self.avatar = ShownAvatar(
            lambda: picture,
            self.loop,  # type: ignore[arg-type]
            self.expressions,
            lambda: self.calibrated.append(True),
            512,
            self.clock,
            self.clock.now_ns(),
        )
        self.path = folder / "plugins.json"

    def step(self) -> None:
        """Render a frame and tell what has changed."""
        pose = Pose(np.zeros(45, np.float32))
        self.loop.pose = self.engine.apply(pose, None, self.clock.advance(0.05))
        self.expressions.news.tell(0, timeout_s=0.0)

    def states(self) -> Sequence[tuple[str, bool, bool]]:
        return [(one.name, one.active, one.fires) for one in self.avatar.expressions()]


def test_expressions_are_switched_and_told_as_the_engine_has_them(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.avatar.switch("cat", None)
    stage.avatar.switch("nod", True)
    stage.step()
    assert stage.states() == [("cat", True, False), ("nod", True, True)]
    assert stage.engine.state()[0].triggers == ("vts",)
    shown = {one.name: one.value for one in stage.avatar.pose()}
    assert (len(shown), shown["mouth_aaa"]) == (45, 1.0)
    assert dict(stage.avatar.expressions()[0].values) == {"mouth_aaa": 1.0}
    stage.avatar.switch("cat", False)
    stage.avatar.switch("nod", False)
    stage.step()
    stage.step()
    assert [active for _, active, _ in stage.states()] == [False, False]
    with pytest.raises(KeyError):
        stage.avatar.switch("dance", True)


def test_avatar_without_expressions_or_frames_still_answers(tmp_path: Path) -> None:
    from dataclasses import replace

    stage = Stage(tmp_path)
    avatar = replace(stage.avatar, expression_set=None)
    assert avatar.expressions() == ()
    with pytest.raises(KeyError):
        avatar.switch("cat", None)
    avatar.clear()
    avatar.calibrate()
    assert stage.calibrated == [True]
    assert {one.value for one in avatar.pose()} == {0.0}
    assert (avatar.model().name, avatar.model().model_id) == ("me", DIGEST[:32])


def test_key_pressed_elsewhere_reaches_the_plugin(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def run() -> None:
        async with (
            asyncio.timeout(40),
            contextlib.AsyncExitStack() as stack,
            aiohttp.ClientSession() as http,
        ):
            server = await open_vts_api(
                stack, stage.config, stage.avatar, stage.faces, path=stage.path
            )
            assert server is not None
            connection = await http.ws_connect(f"ws://127.0.0.1:{server.port}")

            async def ask(kind: str, **data: object) -> dict[str, Any]:
                await connection.send_str(message_of(kind, data))
                return json.loads(await connection.receive_str())  # type: ignore[no-any-return]

            token = PluginBook(stage.path).grant(PluginId("Deck", "tests"))
            names = {"pluginName": "Deck", "pluginDeveloper": "tests"}
            await ask("Authentication", **names, authenticationToken=token)
            await ask("EventSubscription", eventName="HotkeyTriggeredEvent", subscribe=True)
            stage.engine.trigger("cat", by="keyboard")
            stage.step()
            event = json.loads(await connection.receive_str())
            assert event["data"]["hotkeyFile"] == "cat.exp3.json"
            assert event["data"]["hotkeyTriggeredByAPI"] is False
            values = [{"id": "MouthOpen", "value": 1}]
            answer = await ask("InjectParameterData", parameterValues=values)
            assert answer["messageType"] == "InjectParameterDataResponse"
            newest = stage.faces.peek()
            assert newest is not None
            assert newest.value.blendshapes["jawOpen"] > 0.5
            await connection.close()

    asyncio.run(run())


def test_nothing_listens_unless_it_is_enabled(tmp_path: Path) -> None:
    stage = Stage(tmp_path, enabled=False)
    assert not isinstance(stage.faces, InjectedFaces)

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            assert await open_vts_api(stack, stage.config, stage.avatar, stage.faces) is None

    asyncio.run(run())


def test_taken_port_costs_only_the_plugins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stage = Stage(tmp_path, port=taken.getsockname()[1])

        async def run() -> None:
            async with contextlib.AsyncExitStack() as stack:
                opened = await open_vts_api(
                    stack, stage.config, stage.avatar, stage.faces, path=stage.path
                )
                assert opened is None

        with caplog.at_level(logging.WARNING):
            asyncio.run(run())
    assert "maybe by VTube Studio itself" in caplog.text
    assert stage.faces.peek() is None
