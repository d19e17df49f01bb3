"""Hours of work in a log: a line now and then, with what is left."""

from __future__ import annotations

import pytest

from vtbridge.cli.progress import ProgressLines, shown_progress
from vtbridge.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def lines_of(clock: ManualClock, steps: int, step_s: float, *, first: int = 0) -> list[str]:
    """Return what is said while ``steps`` pictures are drawn."""
    said: list[str] = []
    progress = ProgressLines(said.append, clock)
    progress("drawing", first, steps)
    for done in range(first + 1, steps + 1):
        clock.advance(step_s)
        progress("drawing", done, steps)
    return said


def test_quick_work_says_each_tenth(clock: ManualClock) -> None:
    said = lines_of(clock, 1000, 0.001)
    assert said == [f"drawing: {tenth}00 of 1000 ({tenth}0 %)" for tenth in range(1, 11)]


def test_slow_work_is_never_silent_for_longer_than_half_a_minute(clock: ManualClock) -> None:
    said = lines_of(clock, 1000, 1.0)
    assert len(said) == 1000 // 30 + 10 - 1000 // 300  # every 300th comes with both
    assert said[0] == "drawing: 30 of 1000 (3 %), 16 min left"
    assert said[-1] == "drawing: 1000 of 1000 (100 %)"


def test_time_left_is_told_in_hours_and_seconds_too(clock: ManualClock) -> None:
    assert lines_of(clock, 1000, 10.0)[0] == "drawing: 3 of 1000 (0 %), 2 h 46 min left"
    assert lines_of(clock, 20, 5.0)[-2] == "drawing: 18 of 20 (90 %), 10 s left"


def test_what_an_earlier_run_did_is_no_speed_of_this_one(clock: ManualClock) -> None:
    assert lines_of(clock, 1000, 1.0, first=500)[0] == "drawing: 530 of 1000 (53 %), 8 min left"


def test_unknown_length_is_told_without_a_share(clock: ManualClock) -> None:
    said: list[str] = []
    progress = ProgressLines(said.append, clock)
    for done in range(65):
        progress("following the face", done, 0)
        clock.advance(1.0)
    assert said == ["following the face: 30", "following the face: 60"]


def test_next_stage_begins_anew(clock: ManualClock) -> None:
    said: list[str] = []
    progress = ProgressLines(said.append, clock)
    for stage in ("following the face", "drawing"):
        for done in (0, 5, 10):
            progress(stage, done, 10)
    assert said[:2] == [
        "following the face: 5 of 10 (50 %)",
        "following the face: 10 of 10 (100 %)",
    ]
    assert said[2] == "drawing: 5 of 10 (50 %)"


def test_without_a_terminal_lines_go_to_stderr(
    clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown_progress(clock) as progress:
        progress("drawing", 0, 2)
        progress("drawing", 1, 2)
    assert capsys.readouterr() == ("", "drawing: 1 of 2 (50 %)\n")
