from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from vtbridge.datatypes import F32Array
from vtbridge.tracking.microphone.loudness import (
    ABOVE_FLOOR_DB,
    BELOW_PEAK_DB,
    LEVEL_SAMPLES,
    SHORTEST_RANGE_DB,
    SILENCE_DB,
    LoudnessMouth,
    level_db,
)
from vtbridge.tracking.microphone.sound import SAMPLE_RATE
from vtbridge.tracking.settings import MicrophoneSettings

HOP_S = 0.01


def heard(mouth: LoudnessMouth, db: float, seconds: float) -> list[float]:
    return [mouth.hear(db, HOP_S) for _ in range(round(seconds / HOP_S))]


@pytest.fixture
def mouth() -> LoudnessMouth:
    return LoudnessMouth(MicrophoneSettings(quiet_db=-50, loud_db=-20))


def sine(hz: float, db: float) -> F32Array:
    phase = 2 * np.pi * hz * np.arange(LEVEL_SAMPLES) / SAMPLE_RATE
    wave: F32Array = (np.sin(phase) * np.sqrt(2) * 10 ** (db / 20)).astype(np.float32)
    return wave


@pytest.mark.parametrize("db", [-60.0, -20.0, 0.0])
@pytest.mark.parametrize("hz", [400.0, 1010.0, 3000.0])
def test_level_is_that_of_the_sine(hz: float, db: float) -> None:
    assert level_db(sine(hz, db)) == pytest.approx(db, abs=0.1)


@pytest.mark.parametrize("hz", [50.0, 60.0, 100.0, 5000.0, 7000.0])
def test_hum_and_hiss_are_not_loud(hz: float) -> None:
    assert level_db(sine(hz, -10.0)) < -45.0


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_offset_is_no_sound(offset: float) -> None:
    assert level_db(np.full(LEVEL_SAMPLES, offset, np.float32)) < -115.0


def test_mouth_reaches_both_limits(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 1)
    assert heard(mouth, -20, 0.5)[-1] == pytest.approx(1.0, abs=0.01)
    assert heard(mouth, -50, 1)[-1] == 0.0


def test_louder_is_wider(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 2)
    openings = [heard(mouth, db, 0.5)[-1] for db in (-45, -40, -35, -30, -25)]
    assert openings == sorted(openings)
    assert openings[2] == pytest.approx(0.5, abs=0.01)


def test_mouth_opens_within_a_frame_of_video_or_two(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 1)
    assert heard(mouth, -20, 0.05)[-1] > 0.8


def test_gap_between_syllables_does_not_shut_the_mouth(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 1)
    heard(mouth, -20, 0.2)
    assert heard(mouth, SILENCE_DB, 0.03)[-1] > 0.6


def test_flicker_of_the_level_hardly_moves_the_mouth(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 1)
    openings = [mouth.hear(-20.0 if hop % 2 else -35.0, HOP_S) for hop in range(200)][100:]
    assert max(openings) - min(openings) < 0.25


def test_hum_of_the_room_is_learned(mouth: LoudnessMouth) -> None:
    heard(mouth, -42, 3)
    assert heard(mouth, -42, 1)[-1] == 0.0
    assert mouth.closed_below_db == -42 + ABOVE_FLOOR_DB
    assert heard(mouth, -20, 0.3)[-1] > 0.95


def test_room_that_grew_quiet_is_learned_again(mouth: LoudnessMouth) -> None:
    heard(mouth, -40, 10)
    heard(mouth, -70, 1)
    assert mouth.closed_below_db == -50


def test_fan_that_goes_on_later_is_learned(mouth: LoudnessMouth) -> None:
    heard(mouth, -70, 3)
    assert heard(mouth, -42, 0.5)[-1] > 0.1
    assert heard(mouth, -42, 12)[-1] == 0.0
    assert mouth.closed_below_db == -42 + ABOVE_FLOOR_DB


def test_long_vowel_does_not_become_the_room(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 1)
    assert heard(mouth, -20, 6)[-1] > 0.95


def test_loud_voice_is_not_wide_open_all_the_time(mouth: LoudnessMouth) -> None:
    heard(mouth, SILENCE_DB, 1)
    syllables = [heard(mouth, db, 0.15)[-1] for db in (-4.0, -20.0) * 4]
    assert min(syllables[::2]) > 0.95
    assert max(syllables[1::2]) < 0.8
    assert mouth.wide_from_db == pytest.approx(-4 - BELOW_PEAK_DB, abs=0.5)
    heard(mouth, SILENCE_DB, 20)
    assert mouth.wide_from_db == -20


def test_loudest_room_still_lets_a_voice_through(mouth: LoudnessMouth) -> None:
    heard(mouth, -10, 20)
    assert mouth.closed_below_db == -20 - SHORTEST_RANGE_DB


@pytest.mark.parametrize(("quiet_db", "loud_db"), [(-20, -20), (-20, -50), (-24, -20)])
def test_limits_that_leave_no_range_are_refused(quiet_db: float, loud_db: float) -> None:
    with pytest.raises(ValidationError, match="6 dB above quiet_db"):
        MicrophoneSettings(quiet_db=quiet_db, loud_db=loud_db)
