from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vtbridge.training.dataset.split import Split, split_by_work

WORKS = st.lists(st.text(max_size=8), max_size=60)
SHARES = st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(1, 10))


@given(WORKS, SHARES, st.integers(0, 9))
def test_each_work_is_on_one_side_and_shares_hold_to_within_one(
    works: list[str], parts: tuple[int, int, int], seed: int
) -> None:
    shares = {split: part / sum(parts) for split, part in zip(Split, parts, strict=True)}
    sides = split_by_work(works, shares, seed)
    assert sides.keys() == set(works)
    for split, share in shares.items():
        count = sum(side is split for side in sides.values())
        assert abs(count - share * len(sides)) <= 1


@given(WORKS, st.integers(0, 9))
def test_the_order_of_works_changes_nothing(works: list[str], seed: int) -> None:
    shares = {Split.TRAIN: 0.7, Split.VALIDATION: 0.1, Split.TEST: 0.2}
    assert split_by_work(works, shares, seed) == split_by_work(works[::-1] + works, shares, seed)
