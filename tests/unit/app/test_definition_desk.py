"""Expressions saved over the API: in the user's file, seen at once, or nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.definition_desk import RunningDefinitions
from vtbridge.app.expressions import open_expressions
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.control.api.definitions import Definition, Keyframe, WrongDefinition
from vtbridge.datatypes import Pose
from vtbridge.errors import ConfigError
from vtbridge.pose_params import POSE_SIZE, PoseParam

WAVE = Definition(values={"neck_z": 0.5}, fade_in_s=0, fade_out_s=0)
FILE = "# mine\n[expressions.cat] # meow\nvalues = { mouth_uuu = 1 }\n"


class Desk:
    """The expressions of a file, and a pose that nothing else moves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        settings = Config.model_validate({"expressions": {"file": str(path)}})
        found = open_expressions(settings, seed=1)
        assert found is not None
        assert found.watch is not None
        self.engine = found.engine
        self.desk = RunningDefinitions(found.engine, found.watch)
        self.now_s = 1.0

    def value(self, label: str, *, after_s: float = 0.0) -> float:
        self.now_s += after_s
        resting = Pose(np.zeros(POSE_SIZE, np.float32), 1)
        shown = self.engine.apply(resting, None, round(self.now_s * NS_PER_S))
        return float(shown.values[PoseParam[label.upper()]])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    tmp_path.joinpath("expressions.toml").write_text(FILE)
    return Desk(tmp_path / "expressions.toml")


def test_what_is_saved_is_written_and_can_be_triggered_at_once(desk: Desk) -> None:
    desk.desk.save("wave", WAVE)
    assert desk.path.read_text().startswith(FILE)
    assert desk.desk.definition("wave").definition == WAVE
    desk.engine.trigger("wave")
    assert desk.value("neck_z") == 0.5
    desk.desk.remove("wave")
    assert desk.path.read_text() == FILE
    assert desk.value("neck_z", after_s=1) == 0.0
    assert "wave" not in desk.engine.names()


def test_built_in_one_becomes_the_users_own_and_comes_back(desk: Desk) -> None:
    before = desk.desk.definition("smile")
    assert (before.own, before.builtin, before.editable) == (False, True, True)
    desk.desk.save("smile", before.definition.model_copy(update={"label": "Grin"}))
    after = desk.desk.definition("smile")
    assert (after.own, after.builtin, after.definition.label) == (True, True, "Grin")
    desk.desk.remove("smile")
    assert desk.desk.definition("smile") == before
    with pytest.raises(KeyError):
        desk.desk.remove("smile")


def test_file_that_was_broken_by_hand_is_left_alone(desk: Desk) -> None:
    broken = FILE + "label = \n"
    desk.path.write_text(broken)
    for attempt in (
        lambda: desk.desk.save("wave", WAVE),
        lambda: desk.desk.remove("cat"),
        lambda: desk.desk.definition("cat"),
    ):
        with pytest.raises(ConfigError, match=r"expressions\.toml:4"):
            attempt()
    assert desk.path.read_text() == broken


def test_expression_that_chance_still_chooses_is_not_removed(desk: Desk) -> None:
    text = FILE.replace("]", ']\nmode = "timed"\nduration_s = 1', 1)
    text += "[random.idle]\nevery_s = [2, 3]\nchoose = { cat = 1 }\n"
    desk.path.write_text(text)
    with pytest.raises(ConfigError, match=r"random\.idle\.choose\.cat"):
        desk.desk.remove("cat")
    assert desk.path.read_text() == text


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        (Definition(values={"nose": 1.0}), "values.nose"),
        (Definition(values={"head_x": 1.0}, when="mouth >"), "when"),
        (Definition(values={"head_x": 1.0}, mode="timed"), ""),
        (
            Definition(keyframes=[Keyframe(at_s=s, values={"head_x": 1.0}) for s in (1.0, 0.5)]),
            "keyframes.1.at_s",
        ),
    ],
)
def test_wrong_definition_is_neither_saved_nor_played(
    desk: Desk, definition: Definition, where: str
) -> None:
    for attempt in (desk.desk.save, desk.desk.preview):
        with pytest.raises(WrongDefinition) as told:
            attempt("wave", definition)
        assert where in [one.where for one in told.value.errors]
    assert desk.path.read_text() == FILE


def test_preview_plays_once_and_writes_nothing(desk: Desk) -> None:
    desk.desk.preview("wave", WAVE)
    assert desk.value("neck_z") == 0.5
    assert desk.value("neck_z", after_s=1.0) == 0.5
    assert desk.value("neck_z", after_s=1.0) == 0.0
    assert desk.path.read_text() == FILE
    assert "wave" not in desk.engine.names()


def test_second_preview_takes_the_place_of_the_first(desk: Desk) -> None:
    desk.desk.preview("wave", WAVE)
    desk.value("neck_z")
    desk.desk.preview("other", Definition(values={"head_x": 1.0}, fade_in_s=0, fade_out_s=0))
    assert (desk.value("neck_z"), desk.value("head_x")) == (0.0, 1.0)
    desk.engine.clear()
    assert desk.value("head_x") == 0.0


def test_preview_of_a_timeline_lasts_as_long_as_it(desk: Desk) -> None:
    nod = Definition(
        keyframes=[Keyframe(at_s=s, values={"head_x": v}) for s, v in ((1.0, 1.0), (3.0, 0.5))],
        fade_in_s=0,
        fade_out_s=0,
    )
    desk.desk.preview("nod", nod)
    assert desk.value("head_x", after_s=0.0) == 0.0
    assert desk.value("head_x", after_s=1.0) == 1.0
    assert desk.value("head_x", after_s=1.9) > 0.5
    assert desk.value("head_x", after_s=0.2) == 0.0


def test_saved_one_can_be_previewed_and_an_unknown_one_cannot(desk: Desk) -> None:
    desk.desk.preview("cat", None)
    desk.value("mouth_uuu")
    assert desk.value("mouth_uuu", after_s=1.0) == 1.0
    with pytest.raises(KeyError, match="did you mean cat"):
        desk.desk.preview("cta", None)


def test_file_comes_into_being_with_the_first_expression(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "deep" / "expressions.toml")
    desk.desk.save("wave", WAVE)
    assert desk.desk.definition("wave").own
    assert "wave" in desk.engine.names()


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_link_to_the_file_stays_a_link(desk: Desk, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(desk.path)
    Desk(link).desk.save("wave", WAVE)
    assert link.is_symlink()
    assert "wave" in desk.path.read_text()


def test_file_of_too_many_expressions_takes_no_more(desk: Desk) -> None:
    full = "".join(f"[expressions.e{i}]\nvalues = {{ head_x = 1 }}\n" for i in range(200))
    desk.path.write_text(full)
    with pytest.raises(ConfigError, match="200 entries or fewer"):
        desk.desk.save("wave", WAVE)
    assert desk.path.read_text() == full
