"""Listen to one held vowel, and keep only what is surely that vowel."""

from __future__ import annotations

import numpy as np

from vtbridge.tracking.microphone.loudness import SILENCE_DB, LoudnessMouth
from vtbridge.tracking.microphone.mfcc import (
    COEFFICIENTS,
    HOP_SAMPLES,
    WINDOW_SAMPLES,
    F64Array,
)
from vtbridge.tracking.microphone.sound import BLOCK_SAMPLES, SAMPLE_RATE, SoundBlock
from vtbridge.tracking.microphone.voice import SoundWindow

VOWEL_HEARD_S = 2.0
"""Sound that makes a vowel known."""

_HOP_S = HOP_SAMPLES / SAMPLE_RATE
_HOPS_IN_WINDOW = -(-WINDOW_SAMPLES // HOP_SAMPLES)
_PAUSE_HOPS = 20


class VowelRecording:
    """The sound of one vowel: only windows in which the voice never pauses.

    Args:
        mouth: tells the voice from the room; shared by the vowels of one session.
        after_pause: do not listen before 0.2 s without a voice, so that the vowel
            before cannot be taken for this one.
    """

    def __init__(self, mouth: LoudnessMouth, *, after_pause: bool = False) -> None:
        self._mouth = mouth
        self._window = SoundWindow()
        self._pausing = after_pause
        self._quiet_hops = self._loud_hops = 0
        self._heard: list[F64Array] = []
        self._levels: list[float] = []
        self.level_db = SILENCE_DB

    def hear(self, block: SoundBlock) -> None:
        """Listen to ``block``."""
        for start in range(0, BLOCK_SAMPLES, HOP_SAMPLES):
            self._window.push(block.samples[start : start + HOP_SAMPLES])
            self.level_db = self._window.level_db()
            self._mouth.hear(self.level_db, _HOP_S)
            if self.level_db <= self._mouth.closed_below_db:
                self._loud_hops = 0
                self._quiet_hops += 1
                self._pausing = self._pausing and self._quiet_hops < _PAUSE_HOPS
                continue
            self._quiet_hops = 0
            self._loud_hops += 1
            if self._loud_hops >= _HOPS_IN_WINDOW and not self._pausing:
                self._heard.append(self._window.mfcc())
                self._levels.append(self.level_db)

    @property
    def heard_s(self) -> float:
        """Seconds of the vowel so far."""
        return len(self._heard) * _HOP_S

    @property
    def coefficients(self) -> F64Array:
        """MFCC float64 [N, COEFFICIENTS], one row for each 10 ms heard."""
        return np.array(self._heard).reshape(-1, COEFFICIENTS)

    @property
    def voice_db(self) -> float:
        """Median loudness of what was heard, ``SILENCE_DB`` if nothing was."""
        return float(np.median(self._levels)) if self._levels else SILENCE_DB
