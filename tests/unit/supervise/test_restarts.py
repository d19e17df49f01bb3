from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vtbridge.clock import NS_PER_S
from vtbridge.supervise.restarts import Restarts


def test_the_first_restart_is_at_once_and_the_waits_double() -> None:
    restarts = Restarts(5, 60)
    assert [restarts.wait_s(at * NS_PER_S) for at in range(5)] == [0, 0.25, 0.5, 1, 2]
    assert restarts.count == 5


def test_what_fails_once_more_is_given_up() -> None:
    restarts = Restarts(2, 60)
    assert restarts.wait_s(0) is not None
    assert restarts.wait_s(1) is not None
    assert restarts.wait_s(60 * NS_PER_S - 1) is None


def test_what_happened_long_ago_is_forgotten() -> None:
    restarts = Restarts(2, 60)
    restarts.wait_s(0)
    restarts.wait_s(30 * NS_PER_S)
    assert restarts.wait_s(60 * NS_PER_S) == 0.25
    assert restarts.wait_s(61 * NS_PER_S) is None
    assert restarts.wait_s(200 * NS_PER_S) == 0


def test_none_at_all_can_be_wanted() -> None:
    assert Restarts(0, 60).wait_s(5) is None


@given(st.lists(st.integers(0, 20 * NS_PER_S), max_size=60), st.integers(1, 6))
def test_there_are_never_more_restarts_in_a_window_than_allowed(gaps: list[int], most: int) -> None:
    restarts, now_ns, done = Restarts(most, 60), 0, []
    for gap in gaps:
        now_ns += gap
        if restarts.wait_s(now_ns) is not None:
            done.append(now_ns)
    for at in done:
        assert sum(at <= other < at + 60 * NS_PER_S for other in done) <= most
