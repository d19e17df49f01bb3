"""Mel-frequency cepstral coefficients: the shape of a voice's spectrum in 12 numbers.

Source: S. Davis, P. Mermelstein, "Comparison of Parametric Representations for
Monosyllabic Word Recognition", IEEE TASSP 28(4), 1980; the usual mel scale of
1127 ln(1 + f / 700).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.tracking.microphone.sound import SAMPLE_RATE

F64Array = NDArray[np.float64]

WINDOW_SAMPLES = SAMPLE_RATE * 64 // 1000
HOP_SAMPLES = SAMPLE_RATE // 100
COEFFICIENTS = 12

_MEL_BANDS = 26
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
_PRE_EMPHASIS = 0.97
_QUIETEST = 1e-10


def mfcc(window: F32Array) -> F64Array:
    """Return float64 [COEFFICIENTS] of float32 [WINDOW_SAMPLES] sound at ``SAMPLE_RATE``.

    Coefficient 0, the loudness, is left out.
    """
    samples = window.astype(np.float64)
    samples[1:] -= _PRE_EMPHASIS * samples[:-1]
    power = np.abs(np.fft.rfft(samples * _HAMMING)) ** 2
    coefficients: F64Array = _COSINES @ np.log(_MEL_FILTERS @ power + _QUIETEST)
    return coefficients


def _mel_filters() -> F64Array:
    """Return triangles float64 [_MEL_BANDS, WINDOW_SAMPLES // 2 + 1], evenly spread in mel."""
    lowest, highest = 1127.0 * np.log1p(np.array((_LOWEST_HZ, _HIGHEST_HZ)) / 700.0)
    edges_hz = 700.0 * np.expm1(np.linspace(lowest, highest, _MEL_BANDS + 2) / 1127.0)
    left, middle, right = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1.0 / SAMPLE_RATE)
    rising, falling = (hz - left) / (middle - left), (right - hz) / (right - middle)
    return np.clip(np.minimum(rising, falling), 0.0, None)


def _cosines() -> F64Array:
    """Return rows 1..COEFFICIENTS of the discrete cosine transform of the bands."""
    rows = np.arange(1, COEFFICIENTS + 1)[:, None]
    cosines: F64Array = np.cos(np.pi / _MEL_BANDS * rows * (np.arange(_MEL_BANDS) + 0.5))
    return cosines


_HAMMING = np.hamming(WINDOW_SAMPLES)
_MEL_FILTERS = _mel_filters()
_COSINES = _cosines()
