from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.expressions import (
    Expressions,
    expression_file,
    open_expressions,
)
from vtbridge.config.schema import Config
from vtbridge.datatypes import Pose
from vtbridge.pose_params import POSE_SIZE

CAT = "[expressions.cat]\nvalues = { mouth_uuu = 1 }\n"


def config(picture: str = "michi", **expressions: object) -> Config:
    return Config.model_validate({"avatar": {"picture": picture}, "expressions": expressions})


def opened(settings: Config) -> Expressions:
    found = open_expressions(settings, seed=1)
    assert found is not None
    return found


def beat(expressions: Expressions) -> None:
    expressions.engine.apply(Pose(np.zeros(POSE_SIZE, np.float32)), None, 1)


def test_a_built_in_character_has_the_built_in_set_and_what_the_user_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_args, **_named: str(tmp_path))
    assert expression_file(config()) == tmp_path / "expressions.toml"
    assert "smile" in opened(config()).engine.names()
    tmp_path.joinpath("expressions.toml").write_text(CAT)
    assert {"cat", "smile"} <= set(opened(config()).engine.names())


def test_built_in_expressions_need_no_file() -> None:
    assert "smile" in opened(config()).engine.names()


def test_the_file_beside_the_picture_or_in_the_package_holds(tmp_path: Path) -> None:
    tmp_path.joinpath("me.png").touch()
    tmp_path.joinpath("expressions.toml").write_text(CAT)
    for picture in (tmp_path, tmp_path / "me.png"):
        assert expression_file(config(str(picture))) == tmp_path / "expressions.toml"
        assert {"cat", "smile"} <= set(opened(config(str(picture))).engine.names())


def test_the_file_of_the_settings_comes_first(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(CAT)
    tmp_path.joinpath("expressions.toml").write_text(CAT.replace("cat", "dog"))
    names = opened(config(str(tmp_path), file=str(other))).engine.names()
    assert "cat" in names
    assert "dog" not in names


def test_a_wrong_file_costs_its_own_expressions_and_is_told_in_the_state(tmp_path: Path) -> None:
    file = tmp_path / "expressions.toml"
    file.write_text(CAT + "nonsense = 1")
    expressions = opened(config(file=str(file)))
    assert "smile" in expressions.engine.names()
    assert f"{file}:3:" in str(expressions.status()["expressions_trouble"])


def test_a_file_that_is_named_and_absent_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        opened(config(file=str(tmp_path / "none.toml")))
    assert "is not there" in caplog.text


def test_services_follow_the_settings(tmp_path: Path) -> None:
    assert open_expressions(config(enabled=False), seed=1) is None
    named = config(file=str(tmp_path / "e.toml"))
    assert [one.name for one in opened(named).services] == ["expression-news", "expression-file"]
    still = config(file=str(tmp_path / "e.toml"), reload=False)
    assert [one.name for one in opened(still).services] == ["expression-news"]


def test_state_is_plain_and_names_who_keeps_it_on() -> None:
    expressions = opened(config())
    expressions.switch_by("osc")("sad", True)
    beat(expressions)
    states = expressions.status()["expressions"]
    assert isinstance(states, list)
    assert {
        "name": "sad",
        "label": "Sad",
        "active": True,
        "amount": 0.0,
        "mode": "toggle",
        "triggers": ["osc"],
    } in states
    with pytest.raises(KeyError):
        expressions.switch_by("osc")("grin", None)
