from __future__ import annotations

import pytest

from tests.support.expressions import NAMES
from vtbridge.expressions.grammar import ConditionError, Sight, parse_condition
from vtbridge.pose_params import POSE_SIZE, PoseParam


def sight(tracked: bool = True, **values: float) -> Sight:
    pose, shapes = [0.0] * POSE_SIZE, {}
    for name, value in values.items():
        if name.upper() in PoseParam.__members__:
            pose[PoseParam[name.upper()]] = value
        else:
            shapes[name] = value
    return Sight(pose, shapes, tracked)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mouth_aaa > 0.6", True),
        ("mouth_aaa < 0.6", False),
        ("mouth_aaa >= .75 and mouth_aaa <= 0.75", True),
        ("jawOpen > 0.4", True),
        ("mouthSmileLeft > 0", False),
        ("eye_wink > 0.45 and eye_wink < 0.55", True),
        ("tracked", True),
        ("not tracked", False),
        ("not not tracked", True),
        ("mouth_aaa > 1 or mouth_aaa > 0.5 and jawOpen > 0.4", True),
        ("(mouth_aaa > 1 or mouth_aaa > 0.5) and jawOpen > 0.9", False),
        ("abs(head_y) > 0.3", True),
        ("-head_y > 0.3", True),
        ("max(mouth_aaa, head_y, 0.9) >= 0.9", True),
        ("min(mouth_aaa, 2 * jawOpen) > 0.7", True),
        ("1 - 0.25 - 0.25 > 0.5", False),
        ("2 + 3 * 2 > 7.5", True),
        ("(2 + 3) * 2 < 11", True),
        ("mouth_aaa-jawOpen>0.2", True),
    ],
)
def test_condition_means_what_it_says(text: str, expected: bool) -> None:
    seen = sight(mouth_aaa=0.75, jawOpen=0.5, head_y=-0.5, eye_wink_left=1.0)
    assert parse_condition(text, NAMES).holds(seen) is expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "column 1: expected a name or a number, not the end"),
        ("mouth_aaa", "column 1: this is a number, not yes or no; compare it"),
        ("mouth_aaaa > 1", "did you mean mouth_aaa"),
        ("mouth_aaa == 1", "column 11: did not expect '='; compare by < or >"),
        ("0.2 < mouth_aaa < 0.5", "column 17: did not expect '<'; write 0.2 < x and x < 0.5"),
        ("mouth_aaa > 0.5 jawOpen > 1", "column 17: did not expect 'jawOpen'; join"),
        ("tracked > 0.5", "column 1: this is yes or no, not a number"),
        ("tracked + 1 > 2", r"\+ takes numbers"),
        ("mouth_aaa and tracked", "column 1: this is a number"),
        ("not mouth_aaa", "this is a number, not yes or no"),
        ("abs(1, 2) > 0", r"abs\(\) takes one number, not 2"),
        ("min(1) > 0", r"min\(\) takes 2 to 8 numbers, not 1"),
        ("max(tracked, 1) > 0", r"max\(\) takes numbers"),
        ("(mouth_aaa > 1", r"column 15: expected \), not the end"),
        ("mouth_aaa / 2 > 1", "did not expect '/'"),
        ("mouth_aaa > 1e9", "column 14: did not expect 'e9'"),
        ("mouth_aaa > 1001", "too large; at most 1000"),
        ("__import__('os')", "column 12: did not expect"),
        ("mouth_aaa.real > 1", r"did not expect '\.'"),
        ("and > 1", "column 1: expected a name or a number, not 'and'"),
        ("(" * 400, "nested deeper than 16"),
        ("1 > " + "1 + " * 70 + "1", "more than 64 parts"),
        ("not " * 90 + "tracked", "more than 64 parts"),
        ("x" * 401, "401 characters; at most 400"),
    ],
)
def test_what_is_wrong_is_told_with_its_column_and_the_remedy(text: str, complaint: str) -> None:
    with pytest.raises(ConditionError, match=complaint):
        parse_condition(text, NAMES)


def test_names_are_known_so_that_silence_about_tracking_can_be_noticed() -> None:
    assert parse_condition("not tracked or jawOpen > 1", NAMES).names == {"tracked", "jawOpen"}
