"""What a real OBS tells: scenes at the beginning of a transition, and who is shown."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess, running, status_of, unique_name, write_config
from tests.support.expressions import Stage
from tests.support.obs import ObsProcess, wait_until
from vtbridge.app.obs_triggers import ObsTriggers
from vtbridge.obs.client import EventKinds, ObsClient, ObsEvent, ObsRefused, Requests
from vtbridge.obs.connection import Backoff, ObsConnection, ObsState
from vtbridge.obs.listener import NOTHING
from vtbridge.obs.password import Password
from vtbridge.obs.scene import SHARED_MEMORY_KIND
from vtbridge.obs.sight import AvatarSight, Sight
from vtbridge.obs.sources import AvatarFeeds

FADE_MS = 2000
"""Long, so that what comes at its beginning cannot be taken for what comes at its end."""


@dataclass
class Ends:
    """Notes the ends of transitions."""

    scenes: list[str] = field(default_factory=list)

    def wanted(self) -> EventKinds:
        return EventKinds.SCENES

    def read(self, obs: Requests) -> None:
        pass

    def heard(self, event: ObsEvent, obs: Requests) -> None:
        if event.name == "CurrentProgramSceneChanged":
            self.scenes.append(str(event.data["sceneName"]))

    def tend(self, obs: Requests, now_ns: int) -> float:
        return NOTHING

    def lost(self) -> None:
        pass


@dataclass
class Stagehand:
    """Two scenes of OBS, the avatar in one of them, and a long way from one to the other."""

    client: ObsClient
    avatar: str
    on: str
    off: str

    def go(self, scene: str) -> None:
        self.client.request("SetCurrentProgramScene", {"sceneName": scene})

    def fade(self, milliseconds: int) -> None:
        self.client.request(
            "SetCurrentSceneTransitionDuration", {"transitionDuration": milliseconds}
        )

    def studio(self, enabled: bool) -> None:
        self.client.request("SetStudioModeEnabled", {"studioModeEnabled": enabled})

    def settle(self) -> None:
        """Wait for the end of a transition: during one, OBS takes no order for another."""

        def still() -> bool:
            cursor = self.client.request("GetCurrentSceneTransitionCursor")
            return float(cursor["transitionCursor"]) >= 1.0

        wait_until(still, "the transition ends")

    def preview(self) -> str:
        return str(self.client.request("GetCurrentPreviewScene")["currentPreviewSceneName"])

    def program(self) -> str:
        return str(self.client.request("GetCurrentProgramScene")["currentProgramSceneName"])


@pytest.fixture
def hand(obs_client: ObsClient) -> Iterator[Stagehand]:
    name = uuid.uuid4().hex[:8]
    hand = Stagehand(obs_client, unique_name(), f"on {name}", f"off {name}")
    for scene in (hand.on, hand.off):
        obs_client.request("CreateScene", {"sceneName": scene})
    obs_client.request(
        "CreateInput",
        {
            "sceneName": hand.on,
            "inputName": f"avatar {name}",
            "inputKind": SHARED_MEMORY_KIND,
            "inputSettings": {"avatar": hand.avatar},
        },
    )
    obs_client.request("SetCurrentSceneTransition", {"transitionName": "Fade"})
    hand.fade(50)
    hand.go(hand.off)
    hand.settle()
    yield hand
    hand.settle()
    with contextlib.suppress(ObsRefused):
        hand.studio(False)
    hand.fade(50)
    obs_client.request("RemoveInput", {"inputName": f"avatar {name}"})
    for scene in (hand.on, hand.off):
        obs_client.request("RemoveScene", {"sceneName": scene})


@contextlib.contextmanager
def following(obs: ObsProcess, *listeners: ObsTriggers | AvatarSight | Ends) -> Iterator[None]:
    """Let ``listeners`` hear what happens in ``obs``."""
    connection = ObsConnection(
        obs.settings,
        lambda: Password(obs.password),
        listeners=listeners,
        backoff=Backoff(0.05, 0.5),
    )
    connection.start()
    try:
        wait_until(lambda: connection.state is ObsState.READY, "OBS is connected")
        yield
    finally:
        assert connection.stop(timeout_s=5)
        assert connection.failure is None


@pytest.mark.parametrize("studio", [False, True], ids=["plain", "studio mode"])
def test_scene_switches_an_expression_when_its_transition_begins(
    obs: ObsProcess, hand: Stagehand, studio: bool
) -> None:
    stage = Stage(f'[expressions.smug]\nvalues = {{ mouth_smirk = 1 }}\nobs = ["scene:{hand.on}"]')
    ends = Ends()

    def active() -> bool:
        stage.step()
        return "smug" in stage.active()

    def switch(scene: str) -> None:
        if not studio:
            hand.go(scene)
            return
        hand.client.request("SetCurrentPreviewScene", {"sceneName": scene})
        wait_until(lambda: hand.preview() == scene, "it is in the preview")
        hand.client.request("TriggerStudioModeTransition")

    hand.studio(studio)
    hand.settle()  # entering studio mode is a transition too
    with following(obs, ObsTriggers(stage.engine), ends):
        assert not active()
        hand.fade(FADE_MS)
        switch(hand.on)
        wait_until(active, "it is on")
        assert hand.on not in ends.scenes, "it waited for the end of the transition"
        wait_until(lambda: hand.on in ends.scenes, "the transition ends")
        assert active()
        hand.settle()
        switch(hand.off)
        wait_until(lambda: not active(), "it is off")
        assert hand.off not in ends.scenes, "it waited for the end of the transition"
        wait_until(lambda: hand.off in ends.scenes, "the transition ends")


def test_avatar_is_shown_from_the_beginning_of_the_transition_and_in_the_preview(
    obs: ObsProcess, hand: Stagehand
) -> None:
    sight, ends = AvatarSight(AvatarFeeds(hand.avatar)), Ends()
    with following(obs, sight, ends):
        wait_until(lambda: sight.sight is Sight.HIDDEN, "it is hidden")
        hand.fade(FADE_MS)
        hand.go(hand.on)
        wait_until(lambda: sight.sight is Sight.SHOWN, "it is shown")
        assert hand.on not in ends.scenes, "it waited for the end of the transition"
        wait_until(lambda: hand.on in ends.scenes, "the transition ends")
        hand.settle()
        hand.fade(50)
        hand.go(hand.off)
        wait_until(lambda: sight.sight is Sight.HIDDEN, "it is hidden again")
        hand.studio(True)
        hand.client.request("SetCurrentPreviewScene", {"sceneName": hand.on})
        wait_until(lambda: sight.sight is Sight.SHOWN, "it is shown in the preview")
        assert hand.program() == hand.off


@pytest.fixture
def daemon(
    obs: ObsProcess, hand: Stagehand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DaemonProcess]:
    """Run a daemon whose avatar OBS has in one scene."""
    monkeypatch.setenv("VTBRIDGE_OBS_PASSWORD", obs.password)
    extra = (
        f'[obs]\nenabled = true\nport = {obs.port}\nscene = "{hand.on}"\n'
        f'source = "avatar {hand.on.removeprefix("on ")}"\n'
    )
    ports = write_config(tmp_path, hand.avatar, inputs=("vmc",), extra=extra)
    with running(tmp_path, "run", name=hand.avatar, ports=ports) as process:
        yield process


@pytest.mark.usefixtures("weight_store")
def test_networks_rest_while_no_scene_shows_the_avatar(
    daemon: DaemonProcess, hand: Stagehand
) -> None:
    wait_until(lambda: not status_of(daemon)["shown"], "it rests")
    resting = status_of(daemon)
    assert resting["watchers"]["obs"] == "hidden"
    wait_until(lambda: status_of(daemon)["beats"] > resting["beats"] + 30, "beats go by")
    later = status_of(daemon)
    assert later["frames"] == resting["frames"]
    assert later["counters"]["render.rested"] >= 30
    hand.fade(FADE_MS)
    hand.go(hand.on)
    wait_until(lambda: status_of(daemon)["frames"] > later["frames"], "frames come again")
    wait_until(lambda: status_of(daemon)["watchers"]["obs"] == "shown", "OBS tells that it shows")
    assert status_of(daemon)["shown"]
