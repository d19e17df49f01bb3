from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from vtbridge.errors import TrainingError
from vtbridge.training.evaluate.ranking import Choice, ranking, read_choices

STRENGTHS = {"PU": 1.0, "ZH": 2.0, "FU": 6.0}


def choices(count: int, seed: int = 0) -> list[Choice]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        left, right = (str(name) for name in random.choice(list(STRENGTHS), 2, replace=False))
        likely = STRENGTHS[left] / (STRENGTHS[left] + STRENGTHS[right])
        made.append(Choice(left, right, "left" if random.random() < likely else "right"))
    return made


def test_known_strengths_are_found_again() -> None:
    ranks = ranking(choices(6000), resamples=0)
    assert [rank.name for rank in ranks] == ["FU", "ZH", "PU"]
    middle = np.mean([math.log(strength) for strength in STRENGTHS.values()])
    for rank in ranks:
        assert rank.score == pytest.approx(math.log(STRENGTHS[rank.name]) - middle, abs=0.12)


def test_two_that_were_compared_have_the_odds_of_their_wins() -> None:
    made = [Choice("a", "b", "left")] * 300 + [Choice("b", "a", "left")] * 100
    first, second = ranking(made, resamples=0)
    assert first.score - second.score == pytest.approx(math.log(3), abs=0.01)
    assert (first.wins, first.ties, first.losses) == (300, 0, 100)
    assert (second.wins, second.ties, second.losses) == (100, 0, 300)


def test_ties_alone_leave_nothing_between_two() -> None:
    one, other = ranking([Choice("a", "b", "tie")] * 9, resamples=20)
    assert one.score == pytest.approx(0, abs=1e-9)
    assert other.score == pytest.approx(0, abs=1e-9)
    assert one.ties == 9


def test_who_won_everything_has_a_finite_score() -> None:
    best, worst = ranking([Choice("a", "b", "left")] * 5, resamples=20)
    assert best.name == "a"
    assert math.isfinite(best.score)
    assert best.score > worst.score


def test_more_choices_make_the_scores_surer() -> None:
    few, many = (
        max(rank.high - rank.low for rank in ranking(choices(count), resamples=60))
        for count in (60, 1500)
    )
    assert many < few / 2
    for rank in ranking(choices(1500), resamples=60):
        assert rank.low < rank.score < rank.high


def test_who_was_never_compared_with_the_rest_is_told() -> None:
    with pytest.raises(TrainingError, match="a and c were never compared"):
        ranking([Choice("a", "b", "left"), Choice("c", "d", "left")])


def test_nothing_cannot_be_ranked() -> None:
    with pytest.raises(TrainingError, match="no choices"):
        ranking([])


def test_a_file_of_choices_is_read(tmp_path: Path) -> None:
    path = tmp_path / "choices.csv"
    path.write_text('case,left,right,choice\r\n"one, two",PU-L1,ZH-L1,tie\r\n', "utf-8")
    assert read_choices(path) == [Choice("PU-L1", "ZH-L1", "tie")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("case,left,right\nx,a,b\n", "no column choice"),
        ("", "no column"),
        ("case,left,right,choice\nx,a,b,both\n", "line 2: choice is 'both'"),
        ("case,left,right,choice\nx,a,a,left\n", "line 2: 'a' and 'a'"),
        ("case,left,right,choice\nx,a\n", "line 2: choice is ''"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "choices.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(TrainingError, match=told):
        read_choices(path)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "choices.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_choices(path)
