from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.support.expressions import NAMES, library_of
from vtbridge.errors import ConfigError
from vtbridge.expressions.library import (
    MAX_BYTES,
    builtin_file,
    builtin_library,
    parse_library,
    read_library,
)
from vtbridge.expressions.model import Mode
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3

SMILE = "[expressions.smile]\nvalues = { mouth_raised_corner = 1 }\n"
NOD = "[expressions.nod]\nmode = 'one_shot'\n"


def complaint_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_library(text, "my.toml", NAMES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SMILE + "priorty = 3", "my.toml:3: expressions.smile.priorty: unknown setting; did you"),
        (SMILE + "priority = '3'", "my.toml:3: expressions.smile.priority: expected a whole numb"),
        (SMILE + "fade_in_s = 11", "my.toml:3: expressions.smile.fade_in_s: expected at most 10"),
        (SMILE + "fade_in_s = nan", "my.toml:3: expressions.smile.fade_in_s: expected a finite"),
        (SMILE + "fade_in_s = inf", "my.toml:3: expressions.smile.fade_in_s: expected a finite"),
        (SMILE + "mode = 'loop'", "my.toml:3: expressions.smile.mode: expected 'toggle', 'hold'"),
        (
            SMILE + 'label = "a\\u0007"',
            "my.toml:3: expressions.smile.label: expected a text of one line",
        ),
        (SMILE + "duration_s = 1", "my.toml:3: expressions.smile.duration_s: a toggle ends when"),
        (SMILE + "mode = 'timed'", "my.toml:1: expressions.smile: a timed expression needs dura"),
        (SMILE + "loop = true", "my.toml:3: expressions.smile.loop: there are no keyframes"),
        (SMILE + "until = 'tracked'", "my.toml:3: expressions.smile.until: without `when`"),
        (SMILE + "when = 'mouth_aaa'", "my.toml:3: expressions.smile.when: column 1: this is a"),
        (SMILE + "weights = { head_x = 1 }", "my.toml:3: expressions.smile.weights.head_x: it is"),
        (SMILE + "rest = ['nose']", "my.toml:3: expressions.smile.rest[1]: expected 'brows'"),
        (SMILE + "rest = ['brows']\nblend = 'add'", "my.toml:3: expressions.smile.rest: only an"),
        ("[expressions.a]\nlabel = 'a'", "my.toml:1: expressions.a: it moves nothing"),
        ("[expressions.a.values]\nmouth_aa = 1", "my.toml:2: expressions.a.values.mouth_aa: no po"),
        (
            "[expressions.a.values]\nmouth_aaa = -1",
            "my.toml:2: expressions.a.values.mouth_aaa: exp",
        ),
        ("[expressions.a.values]\nmouth_aaa = 2", "my.toml:2: expressions.a.values.mouth_aaa: exp"),
        ("[expressions.Ab]\nvalues = {head_x=1}", "my.toml:1: expressions.Ab: expected a name"),
        (NOD, "my.toml:1: expressions.nod: it moves nothing"),
        (NOD + "values = {head_x = 1}", "my.toml:1: expressions.nod: a one_shot needs keyframes"),
        (NOD + "keyframes = [{at_s = 0, values = {head_x = 1}}]", "my.toml:3: expressions.nod.key"),
        (
            NOD + "[[expressions.nod.keyframes]]\nat_s = 1\nvalues = {head_x = 1}\n"
            "[[expressions.nod.keyframes]]\nat_s = 0.5\nvalues = {head_x = 0}",
            "my.toml:7: expressions.nod.keyframes[2].at_s: 0.5 does not come after 1",
        ),
        (
            "[expressions.a]\nloop = true\nkeyframes = [{at_s = 1, values = {head_x = 1}}]",
            "my.toml:3: expressions.a.keyframes[1].values.head_x: a loop ends where it begins",
        ),
        (
            SMILE + "[random.r]\nevery_s = [2, 1]\nchoose = { smile = 1, cry = 1 }",
            "my.toml:4: random.r.every_s: 2 is longer than 1",
        ),
        (
            SMILE + "[random.r]\nevery_s = [1, 2]\nchoose = { smile = 1 }",
            "my.toml:5: random.r.choose.smile: a toggle never ends",
        ),
        (SMILE + "[random.r]\nchoose = {smile = 1}", "my.toml:3: random.r.every_s: it is missing"),
        ("version = 2", "my.toml:1: version: expected 1, got 2"),
        ("expressions = 3", "my.toml:1: expressions: expected a table, got 3"),
        ("a = ", "my.toml:1: Invalid value (at end of document)"),
        (SMILE + "since = 2020-01-01", "what no setting takes, such as a date"),
        ("a = " + "9" * 5000, "my.toml: "),
        ("a = 1\nb = .5", "my.toml:2: Invalid value"),
        ("a = " + "[" * 5000, "my.toml: nested too deeply"),
        (f"{'a.' * 300}b = 1", "my.toml:1: more than 200 dots; break the line"),
        ("#" * (MAX_BYTES + 1), "my.toml: larger than 128 KiB"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_remedy(text: str, complaint: str) -> None:
    told = complaint_of(text)
    assert complaint in told
    assert len(told) < 2000


def test_all_mistakes_are_told_at_once_but_not_hundreds() -> None:
    told = complaint_of("".join(f"[expressions.e{i}]\nx = 1\n" for i in range(60))).splitlines()
    assert told[0].startswith("my.toml:2: expressions.e0.x:")
    assert (len(told), told[-1]) == (11, "my.toml: and 50 more")


def test_too_many_expressions_are_refused() -> None:
    text = "".join(f"[expressions.e{i}]\nvalues = {{head_x = 1}}\n" for i in range(201))
    assert "expressions: expected 200 entries or fewer" in complaint_of(text)


def test_own_expressions_stand_beside_the_built_in_ones_and_replace_them() -> None:
    text = "[expressions.smile]\nlabel = 'Mine'\nvalues = {mouth_aaa = 1}\n[expressions.cat]\n"
    library = parse_library(text + "values = {mouth_uuu = 1}", "my.toml", NAMES)
    assert library.expressions["smile"].label == "Mine"
    assert {"cat", "joy", "nod"} <= set(library.expressions)
    assert set(library_of(text + "values = {mouth_uuu = 1}").expressions) == {"smile", "cat"}


def test_a_built_in_choice_that_was_replaced_by_one_without_end_is_not_chosen() -> None:
    library = parse_library("[expressions.tilt]\nvalues = {neck_z = 1}", "my.toml", NAMES)
    assert set(library.randoms[0].choose) == {"look_away"}


def test_one_side_wins_over_both() -> None:
    text = "[expressions.a.values]\neye_wink_left = 0.25\neye_wink = 1"
    values = [0.0] * POSE_SIZE
    library_of(text).expressions["a"].lay_over(values, 1.0, 0.0)
    assert (values[PoseParam.EYE_WINK_LEFT], values[PoseParam.EYE_WINK_RIGHT]) == (0.25, 1.0)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_library(tmp_path / "none.toml", NAMES)
    file = tmp_path / "odd.toml"
    file.write_bytes(b"# fine\n\xff\n")
    with pytest.raises(ConfigError, match=r"odd\.toml:2: not UTF-8"):
        read_library(file, NAMES)
    file.write_bytes(b"#" * 10_000_000)
    with pytest.raises(ConfigError, match="larger than 128 KiB"):
        read_library(file, NAMES)


def test_twelve_and_more_good_expressions_come_with_vtbridge() -> None:
    wanted = {"smile", "joy", "sad", "angry", "surprised", "shocked", "wink_left", "wink_right"}
    wanted |= {"smug", "shy", "sleepy", "pout", "nod", "shake", "look_away"}
    assert wanted <= set(builtin_file().expressions)
    moods = [e for e in builtin_file().expressions.values() if e.mode is Mode.TOGGLE]
    assert {table.group for table in moods} == {"mood"}, "one mood at a time"


def test_built_in_faces_are_symmetrical_unless_they_mean_not_to_be() -> None:
    library = builtin_library(NAMES)
    sided = {"smug", "shy", "sad", "sleepy", "wink_left", "wink_right", "tilt"}
    for name, expression in library.expressions.items():
        if name in sided or expression.timeline is not None:
            continue
        values = [0.0] * POSE_SIZE
        expression.lay_over(values, 1.0, 0.0)
        np.testing.assert_array_equal(THA3.mirror(np.array(values)), values, err_msg=name)
    left, right = [0.0] * POSE_SIZE, [0.0] * POSE_SIZE
    library.expressions["wink_left"].lay_over(left, 1.0, 0.0)
    library.expressions["wink_right"].lay_over(right, 1.0, 0.0)
    np.testing.assert_array_equal(THA3.mirror(np.array(left)), right)


def test_built_in_moves_come_back_to_where_the_head_is_held() -> None:
    for name, expression in builtin_library(NAMES).expressions.items():
        if expression.timeline is None:
            continue
        assert all(value == 0.0 for _, value in expression.timeline.at(60.0)), name
        for track in expression.timeline.tracks.values():
            for (t0, v0), (t1, v1) in pairwise(zip(track.times, track.values, strict=True)):
                assert abs(v1 - v0) / (t1 - t0) < 5.0, "no faster than a head turns"
