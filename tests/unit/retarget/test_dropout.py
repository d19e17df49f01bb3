"""Presence holds, fades and returns without a jump, and tells when a tracker is lost."""

from __future__ import annotations

import itertools

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.retarget.dropout import Presence
from vtbridge.retarget.settings import DropoutSettings

SETTINGS = DropoutSettings()


def ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def run(
    presence: Presence, *, start_s: float, end_s: float, seen: bool, fps: int = 60
) -> list[float]:
    """Return the presence at each beat; ``seen`` = a face comes with each."""
    levels = []
    for beat in range(round(start_s * fps), round(end_s * fps)):
        if seen:
            presence.saw_face(ns(beat / fps))
        levels.append(presence.at(ns(beat / fps)))
    return levels


def test_nobody_is_present_before_the_first_face() -> None:
    presence = Presence(SETTINGS)
    assert presence.at(ns(5)) == 0.0
    assert presence.lost(ns(5))


def test_a_first_face_eases_in() -> None:
    presence = Presence(SETTINGS)
    presence.at(ns(9))
    levels = run(presence, start_s=10, end_s=11, seen=True)
    assert levels[0] == 0.0
    assert levels[round(SETTINGS.recover_s * 60) + 1] == 1.0
    assert max(b - a for a, b in itertools.pairwise(levels)) < 0.07


def test_silence_is_held_then_faded_then_lost() -> None:
    presence = Presence(SETTINGS)
    run(presence, start_s=10, end_s=12, seen=True)
    silence = run(presence, start_s=12, end_s=17, seen=False)
    assert silence[:18] == [1.0] * 18  # 0.3 s
    assert 0.4 < silence[round(0.65 * 60)] < 0.6
    assert silence[60:] == [0.0] * len(silence[60:])
    assert all(b <= a for a, b in itertools.pairwise(silence))


def test_the_tracker_is_lost_after_one_second_of_silence() -> None:
    presence = Presence(SETTINGS)
    presence.saw_face(ns(10))
    assert not presence.lost(ns(10.99))
    assert presence.lost(ns(11))
    presence.saw_face(ns(12))
    assert not presence.lost(ns(12))


def test_a_tracker_that_says_it_lost_the_face_is_believed_sooner() -> None:
    presence = Presence(SETTINGS)
    presence.saw_face(ns(10))
    presence.saw_no_face()
    assert not presence.lost(ns(10.2))
    assert presence.lost(ns(10.3))


def test_a_short_fade_turns_back_without_a_jump() -> None:
    presence = Presence(SETTINGS)
    run(presence, start_s=10, end_s=12, seen=True)
    levels = run(presence, start_s=12, end_s=12.6, seen=False)
    levels += run(presence, start_s=12.6, end_s=14, seen=True)
    assert min(levels) > 0.1
    assert levels[-1] == 1.0
    assert max(abs(b - a) for a, b in itertools.pairwise(levels)) < 0.07


def test_one_late_question_gives_what_many_would_have_given() -> None:
    often, once = Presence(SETTINGS), Presence(SETTINGS)
    for presence in (often, once):
        run(presence, start_s=10, end_s=12, seen=True)
    levels = run(often, start_s=12, end_s=12.7, seen=False)
    assert once.at(ns(round(12.7 * 60 - 1) / 60)) == pytest.approx(levels[-1], abs=1e-6)


def test_a_face_after_a_pause_without_questions_still_eases_in() -> None:
    presence = Presence(SETTINGS)
    run(presence, start_s=10, end_s=12, seen=True)
    presence.saw_face(ns(60))
    assert presence.at(ns(60)) < 0.01
