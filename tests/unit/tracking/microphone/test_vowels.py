from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tests.support.voices import synthetic_vowel
from vtbridge.errors import ConfigError
from vtbridge.tracking.microphone.mfcc import HOP_SAMPLES, WINDOW_SAMPLES, F64Array, mfcc
from vtbridge.tracking.microphone.vowels import Vowel, VowelProfile, separation


def coefficients_of(vowel: Vowel, *, seconds: float = 0.6, **options: Any) -> F64Array:
    sound = synthetic_vowel(vowel, seconds, **options)[WINDOW_SAMPLES:]
    starts = range(0, len(sound) - WINDOW_SAMPLES, HOP_SAMPLES)
    return np.array([mfcc(sound[start : start + WINDOW_SAMPLES]) for start in starts])


@pytest.fixture(scope="module")
def samples() -> dict[Vowel, F64Array]:
    return {vowel: coefficients_of(vowel) for vowel in Vowel}


@pytest.fixture(scope="module")
def profile(samples: dict[Vowel, F64Array]) -> VowelProfile:
    return VowelProfile.from_samples(samples)


@pytest.mark.parametrize("vowel", Vowel)
@pytest.mark.parametrize("change", [{"pitch_hz": 150.0}, {"level_db": -35.0}, {"seed": 9}])
def test_same_voice_said_otherwise_is_recognised(
    profile: VowelProfile, vowel: Vowel, change: dict[str, Any]
) -> None:
    tried = coefficients_of(vowel, **change)
    assert np.mean([profile.nearest(row) is vowel for row in tried]) > 0.9


def test_weights_sum_to_one_and_favour_the_nearest(profile: VowelProfile) -> None:
    for index, _ in enumerate(Vowel):
        weights = profile.weights(profile.centroids[index])
        assert weights.sum() == pytest.approx(1.0)
        assert weights[index] > 0.9


def test_sound_between_two_vowels_is_half_of_each(profile: VowelProfile) -> None:
    weights = profile.weights((profile.centroids[0] + profile.centroids[1]) / 2)
    assert weights[0] == pytest.approx(weights[1])


def test_sound_like_no_vowel_still_has_finite_weights(profile: VowelProfile) -> None:
    weights = profile.weights(np.full(12, 1e6))
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1.0)


def test_profile_comes_back_from_json(profile: VowelProfile) -> None:
    again = VowelProfile.from_dict(json.loads(json.dumps(profile.to_dict())))
    np.testing.assert_allclose(again.centroids, profile.centroids, atol=1e-6)
    np.testing.assert_allclose(again.spread, profile.spread, atol=1e-6)


GOOD = VowelProfile(np.zeros((5, 12)), np.ones(12)).to_dict()


@pytest.mark.parametrize(
    "damage",
    [
        None,
        [],
        {},
        {**GOOD, "spread": [1.0] * 11},
        {**GOOD, "spread": [0.0] * 12},
        {**GOOD, "spread": [math.nan] * 12},
        {**GOOD, "spread": ["1"] * 12},
        {**GOOD, "vowels": {"aa": [0.0] * 12}},
        {**GOOD, "vowels": {name: [1e9] * 12 for name in ("aa", "ih", "ou", "ee", "oh")}},
        {**GOOD, "vowels": {name: [10**400] * 12 for name in ("aa", "ih", "ou", "ee", "oh")}},
    ],
)
def test_damaged_profile_is_refused(damage: object) -> None:
    with pytest.raises(ConfigError):
        VowelProfile.from_dict(damage)


@pytest.mark.parametrize("heard", [0, 19])
def test_vowel_hardly_heard_is_named(samples: dict[Vowel, F64Array], heard: int) -> None:
    with pytest.raises(ConfigError, match="vowel E was heard for"):
        VowelProfile.from_samples({**samples, Vowel.E: samples[Vowel.E][:heard]})


def test_distinct_vowels_are_separate(samples: dict[Vowel, F64Array]) -> None:
    assert separation(samples).recognised > 0.95


def test_vowels_said_alike_are_named_as_confused(samples: dict[Vowel, F64Array]) -> None:
    mumbled = {**samples, Vowel.O: coefficients_of(Vowel.U, seed=5)}
    found = separation(mumbled)
    worst = found.confusions[0]
    assert {worst.first, worst.second} == {Vowel.U, Vowel.O}
    assert found.recognised < 0.95


def test_vowel_that_changes_midway_is_not_separate(samples: dict[Vowel, F64Array]) -> None:
    u, o = samples[Vowel.U], samples[Vowel.O]
    half = len(u) // 2
    wandering = {Vowel.U: np.vstack((u[:half], o[half:])), Vowel.O: np.vstack((o[:half], u[half:]))}
    assert separation({**samples, **wandering}).recognised < 0.65


def test_one_sound_five_times_is_not_five_vowels(samples: dict[Vowel, F64Array]) -> None:
    hum = {vowel: coefficients_of(Vowel.A, seed=number) for number, vowel in enumerate(Vowel)}
    assert separation(hum).recognised < 0.6
