from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct  # type: ignore[import-untyped]  # scipy ships no types

from tests.support.voices import synthetic_vowel
from vtbridge.tracking.microphone.mfcc import COEFFICIENTS, WINDOW_SAMPLES, mfcc
from vtbridge.tracking.microphone.sound import SAMPLE_RATE
from vtbridge.tracking.microphone.vowels import Vowel


def reference_mfcc(window: np.ndarray) -> np.ndarray:
    """Return the same by the book, band by band."""
    emphasised = np.append(window[0], window[1:] - 0.97 * window[:-1])
    spectrum = np.fft.rfft(emphasised * np.hamming(len(window)))
    hz = np.arange(len(spectrum)) * SAMPLE_RATE / len(window)
    mel = 1127 * np.log(1 + hz / 700)
    edges = np.linspace(1127 * np.log(1 + 60 / 700), 1127 * np.log(1 + 7600 / 700), 28)
    edges_hz = 700 * (np.exp(edges / 1127) - 1)
    bands = []
    for low, middle, high in zip(edges_hz, edges_hz[1:], edges_hz[2:], strict=False):
        weights = np.interp(hz, [low, middle, high], [0, 1, 0], left=0, right=0)
        bands.append(np.log(weights @ np.abs(spectrum) ** 2 + 1e-10))
    assert mel[-1] > edges[-1]
    return np.asarray(dct(np.array(bands), type=2))[1:13] / 2


@pytest.mark.parametrize("vowel", Vowel)
def test_coefficients_are_those_of_the_book(vowel: Vowel) -> None:
    window = synthetic_vowel(vowel, 0.2)[-WINDOW_SAMPLES:]
    np.testing.assert_allclose(mfcc(window), reference_mfcc(window.astype(float)), atol=1e-3)


def test_loudness_does_not_change_them() -> None:
    window = synthetic_vowel(Vowel.A, 0.2)[-WINDOW_SAMPLES:]
    np.testing.assert_allclose(mfcc(window), mfcc(window * np.float32(0.25)), atol=0.01)


@pytest.mark.parametrize("window", [np.zeros(WINDOW_SAMPLES), np.full(WINDOW_SAMPLES, 4.0)])
def test_any_sound_gives_finite_numbers(window: np.ndarray) -> None:
    coefficients = mfcc(window.astype(np.float32))
    assert coefficients.shape == (COEFFICIENTS,)
    assert np.isfinite(coefficients).all()
