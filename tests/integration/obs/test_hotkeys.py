"""Keys in a real OBS reach the daemon, by script and by plugin, and so do OBS's ticks."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obsws_python
import pytest

from tests.conftest import skip_loudly
from tests.support import pattern
from tests.support.obs import SCRIPT, ObsProcess, ObsSetup, running_obs, wait_until
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import Frame
from vtbridge.obs.client import ObsClient
from vtbridge.obs.scene import SHARED_MEMORY_KIND
from vtbridge.osc import OscMessage, decode_packet
from vtbridge.publish.vtbf import FrameWriter, HealthFlag

FPS = 60
SOURCE = "the avatar"
KEYS = {"smile": "F8", "own_idea": "F9"}
"""What the user has bound, also for an expression of his own."""
WAIT_S = 20.0


@dataclass(frozen=True)
class Desk:
    """An OBS with bound keys, and the port at which a daemon would listen.

    Attributes:
        kind: ``script`` or ``plugin``.
        obs: the OBS.
        avatar: name of the segment that its source follows.
        port: UDP on loopback.
    """

    kind: str
    obs: ObsProcess
    avatar: str
    port: socket.socket

    def hotkey(self, name: str) -> str:
        """Return what OBS calls the hotkey ``calibrate`` or that of an expression."""
        inner = name if name == "calibrate" else f"expression.{name}"
        return f"vtbridge.{inner}" if self.kind == "script" else f"vtbridge.{self.avatar}.{inner}"

    def forget(self) -> None:
        """Drop what came before."""
        self.port.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.port.recv(2048)

    def next(self, wanted: Callable[[OscMessage], bool]) -> OscMessage:
        """Return the next message that is ``wanted``."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            self.port.settimeout(WAIT_S)
            for message in decode_packet(self.port.recv(2048)):
                if wanted(message):
                    return message
        pytest.fail("waited in vain for an OSC message")

    def next_key(self) -> OscMessage:
        """Return the next message that is no tick."""
        return self.next(lambda message: message.address != "/vtbridge/tick")


@pytest.fixture(scope="module", params=["script", "plugin"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    avatar = f"k{os.getpid() % 100000}{request.param}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        settings: dict[str, object] = {
            "osc_port": port.getsockname()[1],
            "expressions": [{"value": name} for name in (*KEYS, "two words", "../x")],
        }
        source: dict[str, object] = {"id": SHARED_MEMORY_KIND, "name": SOURCE}
        source["settings"] = {"avatar": avatar}
        plugin: Path | None = None
        if request.param == "plugin":
            plugin = request.getfixturevalue("built_plugin")
            source["settings"] = {"avatar": avatar, **settings}
            source["hotkeys"] = {
                f"vtbridge.{avatar}.expression.{name}": [{"key": f"OBS_KEY_{key}"}]
                for name, key in KEYS.items()
            }
            settings = {}
        else:
            settings |= {
                f"vtbridge.expression.{name}": [{"key": f"OBS_KEY_{key}"}]
                for name, key in KEYS.items()
            }
        setup = ObsSetup([SCRIPT], settings, plugin, [source], FPS)
        with running_obs(tmp_path_factory.mktemp("obs"), setup) as obs:
            yield Desk(request.param, obs, avatar, port)


@pytest.fixture
def client(desk: Desk) -> Iterator[ObsClient]:
    desk.forget()
    with desk.obs.client() as client:
        yield client
    assert desk.obs.running, desk.obs.log[-4000:]


@pytest.mark.parametrize("name", [*KEYS, "calibrate"])
def test_hotkey_triggered_by_name_reaches_the_daemon(
    desk: Desk, client: ObsClient, name: str
) -> None:
    began = time.monotonic()
    client.request("TriggerHotkeyByName", {"hotkeyName": desk.hotkey(name)})
    message = desk.next_key()
    print(
        f"{desk.kind}: {(time.monotonic() - began) * 1e3:.1f} ms from the request to the datagram"
    )
    address = "calibrate" if name == "calibrate" else f"key/{name}"
    assert message == OscMessage(f"/vtbridge/{address}", (1,))


@pytest.mark.parametrize("name", KEYS)
def test_real_key_reaches_the_daemon_down_and_up(desk: Desk, client: ObsClient, name: str) -> None:
    if shutil.which("xdotool") is None:
        skip_loudly("xdotool is not installed (apt install xdotool)")
    for key_action, value in (("keydown", 1), ("keyup", 0)):
        subprocess.run(
            ["xdotool", key_action, KEYS[name]],
            env={**os.environ, "DISPLAY": desk.obs.display},
            check=True,
            timeout=WAIT_S,
        )
        assert desk.next_key() == OscMessage(f"/vtbridge/key/{name}", (value,))


def test_only_names_that_an_expression_can_have_get_a_hotkey(desk: Desk, client: ObsClient) -> None:
    names = client.request("GetHotkeyList")["hotkeys"]
    ours = {name for name in names if name.startswith("vtbridge.")}
    assert ours == {desk.hotkey(name) for name in (*KEYS, "calibrate")}


def test_frames_at_60_a_second_come_whole_and_the_daemon_hears_of_obs_ticks(
    desk: Desk, client: ObsClient
) -> None:
    def tick(message: OscMessage) -> bool:
        return message.address == "/vtbridge/tick"

    def counters() -> tuple[int, int]:
        return pattern.counters(desk.obs.screenshot(client, "Scene"))

    with pattern.writing(desk.avatar, fps=FPS):
        wait_until(lambda: min(counters()) > 0, "the avatar is shown")
        began = time.monotonic()
        seen = []
        while (now := time.monotonic()) < began + 5:
            top, bottom = counters()
            assert top == bottom, "a torn frame was shown"
            seen.append((now, top))
        rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
        print(f"{desk.kind}: the counter advanced {rate:.1f} a second, {len(seen)} looks")
        assert rate > 30
        desk.forget()
        first, second = desk.next(tick), desk.next(tick)
        now_ns = time.monotonic_ns()
    for message in (first, second):
        assert message.arguments[1] == pytest.approx(NS_PER_S / FPS, rel=1e-6)
    tick_ns, next_ns = (int(str(message.arguments[0])) for message in (first, second))
    assert abs(now_ns - next_ns) < NS_PER_S, "the clock is the monotonic one"
    elapsed_ticks = (next_ns - tick_ns) / (NS_PER_S / FPS)
    assert elapsed_ticks == pytest.approx(round(elapsed_ticks), abs=0.01), "on OBS's own grid"
    assert elapsed_ticks > 0.5 * FPS


def call(client: ObsClient, request: str, **data: object) -> dict[str, Any]:
    asked: dict[str, object] = {"vendorName": "vtbridge", "requestType": request}
    if data:
        asked["requestData"] = data
    answer: dict[str, Any] = client.request("CallVendorRequest", asked)["responseData"]
    return answer


@pytest.fixture
def events(desk: Desk) -> Iterator[queue.Queue[tuple[str, Mapping[str, Any]]]]:
    """Return the vendor's events, as they come."""
    arrived: queue.Queue[tuple[str, Mapping[str, Any]]] = queue.Queue()

    def on_vendor_event(event: Any) -> None:
        arrived.put((event.event_type, event.event_data))

    listener = obsws_python.EventClient(
        host="127.0.0.1", port=desk.obs.port, password=desk.obs.password, timeout=20
    )
    listener.callback.register(on_vendor_event)
    try:
        yield arrived
    finally:
        listener.disconnect()


@pytest.mark.parametrize("desk", ["plugin"], indirect=True)  # scripts have no vendor
def test_vendor_tells_state_and_health_and_passes_commands_on(
    desk: Desk,
    client: ObsClient,
    events: queue.Queue[tuple[str, Mapping[str, Any]]],
) -> None:
    def status() -> dict[str, Any]:
        (source,) = call(client, "GetStatus")["sources"]
        assert source["source"] == SOURCE
        assert source["avatar"] == desk.avatar
        return dict(source)

    wait_until(lambda: not status()["live"], "nobody writes")
    assert "vtbridge run" in status()["text"]
    with FrameWriter.open(desk.avatar, max_width=64, max_height=32) as writer:
        picture = pattern.frame_pixels(1)[:32, :64].copy()

        def shown(state: str, reasons: list[str]) -> bool:
            writer.write(Frame(picture, 1))
            now = status()
            return now["state"] == state and [one["reason"] for one in now["health"]] == reasons

        writer.set_health(HealthFlag.READY)
        wait_until(lambda: shown("live", []) and status()["width"] == 64, "the avatar is live")
        now = status()
        assert (now["height"], now["ready"]) == (32, True)
        assert now["frames"] > 0
        assert "64 x 32" in now["text"]
        writer.set_health(HealthFlag.READY | HealthFlag.TRACKER_LOST | HealthFlag.SLOW)
        wait_until(lambda: shown("live", ["tracker_lost", "slow"]), "the reasons are told")
        assert "idle animation" in status()["text"]
    wait_until(lambda: not status()["live"], "the goodbye is noticed")

    told: list[tuple[str, Mapping[str, Any]]] = []
    while not told or told[-1][1]["live"] or len(told) < 3:
        told.append(events.get(timeout=WAIT_S))
    assert {kind for kind, _ in told} == {"AvatarStateChanged"}
    assert any(event["live"] and not event["health"] for _, event in told)
    assert any(len(event["health"]) == 2 for _, event in told)

    desk.forget()
    assert call(client, "TriggerExpression", expression="joy") == {"sent": True}
    assert desk.next_key() == OscMessage("/vtbridge/expression/joy", (1,))
    off = call(client, "TriggerExpression", expression="joy", on=False, avatar=desk.avatar)
    assert off == {"sent": True}
    assert desk.next_key() == OscMessage("/vtbridge/expression/joy", (0,))
    assert call(client, "Calibrate") == {"sent": True}
    assert desk.next_key() == OscMessage("/vtbridge/calibrate", (1,))
    for refused in ({"expression": "../x"}, {"expression": "joy", "avatar": "nobody"}, {}):
        answer = call(client, "TriggerExpression", **refused)
        assert answer["sent"] is False
        assert answer["error"]
    client.request("TriggerHotkeyByName", {"hotkeyName": desk.hotkey("smile")})
    assert events.get(timeout=WAIT_S) == (
        "ExpressionHotkey",
        {"source": SOURCE, "avatar": desk.avatar, "expression": "smile", "pressed": True},
    )


@pytest.mark.parametrize("desk", ["plugin"], indirect=True)
def test_bound_key_stays_with_its_expression_when_the_avatar_or_the_list_changes(
    desk: Desk, client: ObsClient
) -> None:
    def change(**settings: object) -> None:
        client.request("SetInputSettings", {"inputName": SOURCE, "inputSettings": settings})

    def our_hotkeys() -> set[str]:
        names = client.request("GetHotkeyList")["hotkeys"]
        return {name for name in names if name.startswith("vtbridge.")}

    change(avatar="another", expressions=[{"value": "wow"}, {"value": "smile"}])
    wanted = {f"vtbridge.another.{name}" for name in ("calibrate", "expression.wow")}
    wanted.add("vtbridge.another.expression.smile")
    wait_until(lambda: our_hotkeys() == wanted, "the hotkeys are those of the new list")
    desk.forget()
    client.request("TriggerHotkeyByKeySequence", {"keyId": f"OBS_KEY_{KEYS['smile']}"})
    assert desk.next_key() == OscMessage("/vtbridge/key/smile", (1,))
    change(avatar=desk.avatar)
    wait_until(lambda: desk.hotkey("wow") in our_hotkeys(), "the avatar is the first one again")


def test_obs_quits_cleanly_and_keeps_what_is_bound(desk: Desk) -> None:
    """Last in this file, for it ends the OBS of the tests above."""
    assert desk.obs.stop() == 0
    collection = desk.obs.config_root / "basic" / "scenes" / "vt.json"
    content = json.loads(collection.read_text(encoding="utf-8"))
    if desk.kind == "script":
        (entry,) = content["modules"]["scripts-tool"]
        bound = entry["settings"]
    else:
        (bound,) = (one["hotkeys"] for one in content["sources"] if one["name"] == SOURCE)
    assert [key["key"] for key in bound[desk.hotkey("smile")]] == [f"OBS_KEY_{KEYS['smile']}"]
