"""From sound to faces: one voice listened to, one face for each block."""

from __future__ import annotations

import math

import numpy as np

from vtbridge.datatypes import F32Array, FaceFrame
from vtbridge.tracking.microphone.loudness import LEVEL_SAMPLES, LoudnessMouth, level_db
from vtbridge.tracking.microphone.mfcc import HOP_SAMPLES, WINDOW_SAMPLES, F64Array, mfcc
from vtbridge.tracking.microphone.shapes import mouth_from_vowels
from vtbridge.tracking.microphone.sound import BLOCK_SAMPLES, SAMPLE_RATE, SoundBlock
from vtbridge.tracking.microphone.vowels import Vowel, VowelProfile
from vtbridge.tracking.settings import MicrophoneSettings, MouthShapes

VOWEL_S = 0.04
"""Time constant with which one vowel becomes another."""

_HOP_S = HOP_SAMPLES / SAMPLE_RATE
_VOWEL_GAIN = -math.expm1(-BLOCK_SAMPLES / SAMPLE_RATE / VOWEL_S)


class SoundWindow:
    """The last 64 ms of sound, moved on hop by hop."""

    def __init__(self) -> None:
        self._samples: F32Array = np.zeros(WINDOW_SAMPLES, np.float32)

    def push(self, hop: F32Array) -> None:
        """Append float32 [HOP_SAMPLES]."""
        self._samples[:-HOP_SAMPLES] = self._samples[HOP_SAMPLES:]
        self._samples[-HOP_SAMPLES:] = hop

    def level_db(self) -> float:
        """Return the loudness of the newest 25 ms."""
        return level_db(self._samples[-LEVEL_SAMPLES:])

    def mfcc(self) -> F64Array:
        """Return the coefficients of the whole window."""
        return mfcc(self._samples)


class Voice:
    """Turn blocks of one voice into faces that carry only a mouth.

    Args:
        settings: limits of loudness, and whether vowels are told apart.
        source: what the faces say they come from.
        vowels: what this voice's vowels sound like; None = the mouth says A.
    """

    def __init__(
        self, settings: MicrophoneSettings, source: str, vowels: VowelProfile | None
    ) -> None:
        self._source = source
        self._vowels = vowels if settings.shapes is MouthShapes.VOWELS else None
        self._mouth = LoudnessMouth(settings)
        self._window = SoundWindow()
        self._shares: F64Array | None = None

    def hear(self, block: SoundBlock) -> FaceFrame:
        """Return the face at the end of ``block``."""
        opening = 0.0
        for start in range(0, BLOCK_SAMPLES, HOP_SAMPLES):
            self._window.push(block.samples[start : start + HOP_SAMPLES])
            opening = self._mouth.hear(self._window.level_db(), _HOP_S)
        self._tell_vowel(opening)
        weights = dict.fromkeys(Vowel, 0.0)
        if self._shares is None:
            weights[Vowel.A] = opening
        else:
            for vowel, share in zip(Vowel, self._shares.tolist(), strict=True):
                weights[vowel] = opening * share
        mouth = mouth_from_vowels(weights)
        return FaceFrame(
            t_ns=block.t_ns,
            source=self._source,
            presets=mouth.presets,
            blendshapes=mouth.blendshapes,
        )

    def _tell_vowel(self, opening: float) -> None:
        """Follow the vowel while there is a voice; each word starts with its own.

        Once a block, not once a hop: no mouth is drawn more often.
        """
        if self._vowels is None:
            return
        if opening == 0.0:
            self._shares = None
            return
        heard = self._vowels.weights(self._window.mfcc())
        if self._shares is None:
            self._shares = heard
        else:
            self._shares = self._shares + (heard - self._shares) * _VOWEL_GAIN
