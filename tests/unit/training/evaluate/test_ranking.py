from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vtbridge.errors import TrainingError
from vtbridge.training.evaluate.ranking import Comparison, ranking, read_comparisons

STRENGTHS = {"FU": 1.2, "ZH": 0.3, "PU": -0.6, "identity": -0.9}


def answers(count: int) -> list[Comparison]:
    """Return what people of known tastes would answer."""
    random = np.random.default_rng(1)
    names = list(STRENGTHS)
    given = []
    for _ in range(count):
        left, right = random.choice(names, 2, replace=False)
        chance = 1 / (1 + np.exp(STRENGTHS[right] - STRENGTHS[left]))
        given.append(Comparison(left, right, "left" if random.random() < chance else "right"))
    return given


def test_known_strengths_are_found_again() -> None:
    ranks = ranking(answers(4000), bootstraps=40)
    assert [rank.name for rank in ranks] == list(STRENGTHS)
    for rank in ranks:
        assert rank.score == pytest.approx(STRENGTHS[rank.name], abs=0.15)
        assert rank.low < rank.score < rank.high
    assert sum(rank.score for rank in ranks) == pytest.approx(0, abs=1e-6)
    assert sum(rank.comparisons for rank in ranks) == 2 * 4000


def test_more_answers_narrow_the_range() -> None:
    few, many = (ranking(answers(count), bootstraps=40)[0] for count in (100, 3000))
    assert many.high - many.low < (few.high - few.low) / 2


def test_ties_alone_make_all_equal_and_who_always_wins_still_has_a_score() -> None:
    ties = [Comparison("a", "b", "tie")] * 5
    assert [rank.score for rank in ranking(ties)] == pytest.approx([0, 0], abs=1e-6)
    won = ranking([Comparison("a", "b", "left")] * 5)
    assert [rank.name for rank in won] == ["a", "b"]
    assert np.isfinite(won[0].score)


def test_a_side_is_no_advantage() -> None:
    mirror = {"left": "right", "right": "left"}
    given = answers(300)
    turned = [Comparison(each.right, each.left, mirror[each.choice]) for each in given]
    for one, other in zip(ranking(given), ranking(turned), strict=True):
        assert one.name == other.name
        assert one.score == pytest.approx(other.score, abs=1e-6)


def test_a_csv_of_the_viewer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text('"picture","left","right","choice"\n"a, b 3","FU-L1-L1","PU-L1","tie"\n')
    assert read_comparisons(path) == [Comparison("FU-L1-L1", "PU-L1", "tie")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no comparison"),
        ("picture,left,right,choice\na,b,c,maybe\n", "line 2"),
        ("picture,left,right,choice\na,b,b,tie\n", "line 2"),
        ("name\nx\n", "line 2"),
    ],
)
def test_a_csv_of_something_else_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(text)
    with pytest.raises(TrainingError, match=complaint):
        read_comparisons(path)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_comparisons(tmp_path)
