"""How loud a voice is, and how far that opens a mouth."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.tracking.microphone.sound import SAMPLE_RATE
from vtbridge.tracking.settings import MicrophoneSettings

LEVEL_SAMPLES = SAMPLE_RATE * 25 // 1000
"""Loudness is that of the last 25 ms: two periods of a deep voice."""
SILENCE_DB = -120.0
"""What no sound at all measures."""

ABOVE_FLOOR_DB = 8.0
"""How much louder than the room a voice must be to open the mouth."""
SHORTEST_RANGE_DB = 12.0
"""However loud the room is, this much below ``loud_db`` still opens the mouth."""
FLOOR_PERIOD_S = 1.0
FLOOR_PERIODS = 8
"""Speech pauses at least once in this many periods; what goes on for longer is the room."""

ATTACK_S = 0.025
RELEASE_S = 0.09
"""Time constants; the mouth opens with the consonant, and does not flutter between syllables."""

OPENING_S = 0.1
"""Microphones give silence or a crack when they are opened, which is not the room."""

PEAK_FALL_DB_PER_S = 1.0
"""How fast a voice louder than ``loud_db`` is forgotten."""
BELOW_PEAK_DB = 4.0
"""A voice is wide open this far below its own peaks, which are shouts and laughs."""

_SHUT = 0.01
"""An exponential never arrives; this is closed."""
_VOWEL_BINS = slice(250 * LEVEL_SAMPLES // SAMPLE_RATE, 3500 * LEVEL_SAMPLES // SAMPLE_RATE)
_HANN = np.hanning(LEVEL_SAMPLES + 1)[:-1].astype(np.float32)
_POWER_FROM_BINS = 2.0 / (LEVEL_SAMPLES * float(np.sum(_HANN**2)))


def level_db(samples: F32Array) -> float:
    """Return how loud the vowels in float32 [LEVEL_SAMPLES] are, dB below full scale.

    Only their band counts: hum, rumble and puffs of breath lie below it, hiss and s, said
    with teeth together, above it, and m and n have little in it. A sine in the band
    measures its RMS.
    """
    band = np.fft.rfft(samples * _HANN)[_VOWEL_BINS]
    power = _POWER_FROM_BINS * float(np.vdot(band, band).real)
    return max(10.0 * math.log10(power), SILENCE_DB) if power > 0.0 else SILENCE_DB


class NoiseFloor:
    """Learn how loud the room is: the quietest moment of the last seconds.

    Source: the idea of minimum statistics (R. Martin, IEEE Transactions on Speech and
    Audio Processing 9(5), 2001), without its bias correction.
    """

    def __init__(self) -> None:
        self._minima: deque[float] = deque(maxlen=FLOOR_PERIODS)
        self._minimum = math.inf
        self._heard_s = -OPENING_S

    @property
    def db(self) -> float:
        """The room's loudness, ``SILENCE_DB`` until the first period has been heard."""
        return min(*self._minima, self._minimum) if self._minima else SILENCE_DB

    def hear(self, db: float, seconds: float) -> None:
        """Take in ``seconds`` of sound as loud as ``db``."""
        self._heard_s += seconds
        if self._heard_s < 0.0:
            return
        self._minimum = min(self._minimum, db)
        if self._heard_s >= FLOOR_PERIOD_S:
            self._minima.append(self._minimum)
            self._minimum, self._heard_s = math.inf, 0.0


class LoudnessMouth:
    """Turn loudness into an opening of 0..1: closed in the room's noise, calm in speech."""

    def __init__(self, settings: MicrophoneSettings) -> None:
        self._quiet_db = settings.quiet_db
        self._loud_db = settings.loud_db
        self._floor = NoiseFloor()
        self._peak_db = SILENCE_DB
        self._opening = 0.0

    @property
    def closed_below_db(self) -> float:
        """The loudness that just does not open the mouth, as the room is now."""
        learned_db = min(self._floor.db + ABOVE_FLOOR_DB, self._loud_db - SHORTEST_RANGE_DB)
        return max(self._quiet_db, learned_db)

    @property
    def wide_from_db(self) -> float:
        """The loudness that opens the mouth wide; a loud voice raises it beyond ``loud_db``.

        Otherwise a mouth near a hot microphone would stay open from word to word.
        """
        return max(self._loud_db, self._peak_db - BELOW_PEAK_DB)

    def hear(self, db: float, seconds: float) -> float:
        """Return the opening after ``seconds`` more of sound as loud as ``db``."""
        self._floor.hear(db, seconds)
        self._peak_db = max(db, self._peak_db - PEAK_FALL_DB_PER_S * seconds)
        closed_db = self.closed_below_db
        wanted = min(max((db - closed_db) / (self.wide_from_db - closed_db), 0.0), 1.0)
        constant_s = ATTACK_S if wanted > self._opening else RELEASE_S
        self._opening += (wanted - self._opening) * -math.expm1(-seconds / constant_s)
        if wanted == 0.0 and self._opening < _SHUT:
            self._opening = 0.0
        return self._opening
