"""The daemon's parts as the control API has them: what is told is what is, orders reach them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.blank_frames import BlankFrames
from tests.support.switching import Display, opened
from vtbridge.app.audience import Audience
from vtbridge.app.cast import Cast
from vtbridge.app.character_switch import CharacterSwitch
from vtbridge.app.control_api import RunningAvatar
from vtbridge.app.doctor_desk import RunningDoctor
from vtbridge.app.expressions import open_expressions
from vtbridge.app.live_settings import LiveSettings
from vtbridge.app.manual_pose import ManualPose
from vtbridge.app.no_segment import NoSegment
from vtbridge.app.opened_character import OpenedCharacter
from vtbridge.app.poser_desk import RunningPoser
from vtbridge.app.render_loop import RenderLoop
from vtbridge.app.status import DaemonStatus
from vtbridge.app.stills import Stills
from vtbridge.characters import BUILTIN
from vtbridge.clock import ManualClock
from vtbridge.config.schema import Config
from vtbridge.control.api.metrics import exposition
from vtbridge.control.api.models import Action, QualityName
from vtbridge.datatypes import FaceFrame, HeadPose, Picture, Pose
from vtbridge.errors import RuntimeUnavailable
from vtbridge.expressions.idle import IdleMotion
from vtbridge.flow.slot import LatestSlot
from vtbridge.obs.sight import Sight
from vtbridge.pose_params import POSE_SIZE
from vtbridge.pose_schema import THA3
from vtbridge.render.baked.store import MODEL_FILE
from vtbridge.render.baked.store import ROOT_VARIABLE as CHARACTERS_VARIABLE
from vtbridge.render.live.crossing import Outcome
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality
from vtbridge.render.weights.store import ROOT_VARIABLE as WEIGHTS_VARIABLE
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.telemetry import Telemetry

PICTURE = Picture(np.zeros((8, 8, 4), np.uint8), "nobody", "0" * 64, credit="by nobody")


def no_poser() -> Poser:
    raise RuntimeUnavailable("there are no networks here")


class Stage:
    """A daemon whose loop turns only when a test says so."""

    def __init__(self, **settings: object) -> None:
        self.config = Config.model_validate(settings)
        self.clock, self.frames = ManualClock(), BlankFrames()
        telemetry, faces = Telemetry(self.clock), LatestSlot[FaceFrame]()
        self.faces = faces
        self.expressions = open_expressions(self.config, seed=1)
        self.audience = Audience(self.clock)
        self.manual = ManualPose()
        self.loop = RenderLoop(
            live=self.frames,
            retargeter=Retargeter(self.config.retarget, telemetry=telemetry),
            idle=IdleMotion(self.config.idle, seed=1),
            expressions=None if self.expressions is None else self.expressions.engine,
            manual=self.manual,
            faces=faces,
            writer=NoSegment(),
            sinks=[],
            looks=self.audience.looks,
            fps=30,
            clock=self.clock,
            telemetry=telemetry,
        )
        first = OpenedCharacter(self.config.avatar.picture, PICTURE, self.frames)
        self.display = Display(self.frames)
        self.characters = CharacterSwitch(
            first,
            cast=Cast(self.config.avatar),
            display=self.display,
            open_character=lambda name, _: opened(name),
        )
        self.state = DaemonStatus(
            self.config,
            self.characters,
            self.clock,
            telemetry,
            faces,
            self.loop,
            expressions=self.expressions,
            audience=self.audience,
        )
        self.calibrations = 0
        self.used: list[Config] = []
        self.desk = RunningPoser(
            self.manual,
            Stills(self.config.render, self.clock),
            picture=lambda: PICTURE,
            pose=lambda: self.loop.pose,
            weights="tha3-separable-float",
            schema=lambda: THA3,
        )
        self.settings = LiveSettings(self.config, None, self.used.append)
        doctor = RunningDoctor(no_poser)
        self.avatar = RunningAvatar(self.state, self.calibrate, self.desk, self.settings, doctor)

    def calibrate(self) -> None:
        self.calibrations += 1

    def beat(self) -> None:
        assert self.expressions is not None
        self.expressions.engine.apply(Pose(np.zeros(POSE_SIZE, np.float32)), None, 1)

    def active(self) -> dict[str, list[str]]:
        """Return what is on after one beat, and who keeps it on."""
        self.beat()
        shown = self.avatar.expressions().expressions
        assert shown == self.avatar.status().expressions
        return {one.name: one.triggers for one in shown if one.active}


def test_state_is_that_of_the_parts() -> None:
    stage = Stage(publish={"name": "stream"}, avatar={"fps": 30})
    stage.faces.put(FaceFrame(0, source="vmc", head=HeadPose(0.5, 0.0, 0.0), tracked=True))
    stage.state.lost.add("webcam")
    status = stage.avatar.status()
    assert (status.name, status.picture, status.credit) == ("stream", "nobody", "by nobody")
    assert (status.fps_wanted, status.frames, status.runtime) == (30, 0, "blank")
    assert (status.stopped, status.shown, status.renderer) == (["webcam"], True, None)
    assert status.live is not None
    assert status.live.quality == "exact"
    face = stage.avatar.trackers().face
    assert face is not None
    assert face.head_deg == {"pitch": pytest.approx(28.6), "yaw": 0, "roll": 0}
    assert stage.avatar.config() == stage.config
    assert stage.avatar.obs().state == "off"
    assert not stage.avatar.tracking().tracked
    assert 'vtbridge_info{name="stream"' in exposition(stage.avatar)


def test_actions_switch_what_they_name() -> None:
    stage = Stage()
    for name, action, wanted in (
        ("smile", Action.TOGGLE, {"smile": ["http"]}),
        ("smile", Action.TOGGLE, {}),
        ("smile", Action.ON, {"smile": ["http"]}),
        ("smile", Action.ON, {"smile": ["http"]}),
        ("smile", Action.OFF, {}),
        ("nod", Action.TOGGLE, {"nod": ["http"]}),
        ("nod", Action.OFF, {"nod": ["http"]}),
        ("nod", Action.RELEASE, {}),
        ("smile", Action.ON, {"smile": ["http"]}),
    ):
        stage.avatar.switch(name, action, by="http")
        assert stage.active() == wanted, (name, action)
    stage.avatar.clear()
    assert stage.active() == {}
    for action in Action:
        with pytest.raises(KeyError, match="smile"):
            stage.avatar.switch("smille", action, by="http")


def test_whoever_subscribed_is_told_when_expressions_switch() -> None:
    stage, told = Stage(), []
    assert stage.expressions is not None
    end = stage.avatar.subscribe(lambda: told.append(1))
    stage.avatar.switch("smile", Action.ON, by="http")
    stage.beat()
    seen = stage.expressions.news.tell(0, timeout_s=0)
    assert told == [1]
    end()
    stage.avatar.clear()
    stage.beat()
    stage.expressions.news.tell(seen, timeout_s=0)
    assert told == [1]


def test_expressions_that_are_switched_off_are_none() -> None:
    stage = Stage(expressions={"enabled": False})
    assert stage.avatar.expressions().expressions == []
    assert stage.avatar.status().expressions == []
    with pytest.raises(KeyError, match="switched off"):
        stage.avatar.switch("smile", Action.ON, by="http")
    stage.avatar.clear()
    stage.avatar.subscribe(lambda: None)()


def test_quality_can_be_chosen_until_a_prepared_character_is_shown() -> None:
    stage = Stage()
    assert stage.avatar.quality().choices == list(QualityName)
    assert stage.avatar.quality().wanted == "auto"
    stage.avatar.set_quality(QualityName.FAST)
    assert stage.frames.wanted == [Quality.FAST]
    assert stage.avatar.quality().wanted == "fast"
    stage.frames.quality = Quality.BAKED
    assert (stage.avatar.quality().quality, stage.avatar.quality().choices) == ("baked", [])
    assert stage.avatar.quality().wanted == "baked"


def test_calibration_and_looks_are_handed_on() -> None:
    stage = Stage()
    stage.avatar.calibrate()
    assert stage.calibrations == 1
    stage.audience.idle_by(lambda: Sight.HIDDEN)
    stage.clock.advance(60)
    assert not stage.audience.looks()
    stage.avatar.look()
    assert stage.audience.looks()


def test_warnings_name_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "expressions.toml"
    file.write_text("[expressions.cat]\nvalues = { ear = 1 }\n", encoding="utf-8")
    stage = Stage(expressions={"file": str(file)})
    stage.state.lost.add("media")
    stage.frames.trouble, stage.frames.below_wanted = "the GPU is gone", True
    told = {one.about: one.text for one in stage.avatar.warnings()}
    assert told["stopped"] == "media stopped"
    assert told["rendering"] == "the GPU is gone"
    assert "30 fps" in told["load"]
    assert f"{file}:2" in told["expressions"]
    assert Stage().avatar.warnings() == []


def test_characters_are_all_that_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHARACTERS_VARIABLE, str(tmp_path / "characters"))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "weights"))
    package = tmp_path / "characters" / "mine"
    package.mkdir(parents=True)
    package.joinpath(MODEL_FILE).touch()
    package.joinpath("picture.png").touch()
    fresh = tmp_path / "characters" / "new"
    fresh.mkdir()
    fresh.joinpath("picture.png").touch()
    (tmp_path / "characters" / "half").mkdir()
    own = str(tmp_path / "me.png")
    found = Stage(avatar={"picture": own}).avatar.characters()
    assert {one.name for one in found.characters if one.kind == "built-in"} == set(BUILTIN)
    assert [(one.name, one.kind) for one in found.characters[len(BUILTIN) :]] == [
        (str(package), "prepared"),
        (str(fresh), "own"),
        (own, "own"),
    ]
    assert (found.shown, [one.name for one in found.characters if one.shown]) == (own, [own])
    named = Stage(avatar={"picture": "momo"}).avatar.characters()
    assert [one.name for one in named.characters if one.shown] == ["momo"]


def test_what_is_told_of_the_character_follows_it() -> None:
    stage = Stage()
    avatar = stage.avatar
    assert avatar.character().model_dump() == {"name": "michi", "coming": "", "trouble": ""}
    avatar.show("momo")
    stage.characters.tend()
    assert avatar.character().model_dump() == {"name": "michi", "coming": "momo", "trouble": ""}
    stage.display.end(Outcome.SHOWN)
    stage.characters.tend()
    assert avatar.character().name == avatar.characters().shown == "momo"
    assert (avatar.status().picture, avatar.status().credit) == ("momo", "")
    with pytest.raises(KeyError, match="no character is called"):
        avatar.show("nobody")


def test_a_character_that_cannot_be_shown_is_a_warning() -> None:
    stage = Stage()
    stage.avatar.show("momo")
    stage.characters.tend()
    stage.display.end(Outcome.FAILED)
    stage.characters.tend()
    (warning,) = stage.avatar.warnings()
    assert (warning.about, warning.text) == ("character", "momo gave no frames, michi stays")


def test_process_takes_what_the_system_says() -> None:
    figures = Stage().avatar.process()
    assert figures.resident_bytes > 10 << 20
    assert figures.cpu_s > 0
    assert figures.threads >= 1
    assert figures.open_files > 0
