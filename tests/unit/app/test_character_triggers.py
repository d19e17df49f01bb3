"""A key, a MIDI control, OBS and OSC show a character as they switch an expression."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.support.expressions import Stage, library_of
from tests.support.obs_answers import ObsAnswers
from vtbridge.app.character_triggers import (
    character_bindings,
    character_events,
    character_hotkeys,
    character_orders,
    or_character,
)
from vtbridge.app.expressions import hotkeys_of, open_expressions
from vtbridge.app.obs_triggers import ObsTriggers
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.errors import PacketError
from vtbridge.expressions.settings import TriggerSettings
from vtbridge.expressions.triggers.hotkeys import Hotkeys
from vtbridge.expressions.triggers.midi_binding import MidiControl, MidiKind
from vtbridge.obs.client import EventKinds, ObsEvent

TRIGGERS = {
    "momo": TriggerSettings(key="ctrl+alt+2", midi="note:60", obs=("scene:Gaming",)),
    "ren": TriggerSettings(key="f9", obs=("scene:Chat", "streaming-started")),
    "nobody": TriggerSettings(),
}
CAT = '[expressions.cat]\nvalues = { mouth_uuu = 1 }\nkey = "ctrl+alt+1"\n'


def test_keys_show_characters_beside_those_of_expressions() -> None:
    done: list[object] = []
    switch = or_character(lambda name, on: done.append((name, on)), done.append)
    library = library_of(CAT)
    keys = Hotkeys(lambda: [*hotkeys_of(library), *character_hotkeys(TRIGGERS)], switch)
    for key in ("ctrl", "alt", "1", "2"):
        keys.press(key, 0)
    for key in ("ctrl", "alt", "1", "2"):
        keys.release(key, 0)
    keys.settle(NS_PER_S)
    keys.press("f9", NS_PER_S)
    assert done == [("cat", None), "momo", "ren"]


def test_a_control_shows_its_character_when_it_goes_down_and_not_when_it_goes_up() -> None:
    (binding,) = character_bindings(TRIGGERS)
    assert binding.control == MidiControl(MidiKind.NOTE, 60)
    done: list[object] = []
    press = or_character(lambda name, on: done.append((name, on)), done.append)
    for down in (True, False, None):
        press(binding.name, down)
    assert done == ["momo", "momo"]


class Rig:
    """An OBS whose events show characters."""

    def __init__(self) -> None:
        self.obs = ObsAnswers({})
        self.shown: list[str] = []
        stage = Stage(CAT)
        self.triggers = ObsTriggers(stage.engine, character_events(TRIGGERS), self.shown.append)

    def enter(self, scene: str) -> list[str]:
        self.obs.scene = scene
        self.triggers.heard(ObsEvent("CurrentProgramSceneChanged", {"sceneName": scene}), self.obs)
        return self.shown


def test_a_scene_shows_its_character_and_leaving_it_none() -> None:
    rig = Rig()
    assert EventKinds.SCENES in rig.triggers.wanted()
    rig.triggers.read(rig.obs)
    assert rig.enter("Gaming") == ["momo"]
    assert rig.enter("Elsewhere") == ["momo"]
    assert rig.enter("Chat") == ["momo", "ren"]


def test_the_scene_in_which_obs_is_found_shows_its_character() -> None:
    rig = Rig()
    rig.obs.scene = "Gaming"
    rig.triggers.read(rig.obs)
    assert rig.shown == ["momo"]
    rig.triggers.read(rig.obs)
    assert rig.shown == ["momo"], "nothing has begun"


def test_a_moment_shows_its_character() -> None:
    rig = Rig()
    rig.triggers.read(rig.obs)
    rig.triggers.heard(
        ObsEvent("StreamStateChanged", {"outputState": "OBS_WEBSOCKET_OUTPUT_STARTED"}), rig.obs
    )
    assert rig.shown == ["ren"]


def test_osc_names_a_character() -> None:
    shown: list[str] = []
    hear = character_orders(shown.append)
    hear(("momo",))
    assert shown == ["momo"]


@pytest.mark.parametrize("arguments", [(), (1,), ("",), ("momo", 1), (None,), (b"momo",)])
def test_osc_that_names_nobody_is_refused(arguments: tuple[object, ...]) -> None:
    shown: list[str] = []
    with pytest.raises(PacketError, match="expected the name of a character"):
        character_orders(shown.append)(arguments)  # type: ignore[arg-type]
    assert shown == []


def test_triggers_are_heard_though_expressions_are_switched_off() -> None:
    off = {"expressions": {"enabled": False}}
    assert not open_expressions(Config.model_validate(off), seed=1)
    bound = {**off, "avatar": {"triggers": {"momo": {"key": "f9"}}}}
    found = open_expressions(Config.model_validate(bound), seed=1)
    assert found is not None
    assert found.engine.state() == ()
    assert found.watch is None


def test_the_expressions_of_another_character_come_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def config(picture: str) -> Config:
        return Config.model_validate({"avatar": {"picture": picture}})

    def names() -> set[str]:
        return set(engine.library.expressions)

    mine, broken = tmp_path / "mine" / "me.png", tmp_path / "broken" / "me.png"
    for file in (mine, broken):
        file.parent.mkdir()
        file.write_bytes(b"")
    (mine.parent / "expressions.toml").write_text(f"builtin = false\n{CAT}")
    (broken.parent / "expressions.toml").write_text("no = TOML")
    found = open_expressions(config("michi"), seed=1)
    assert found is not None
    engine = found.engine
    builtin = names()
    found.follow(config(str(mine)))
    assert names() == {"cat"}
    found.follow(config("momo"))
    assert names() == builtin
    found.follow(config(str(mine)))
    with caplog.at_level(logging.WARNING):
        found.follow(config(str(broken)))
    assert names() == builtin, "not those of the one before"
    assert "expressions.toml" in found.trouble
