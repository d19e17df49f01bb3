from __future__ import annotations

from vtbridge.clock import NS_PER_S
from vtbridge.render.live.hang_guard import HangGuard
from vtbridge.render.live.recovery import Recovery, Remedy

MS = 1_000_000


def test_few_failures_are_borne() -> None:
    recovery = Recovery()
    remedies = [recovery.after_failure(minute * 60 * NS_PER_S) for minute in range(20)]
    assert set(remedies) == {Remedy.WAIT}


def test_failures_in_a_row_reopen_then_replace() -> None:
    recovery = Recovery()
    remedies = [recovery.after_failure(tenth * NS_PER_S // 10) for tenth in range(6)]
    assert remedies == [
        *(Remedy.WAIT, Remedy.WAIT, Remedy.REOPEN),
        *(Remedy.WAIT, Remedy.WAIT, Remedy.REPLACE),
    ]


def test_reopening_of_long_ago_is_no_reason_to_replace() -> None:
    recovery = Recovery()
    assert recovery.after_end(0) is Remedy.REOPEN
    assert recovery.after_end(61 * NS_PER_S) is Remedy.REOPEN
    assert recovery.after_end(62 * NS_PER_S) is Remedy.REPLACE


def test_another_runtime_begins_with_a_clean_sheet() -> None:
    recovery = Recovery()
    recovery.after_end(0)
    recovery.after_replacement()
    assert recovery.after_end(NS_PER_S) is Remedy.REOPEN


def test_waits_grow_to_a_bound_and_begin_anew_after_a_frame() -> None:
    recovery = Recovery()
    waits = [recovery.retry_after_ns() // NS_PER_S for _ in range(7)]
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    recovery.succeeded()
    assert recovery.retry_after_ns() == NS_PER_S


def test_first_pose_and_loading_may_take_long() -> None:
    guard = HangGuard()
    assert guard.limit_ns() == 30 * NS_PER_S
    assert guard.limit_ns(opening=True) > 60 * NS_PER_S


def test_hanging_is_twenty_times_the_usual_but_three_seconds_at_least() -> None:
    guard = HangGuard()
    for _ in range(10):
        guard.note(20 * MS)
    assert guard.limit_ns() == 3 * NS_PER_S
    for _ in range(64):
        guard.note(800 * MS)
    assert guard.limit_ns() == 16 * NS_PER_S
