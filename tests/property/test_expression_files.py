"""Whatever an expressions.toml or a condition holds: refused in a sentence, or harmless."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.expressions import NAMES
from vtbridge.datatypes import Pose
from vtbridge.errors import ConfigError
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.grammar import (
    MAX_LENGTH,
    ConditionError,
    Sight,
    parse_condition,
)
from vtbridge.expressions.library import (
    MAX_BYTES,
    ExpressionLibrary,
    builtin_text,
    parse_library,
    read_library,
)
from vtbridge.expressions.reload import ExpressionFileWatch
from vtbridge.pose_params import POSE_SIZE

pytestmark = pytest.mark.property

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FAR_TOO_LONG_S = 60.0
"""A test on a loaded machine says no more than: it does not hang."""

words = st.sampled_from(
    [
        *("mouth_aaa", "jawOpen", "tracked", "and", "or", "not", "abs", "min", "max", "(", ")"),
        *(",", "<", "<=", ">", ">=", "+", "-", "*", "/", "==", "0.5", "1000", "1e9", "nan", "inf"),
        *("__class__", "lambda", ".", "[", "]", "'", "os", ";", "\n", "%", "**", "=", "eye_wink"),
    ]
)
values = st.sampled_from(
    ["0", "1", "-1", "nan", "inf", "1e308", "''", "[]", "{}", "true", "9" * 99]
)
lines = builtin_text().splitlines(keepends=True)


@MANY
@given(st.lists(words, max_size=60).map(" ".join) | st.text(max_size=MAX_LENGTH + 9))
@example("(" * MAX_LENGTH)
@example("-" * MAX_LENGTH)
@example("not " * (MAX_LENGTH // 4))
@example("max(" * (MAX_LENGTH // 4))
@example("__import__('os').system('true') > 0")
def test_condition_is_refused_with_a_sentence_or_gives_an_answer(text: str) -> None:
    try:
        condition = parse_condition(text, NAMES)
    except ConditionError as error:
        sentence = str(error)
    else:
        for level in (-1.0, 0.0, 0.5, 1.0):
            sight = Sight([level] * POSE_SIZE, {"jawOpen": level}, tracked=level > 0)
            assert condition.holds(sight) in (True, False)
        return
    assert 10 < len(sentence) < 300


def outcome_of(text: str) -> ExpressionLibrary | str:
    try:
        return parse_library(text, "x.toml", NAMES)
    except ConfigError as error:
        complaint = str(error)
    assert complaint.startswith("x.toml"), "names the file"
    assert len(complaint) < 10_000
    return complaint


@MANY
@given(st.text(max_size=300))
def test_any_text_is_refused_or_read(text: str) -> None:
    outcome_of(text)


@MANY
@given(
    st.lists(
        st.tuples(st.integers(0, len(lines) - 1), st.sampled_from("dcvkx"), values, words),
        min_size=1,
        max_size=5,
    )
)
def test_a_damaged_file_is_refused_with_its_line_or_runs_harmlessly(
    damages: list[tuple[int, str, str, str]],
) -> None:
    damaged = list(lines)
    for number, how, value, word in damages:
        line = damaged[number]
        key, equals, _ = line.partition("=")
        match how:
            case "d":
                damaged[number] = ""
            case "c":
                damaged[number] = line + line
            case "v" if equals:
                damaged[number] = f"{key}= {value}\n"
            case "k" if equals:
                damaged[number] = line.replace(key, f"{word} ", 1)
            case "x":
                damaged[number] = line[: len(line) // 2] + word + line[len(line) // 2 :]
    found = outcome_of("".join(damaged))
    if isinstance(found, str):
        assert "line" in found or ":" in found.removeprefix("x.toml:"), "and the place"
        return
    engine = ExpressionEngine(found, seed=1)
    pose = Pose(np.zeros(POSE_SIZE, np.float32))
    for name in engine.names():
        engine.trigger(name)
    for beat in range(20):
        assert np.isfinite(engine.apply(pose, None, beat * 100_000_000).values).all()


HOSTILE = {
    "dotted": ("a." * 190 + "b = 1\n") * (MAX_BYTES // 400),
    "headers": "".join(f"[a{i}]\n" for i in range(MAX_BYTES // 12)),
    "same header": "[[expressions.a.keyframes]]\n" * (MAX_BYTES // 30),
    "arrays": "a = " + "[" * 60_000,
    "tables": "a = " + "{a=" * 30_000,
    "inline": "a = {" + ",".join(f"k{i}=1" for i in range(14_000)) + "}",
    "digits": "a = " + "1" * 100_000,
    "one text": "a = '''" + "x" * 120_000,
    "many": "".join(f"[expressions.e{i}]\nwhen = '((((((('\n" for i in range(3_000)),
    "bytes": "\x00" * 1000,
    "not finite": "[expressions.a]\nvalues = {head_x = nan, head_y = inf, neck_z = -inf}",
    "huge": "[expressions.a]\nvalues = {head_x = 1e400}\npriority = 99999999999999999999999",
    "code": "[expressions.a]\nvalues={head_x=1}\nwhen = \"__import__('os').system('x') > 0\"",
    "ring": "[random.a]\nevery_s=[1,1]\nchoose={a=1}\n[random.b]\nevery_s=[1,1]\nchoose={b=1}",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_file_is_refused_soon_and_in_few_words(what: str) -> None:
    begun = time.monotonic()
    assert isinstance(outcome_of(HOSTILE[what]), str)
    assert time.monotonic() - begun < FAR_TOO_LONG_S


def test_ten_megabytes_are_not_even_read_and_the_last_good_set_stays(tmp_path: Path) -> None:
    file = tmp_path / "expressions.toml"
    used: list[ExpressionLibrary] = []
    watch = ExpressionFileWatch(file, NAMES, used.append)
    file.write_text("[expressions.cat]\nvalues = {head_x = 1}")
    assert watch.look()
    for number, text in enumerate(["x" * 10_000_000, *HOSTILE.values()]):
        file.write_text(text + "\n" * number)
        assert not watch.look()
        assert str(file) in watch.trouble
    assert [("cat" in library.expressions) for library in used] == [True]
    file.write_text("x" * 10_000_000)
    with pytest.raises(ConfigError, match="128 KiB"):
        read_library(file, NAMES)
