"""Expressions that OBS switches: kept on while a state lasts, begun at moments."""

from __future__ import annotations

import pytest

from tests.support.expressions import Stage, library_of
from tests.support.obs_answers import FakeInput, ObsAnswers
from vtbridge.app.obs_triggers import ObsTriggers
from vtbridge.clock import NS_PER_S
from vtbridge.obs.client import EventKinds, ObsEvent

SCENES = """
[expressions.smug]
values = { mouth_smirk = 1 }
obs = ["scene:Gaming", "scene:Menu"]
[expressions.nod]
mode = "timed"
duration_s = 0.5
values = { head_x = 1 }
obs = ["scene:Gaming", "streaming-started"]
"""
OTHERS = """
[expressions.quiet]
values = { mouth_uuu = 1 }
obs = ["muted:Mic", "source-shown:Pause"]
[expressions.live]
mode = "hold"
values = { head_y = 1 }
obs = ["streaming", "recording"]
[expressions.bye]
mode = "one_shot"
duration_s = 0.5
values = { head_x = 1 }
obs = ["streaming-stopped", "recording-stopped", "replay-saved"]
"""
STARTED, STOPPED = "OBS_WEBSOCKET_OUTPUT_STARTED", "OBS_WEBSOCKET_OUTPUT_STOPPED"


class Rig:
    """An engine, what triggers it, and the OBS that it listens to."""

    def __init__(self, text: str) -> None:
        self.stage = Stage(text)
        self.obs = ObsAnswers(
            {"Mic": FakeInput("pulse_input_capture"), "Pause": FakeInput("image_source")}
        )
        self.triggers = ObsTriggers(self.stage.engine)
        self.now_ns = NS_PER_S

    def read(self) -> set[str]:
        self.triggers.read(self.obs)
        return self.active()

    def tend(self, after_s: float = 0.0) -> set[str]:
        self.now_ns += round(after_s * NS_PER_S)
        self.triggers.tend(self.obs, self.now_ns)
        return self.active()

    def tell(self, name: str, **data: object) -> set[str]:
        self.triggers.heard(ObsEvent(name, data), self.obs)
        return self.tend()

    def active(self) -> set[str]:
        self.stage.step()
        return self.stage.active()


def test_scene_holds_from_the_beginning_of_the_transition_to_that_of_the_next() -> None:
    rig = Rig(SCENES)
    assert rig.read() == set()
    rig.obs.scene = "Gaming"
    assert rig.tell("SceneTransitionStarted") == {"smug", "nod"}
    assert rig.tell("CurrentProgramSceneChanged", sceneName="Gaming") == {"smug", "nod"}
    rig.stage.settle(2)
    rig.obs.scene = "Menu"
    assert rig.tell("SceneTransitionStarted") == {"smug"}
    rig.obs.scene = "Start"
    assert rig.tell("SceneTransitionStarted") == set()


def test_obs_that_names_the_old_scene_for_a_moment_is_asked_again() -> None:
    rig = Rig(SCENES)
    rig.read()
    assert rig.tell("SceneTransitionStarted") == set()
    asked = rig.obs.asked.count("GetCurrentProgramScene")
    rig.obs.scene = "Menu"
    assert rig.tend(0.01) == set()
    assert rig.tend(0.03) == {"smug"}
    rig.tend(5)
    rig.tend(5)
    assert rig.obs.asked.count("GetCurrentProgramScene") == asked + 1


def test_transition_that_leads_nowhere_new_is_asked_about_a_few_times_only() -> None:
    rig = Rig(SCENES)
    rig.read()
    rig.tell("SceneTransitionStarted")
    for _ in range(100):
        rig.tend(0.05)
    assert rig.obs.asked.count("GetCurrentProgramScene") <= 7


def test_end_of_the_transition_tells_what_asking_missed() -> None:
    rig = Rig(SCENES)
    rig.read()
    rig.tell("SceneTransitionStarted")
    assert rig.tell("CurrentProgramSceneChanged", sceneName="Menu") == {"smug"}


def test_state_that_holds_when_obs_is_found_keeps_on_but_begins_nothing() -> None:
    rig = Rig(SCENES)
    rig.obs.scene = "Gaming"
    assert rig.read() == {"smug"}
    assert rig.stage.states["smug"].triggers == ("obs",)


def test_obs_that_is_gone_lets_go_of_everything() -> None:
    rig = Rig(SCENES)
    rig.obs.scene = "Menu"
    assert rig.read() == {"smug"}
    rig.triggers.lost()
    assert rig.active() == set()
    assert rig.read() == {"smug"}


def test_obs_lets_go_only_of_what_it_keeps_itself() -> None:
    rig = Rig(SCENES)
    rig.stage.engine.trigger("smug", True, by="osc")
    rig.obs.scene = "Menu"
    assert rig.read() == {"smug"}
    assert rig.tell("CurrentProgramSceneChanged", sceneName="Start") == {"smug"}
    assert rig.stage.states["smug"].triggers == ("osc",)


def test_two_states_of_one_expression_hand_over_without_a_gap() -> None:
    rig = Rig(OTHERS)
    rig.read()
    assert rig.tell("InputMuteStateChanged", inputName="Mic", inputMuted=True) == {"quiet"}
    both = rig.tell("InputActiveStateChanged", inputName="Pause", videoActive=True)
    assert both == {"quiet"}
    assert rig.tell("InputMuteStateChanged", inputName="Mic", inputMuted=False) == {"quiet"}
    gone = rig.tell("InputActiveStateChanged", inputName="Pause", videoActive=False)
    assert gone == set()


def test_streaming_and_recording_last_and_their_ends_are_moments() -> None:
    rig = Rig(OTHERS)
    rig.read()
    assert rig.tell("StreamStateChanged", outputState="OBS_WEBSOCKET_OUTPUT_STARTING") == set()
    assert rig.tell("StreamStateChanged", outputState=STARTED) == {"live"}
    assert rig.tell("RecordStateChanged", outputState=STARTED) == {"live"}
    assert rig.tell("StreamStateChanged", outputState=STOPPED) == {"live", "bye"}
    rig.stage.settle(2)
    assert rig.tell("RecordStateChanged", outputState=STOPPED) == {"bye"}
    rig.stage.settle(2)
    assert rig.tell("ReplayBufferSaved") == {"bye"}


def test_only_events_that_expressions_need_are_wanted() -> None:
    assert Rig("[expressions.a]\nvalues = { head_x = 1 }").triggers.wanted() == EventKinds.NONE
    assert Rig(SCENES).triggers.wanted() == (
        EventKinds.SCENES | EventKinds.TRANSITIONS | EventKinds.OUTPUTS
    )
    assert Rig(OTHERS).triggers.wanted() == (
        EventKinds.INPUTS | EventKinds.INPUT_ACTIVE | EventKinds.OUTPUTS
    )


def test_saved_file_of_expressions_is_taken_up() -> None:
    rig = Rig(SCENES)
    rig.obs.scene = "Menu"
    assert rig.read() == {"smug"}
    rig.stage.engine.use(library_of(OTHERS))
    rig.obs.streaming = True
    assert rig.tend(1) == {"live"}
    rig.stage.engine.use(library_of(OTHERS.replace('"streaming", ', "")))
    assert rig.tend(1) == set()


def test_missing_source_holds_nothing() -> None:
    rig = Rig(OTHERS)
    rig.obs.inputs.clear()
    assert rig.read() == set()


@pytest.mark.parametrize("name", ["CurrentProgramSceneChanged", "StreamStateChanged"])
def test_event_without_its_data_changes_nothing(name: str) -> None:
    rig = Rig(SCENES)
    rig.obs.scene = "Menu"
    rig.read()
    with pytest.raises(KeyError):
        rig.tell(name)
    assert rig.active() == {"smug"}


def test_expression_switched_off_by_hand_stays_off_until_the_next_time() -> None:
    rig = Rig(SCENES)
    rig.obs.scene = "Menu"
    assert rig.read() == {"smug"}
    rig.stage.engine.trigger("smug", False, by="osc")
    assert rig.tend(1) == set()
    rig.tell("CurrentProgramSceneChanged", sceneName="Start")
    assert rig.tell("CurrentProgramSceneChanged", sceneName="Menu") == {"smug"}
