"""Plugins' own libraries, unmodified, against a real daemon: consent, hotkeys, parameters."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import warnings
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import skip_loudly
from tests.support.daemon import DaemonProcess, run_vtbridge, running, wait_until
from tests.support.expressions import QUICK, STILL
from tests.support.triggers import Eye
from vtbridge.control.vts.plugins import PluginBook
from vtbridge.publish.vtbf import FrameReader

try:
    with warnings.catch_warnings(action="ignore"):  # theirs
        import pyvts
        import VtsModels.models as strict
        from PyTubeStudio.client import PyTubeStudio
except ImportError:
    pyvts = strict = PyTubeStudio = None

Face = np.ndarray[Any, np.dtype[np.int16]]

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 20.0
LIBRARIES = "tests/data/vts/requirements.txt"
SETTINGS = """
[control.vts]
port = 0
discovery = false
"""


@dataclass(frozen=True)
class Stage:
    """One daemon for all tests here.

    Attributes:
        daemon: it.
        port: of its API.
        folder: holds its state.
        eye: looks at its frames.
        resting: how its face looks while nothing moves it.
    """

    daemon: DaemonProcess
    port: int
    folder: Path
    eye: Eye
    resting: Face


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, prepared_michi: Path) -> Iterator[Stage]:
    if pyvts is None:
        skip_loudly("the plugins' libraries are missing: pip install --no-deps -r " + LIBRARIES)
    folder = tmp_path_factory.mktemp("vts")
    folder.joinpath("expressions.toml").write_text(QUICK, encoding="utf-8")
    settings = STILL + SETTINGS
    with running(
        *(folder, "run", "--vts"), inputs=("vmc",), fps=10, extra=settings, package=prepared_michi
    ) as daemon:
        with FrameReader.attach(daemon.name) as reader:
            eye = Eye(reader)
            yield Stage(daemon, port_of(daemon), folder, eye, eye.at_rest())
        assert daemon.terminate() == 0
        assert not [line for line in daemon.log if "Traceback" in line]


def port_of(daemon: DaemonProcess) -> int:
    found = [line for line in daemon.log if "ws://127.0.0.1:" in line]
    return int(found[0].rsplit(":", 1)[1])


def in_time(work: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(work, PATIENCE_S * 3)

    return asyncio.run(bounded())


def plugin(port: int, folder: Path, name: str) -> Any:
    return pyvts.vts(
        plugin_info={
            "plugin_name": name,
            "developer": "tests",
            "authentication_token_path": str(folder / f"{name}.token"),
        },
        vts_api_info={
            "version": "1.0",
            "name": "VTubeStudioPublicAPI",
            "port": port,
            "host": "127.0.0.1",
        },
    )


async def authenticated(port: int, folder: Path, name: str) -> Any:
    """Return a connection of pyvts that the user has allowed beforehand."""
    book_in(folder).answer(name, allowed=True)
    vts = plugin(port, folder, name)
    await vts.connect()
    await vts.request_authenticate_token()
    assert await vts.request_authenticate()
    return vts


def book_in(folder: Path) -> PluginBook:
    return PluginBook(folder / "state" / "vtbridge" / "vts-plugins.json")


async def hotkeys_of(vts: Any) -> dict[str, dict[str, Any]]:
    answer = await vts.request(vts.vts_request.requestHotKeyList())
    return {key["file"]: key for key in answer["data"]["availableHotkeys"]}


def test_user_is_asked_and_the_plugin_waits_for_the_answer(
    stage: Stage,
) -> None:
    daemon, port, folder = stage.daemon, stage.port, stage.folder

    async def ask() -> None:
        vts = plugin(port, folder, "Newcomer")
        await vts.connect()
        state = await vts.request(vts.vts_request.BaseRequest("APIStateRequest"))
        assert state["data"] == {
            "active": True,
            "vTubeStudioVersion": state["data"]["vTubeStudioVersion"],
            "currentSessionAuthenticated": False,
        }
        refused = await vts.request(vts.vts_request.requestHotKeyList())
        assert refused["data"]["errorID"] == 8
        waiting = asyncio.create_task(vts.request_authenticate_token())
        wanted = 'vtbridge plugins allow "Newcomer"'
        await asyncio.to_thread(
            wait_until,
            lambda: any(wanted in line for line in daemon.log),
            PATIENCE_S,
            "the log says what to type",
        )
        assert not waiting.done()
        told = await asyncio.to_thread(run_vtbridge, folder, "plugins", "allow")
        assert "Newcomer (tests) may control the avatar" in told.stdout
        await waiting
        assert await vts.request_authenticate()
        assert book_in(folder).revoke("newcomer") == ["Newcomer (tests)"]
        refused = await vts.request(vts.vts_request.requestHotKeyList())
        assert refused["data"]["errorID"] == 50
        assert not await vts.request_authenticate()
        await vts.close()

    in_time(ask())
    if os.name == "posix":
        (book,) = (folder / "state").rglob("vts-plugins.json")
        assert book.stat().st_mode & 0o777 == 0o600


def test_pyvts_triggers_hotkeys_and_the_avatar_is_seen_to_change(stage: Stage) -> None:
    port, folder = stage.port, stage.folder
    eye, resting = stage.eye, stage.resting

    async def play() -> None:
        vts = await authenticated(port, folder, "Deck")
        cat = (await hotkeys_of(vts))["cat.exp3.json"]
        assert (cat["name"], cat["type"]) == ("Cat", "ToggleExpression")
        answer = await vts.request(vts.vts_request.requestTriggerHotKey(cat["hotkeyID"]))
        assert answer["data"] == {"hotkeyID": cat["hotkeyID"]}
        await asyncio.to_thread(eye.seconds_until_changed, resting)
        await asyncio.sleep(0.1)  # the API's own cooldown
        answer = await vts.request(vts.vts_request.requestTriggerHotKey("CAT"))
        assert "hotkeyID" in answer["data"], answer
        await asyncio.to_thread(eye.until_like, resting)
        await vts.close()

    in_time(play())


def test_pyvts_injects_parameters_and_lets_go_of_them(
    stage: Stage,
) -> None:
    port, folder = stage.port, stage.folder
    eye, resting = stage.eye, stage.resting

    async def inject() -> None:
        vts = await authenticated(port, folder, "Puppeteer")
        changed = asyncio.create_task(asyncio.to_thread(eye.seconds_until_changed, resting))
        while not changed.done():
            answer = await vts.request(
                vts.vts_request.requestSetMultiParameterValue(
                    ["MouthOpen", "FaceAngleX"], [1.0, 25.0]
                )
            )
            assert answer["messageType"] == "InjectParameterDataResponse", answer
            await asyncio.sleep(0.1)
        await changed
        value = await vts.request(vts.vts_request.requestParameterValue("FaceAngleX"))
        assert value["data"]["value"] == pytest.approx(25.0, abs=0.01)
        live = await vts.request(vts.vts_request.BaseRequest("Live2DParameterListRequest"))
        shown = {row["name"]: row["value"] for row in live["data"]["parameters"]}
        assert shown["head_y"] < 0.0, "the right of the screen is the character's own left"
        await asyncio.to_thread(eye.until_like, resting)  # nobody renews it
        async with asyncio.timeout(PATIENCE_S):
            while value["data"]["value"] != 0.0:
                value = await vts.request(vts.vts_request.requestParameterValue("FaceAngleX"))
        await vts.close()

    in_time(inject())


def test_answers_satisfy_the_models_of_another_client(
    stage: Stage,
) -> None:
    """PyTubeStudio checks every answer against its own strict models."""
    port, folder = stage.port, stage.folder
    eye, resting = stage.eye, stage.resting
    name = strict.AuthenticationTokenRequest().data.plugin_name
    book_in(folder).answer(name, allowed=True)

    async def talk() -> None:
        client = PyTubeStudio(port, folder / "pytube.token", "127.0.0.1")
        await client.connect()
        await client.authenticate()

        async def ask(model: str, **data: object) -> Any:
            request = getattr(strict, f"{model}Request")
            body = {"data": data} if data else {}
            text = await client.request(request.model_validate(body) if body else request())
            answer = getattr(strict, f"{model}Response").model_validate_json(text)
            assert answer.message_type != "APIError", text
            return answer.data

        assert (await ask("APIState")).current_session_authenticated
        assert (await ask("Statistics")).connected_plugins == 1
        assert (await ask("CurrentModel")).model_name == "michi"
        assert (await ask("AvailableModels")).number_of_models == 1
        assert (await ask("FaceFound")).found is False
        keys = (await ask("HotkeysInCurrentModel")).available_hotkeys
        assert "cat.exp3.json" in {key.file for key in keys}
        assert len((await ask("InputParameterList")).default_parameters) > 50
        assert len((await ask("Live2DParameterList")).parameters) == 45
        await ask("VTSFolderInfo")
        await ask("ArtMeshList")
        await ask("SceneColorOverlayInfo")
        await ask("GetCurrentModelPhysics")
        await ask("HotkeyTrigger", hotkey_id="cat")
        await asyncio.to_thread(eye.seconds_until_changed, resting)
        await ask("ExpressionActivation", expression_file="cat.exp3.json", active=False)
        await asyncio.to_thread(eye.until_like, resting)
        await client.close()

    in_time(talk())


def test_token_survives_a_restart_of_the_plugin_and_events_arrive(
    stage: Stage,
) -> None:
    daemon, port, folder = stage.daemon, stage.port, stage.folder

    async def listen() -> None:
        first = await authenticated(port, folder, "Listener")
        await first.close()
        vts = plugin(port, folder, "Listener")
        await vts.connect()
        await vts.request_authenticate_token()  # reads it from its file
        assert await vts.request_authenticate()
        for event in ("HotkeyTriggeredEvent", "TestEvent"):
            data: dict[str, object] = {"eventName": event, "subscribe": True, "config": {}}
            answer = await vts.request(
                vts.vts_request.BaseRequest("EventSubscriptionRequest", data)
            )
            assert event in answer["data"]["subscribedEvents"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc:
            from pythonosc.osc_message_builder import OscMessageBuilder

            builder = OscMessageBuilder("/vtbridge/expression/cat")
            osc.sendto(builder.build().dgram, ("127.0.0.1", daemon.ports["osc"]))
        heard: dict[str, Any] = {}
        while len(heard) < 2:
            message = json.loads(await vts.websocket.recv())
            heard[message["messageType"]] = message["data"]
        pressed = heard["HotkeyTriggeredEvent"]
        assert (pressed["hotkeyName"], pressed["hotkeyTriggeredByAPI"]) == ("Cat", False)
        off: dict[str, object] = {"expressionFile": "cat.exp3.json", "active": False}
        await vts.websocket.send(
            json.dumps(vts.vts_request.BaseRequest("ExpressionActivationRequest", off))
        )
        while (
            json.loads(await vts.websocket.recv())["messageType"] != "ExpressionActivationResponse"
        ):
            pass
        await vts.close()

    in_time(listen())
