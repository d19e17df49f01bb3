"""A key goes down and up; what that does is the expression's own mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.expressions import Expressions, open_expressions
from vtbridge.config.schema import Config
from vtbridge.datatypes import Pose
from vtbridge.pose_params import POSE_SIZE

FILE = """
builtin = false
[expressions.lasting]
values = { mouth_aaa = 1 }
[expressions.held]
mode = "hold"
values = { mouth_ooo = 1 }
[expressions.brief]
mode = "timed"
duration_s = 5
values = { mouth_eee = 1 }
"""


@pytest.fixture
def expressions(tmp_path: Path) -> Expressions:
    file = tmp_path / "expressions.toml"
    file.write_text(FILE)
    found = open_expressions(Config.model_validate({"expressions": {"file": str(file)}}), seed=1)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("lasting", [True, True, False, False]),
        ("held", [True, False, True, False]),
        ("brief", [True, True, True, True]),
    ],
)
def test_key_that_is_pressed_twice(expressions: Expressions, name: str, states: list[bool]) -> None:
    press = expressions.press_by("key")
    seen = []
    for beat, down in enumerate((True, False, True, False), 1):
        press(name, down)
        expressions.engine.apply(Pose(np.zeros(POSE_SIZE, np.float32)), None, beat)
        seen.append({one.name: one.active for one in expressions.engine.state()}[name])
    assert seen == states


@pytest.mark.parametrize("down", [True, False, None])
def test_key_of_an_unknown_expression_is_refused(
    expressions: Expressions, down: bool | None
) -> None:
    with pytest.raises(KeyError):
        expressions.press_by("key")("laughing", down)
