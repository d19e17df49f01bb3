"""A look down is no blink, a blink is no wink, and a blink's peak is seen."""

from __future__ import annotations

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.retarget.blinks import PeakHold, SmartWink, without_look_down

NAMES = ("eyeBlinkLeft", "eyeBlinkRight")
FPS = 60


def at(i: int) -> int:
    return NS_PER_S + i * NS_PER_S // FPS


def test_lids_that_follow_a_look_down_count_as_open() -> None:
    resting = {"eyeBlinkLeft": 0.25, "eyeBlinkRight": 0.2, "jawOpen": 0.3}
    opened = without_look_down(resting, NAMES, 0.6, 1.0)
    assert opened == {"eyeBlinkLeft": 0.0, "eyeBlinkRight": 0.0, "jawOpen": 0.3}
    assert resting["eyeBlinkLeft"] == 0.25


def test_an_eye_that_looks_down_still_closes() -> None:
    for down in (0.3, 1.0, 5.0):
        assert without_look_down({NAMES[0]: 1.0}, NAMES, down, 1.0)[NAMES[0]] == 1.0
        assert without_look_down({NAMES[0]: 0.9}, NAMES, down, 0.8)[NAMES[0]] > 0.8


@pytest.mark.parametrize(("down", "share"), [(0.0, 1.0), (-0.7, 1.0), (0.7, 0.0)])
def test_looking_ahead_or_up_changes_nothing(down: float, share: float) -> None:
    shapes = {"eyeBlinkLeft": 0.3}
    assert without_look_down(shapes, NAMES, down, share) == shapes


def joined(
    left: list[float], right: list[float], after_s: float = 0.1
) -> tuple[list[float], list[float]]:
    wink = SmartWink(*NAMES, after_s)
    shown = [
        wink.joined({"eyeBlinkLeft": a, "eyeBlinkRight": b}, at(i))
        for i, (a, b) in enumerate(zip(left, right, strict=True))
    ]
    return [s["eyeBlinkLeft"] for s in shown], [s["eyeBlinkRight"] for s in shown]


def test_a_blink_seen_on_one_eye_first_closes_both_alike() -> None:
    """The right lid comes two samples late and not as far, as webcams see it."""
    left = [0.0, 0.5, 0.9, 0.9, 0.9, 0.5, 0.0, 0.0]
    right = [0.0, 0.0, 0.0, 0.4, 0.7, 0.7, 0.4, 0.0]
    shown = joined(left, right)
    assert shown[0] == shown[1]
    assert max(shown[0]) == pytest.approx(0.9)
    assert shown[0][2] == 0.0  # undecided: an eye that turns out to be open stays open


def test_a_wink_is_shown_on_its_eye_alone() -> None:
    left, right = joined([0.0] * 6 + [0.9] * 40, [0.05] * 46)
    assert left[11] == pytest.approx(0.05)
    assert left[-1] == 0.9
    assert right == pytest.approx([0.05] * 46)
    closing = next(i for i, value in enumerate(left) if value > 0.7)
    assert 6 + 6 <= closing <= 6 + 13  # 0.1 s to be sure, 0.1 s to fade in


def test_a_wink_that_ends_leaves_both_eyes_alike() -> None:
    left, right = joined([0.9] * 40 + [0.2] * 40, [0.0] * 40 + [0.1] * 40)
    assert left[39] == 0.9
    assert left[-1] == right[-1] == pytest.approx(0.2)


def test_half_a_wink_flickers_neither_on_nor_off() -> None:
    """A difference around the border stays what it was: a wink ends later than it begins."""
    left, _ = joined([0.4] * 40 + [0.9] * 30 + [0.4] * 40, [0.0] * 110)
    assert left[39] < 0.3
    assert left[-1] == pytest.approx(0.4)


def test_one_eye_alone_is_taken_as_it_comes() -> None:
    assert SmartWink(*NAMES, 0.1).joined({"eyeBlinkLeft": 0.9}, at(0)) == {"eyeBlinkLeft": 0.9}


def test_after_a_reset_a_wink_has_to_prove_itself_again() -> None:
    wink = SmartWink(*NAMES, 0.1)
    for i in range(40):
        wink.joined({"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.0}, at(i))
    wink.reset()
    assert wink.joined({"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.0}, at(40))["eyeBlinkLeft"] == 0.0


def held(values: list[float], *, fps: int = 60, hold_s: float = 0.1) -> list[float]:
    peak_hold, shown = PeakHold(("blink", "absent"), hold_s, threshold=0.75), []
    for i, x in enumerate(values):
        given = {"blink": x, "other": x}
        got = peak_hold.held(given, NS_PER_S + round(i / fps * NS_PER_S))
        assert given == {"blink": x, "other": x}
        assert got == {"blink": got["blink"], "other": x}
        shown.append(got["blink"])
    return shown


def test_a_blink_of_one_sample_is_shown_for_the_hold_time() -> None:
    shown = held([0.0] * 5 + [1.0] + [0.0] * 20)
    assert shown == [0.0] * 5 + [1.0] * 7 + [0.0] * 14


def test_an_opening_lid_is_not_held_at_every_step() -> None:
    values = [1.0] * 20 + [1.0 - i / 60 for i in range(60)]
    shown = held(values)
    assert shown[21:27] == [1.0] * 6
    assert shown[27:] == values[27:]  # from 0.88 on, still above what is worth holding


def test_half_closed_lids_follow_at_once() -> None:
    values = [0.3, 0.6, 0.7, 0.5, 0.6, 0.2]
    assert held(values) == values
