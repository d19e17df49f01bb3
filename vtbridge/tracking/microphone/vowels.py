"""Which of five vowels a voice says, by what the same voice's vowels sounded like before."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtbridge.errors import ConfigError
from vtbridge.tracking.microphone.mfcc import COEFFICIENTS

F64Array = NDArray[np.float64]

FEWEST_SAMPLES = 20
"""A vowel heard for less than this many hops (0.2 s) is not known."""
_SHARPNESS = 0.5
"""Weights fall by e for each 2 units of squared distance per coefficient beyond the nearest."""
_LARGEST = 1e3
_SMALLEST_SPREAD = 1e-3


class Vowel(StrEnum):
    """The five vowels, in the order in which Japanese lists them, by their VRM preset."""

    A = "aa"
    I = "ih"  # noqa: E741 - the vowel's name
    U = "ou"
    E = "ee"
    O = "oh"  # noqa: E741 - the vowel's name


class Confusion(NamedTuple):
    """Two vowels and how often one is taken for the other, 0..1."""

    first: Vowel
    second: Vowel
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class VowelProfile:
    """What one person's five vowels sound like.

    Attributes:
        centroids: float64 [5, COEFFICIENTS], mean MFCC of each ``Vowel``, finite.
        spread: float64 [COEFFICIENTS], how much each coefficient varies within a vowel, > 0.
    """

    centroids: F64Array
    spread: F64Array

    @classmethod
    def from_samples(cls, samples: Mapping[Vowel, F64Array]) -> VowelProfile:
        """Return the profile of MFCC float64 [N, COEFFICIENTS] of each of the five.

        Raises:
            ConfigError: a vowel was heard for too short a time.
        """
        for vowel in Vowel:
            heard = len(samples.get(vowel, ()))
            if heard < FEWEST_SAMPLES:
                raise ConfigError(
                    f"the vowel {vowel.name} was heard for {heard / 100} s; "
                    f"hold it for at least {FEWEST_SAMPLES / 100} s, louder or nearer"
                )
        centroids = np.array([samples[vowel].mean(axis=0) for vowel in Vowel])
        within = np.concatenate([samples[vowel] - samples[vowel].mean(axis=0) for vowel in Vowel])
        # A held vowel varies less than the same one in speech, so what separates the vowels
        # widens the scale: where they all agree, a coefficient says nothing.
        spread = np.hypot(within.std(axis=0), centroids.std(axis=0))
        return cls(centroids, np.maximum(spread, _SMALLEST_SPREAD))

    def distances(self, coefficients: F64Array) -> F64Array:
        """Return [5] squared distances of [COEFFICIENTS], in units of spread, from each vowel."""
        apart = (self.centroids - coefficients) / self.spread
        squared: F64Array = (apart * apart).sum(axis=1)
        return squared

    def nearest(self, coefficients: F64Array) -> Vowel:
        """Return the vowel whose centroid is nearest."""
        return _VOWELS[int(self.distances(coefficients).argmin())]

    def weights(self, coefficients: F64Array) -> F64Array:
        """Return [5] how much of each vowel there is; they sum to 1."""
        distances = self.distances(coefficients)
        likeness = np.exp(-_SHARPNESS * (distances - distances.min()))
        weights: F64Array = likeness / likeness.sum()
        return weights

    def to_dict(self) -> dict[str, object]:
        """Return a plain dict for JSON."""
        return {
            "vowels": {
                vowel.value: [round(float(value), 6) for value in centroid]
                for vowel, centroid in zip(Vowel, self.centroids, strict=True)
            },
            "spread": [round(float(value), 6) for value in self.spread],
        }

    @classmethod
    def from_dict(cls, saved: object) -> VowelProfile:
        """Return what ``to_dict`` gave, such as read from a file.

        Raises:
            ConfigError: it was damaged.
        """
        match saved:
            case {"vowels": dict() as rows, "spread": spread}:
                centroids = [_numbers(rows.get(vowel.value)) for vowel in Vowel]
                profile = cls(np.array(centroids), np.array(_numbers(spread)))
            case _:
                raise ConfigError(f"no vowels in {str(saved)[:80]!r}")
        if (profile.spread < _SMALLEST_SPREAD).any():
            raise ConfigError("the spread of the vowels is not positive")
        return profile


@dataclass(frozen=True, slots=True)
class Separation:
    """How well recordings keep the five vowels apart.

    Attributes:
        recognised: share of the sound taken for the vowel that it is, 0..1.
        confusions: pairs that are taken for each other, worst first.
    """

    recognised: float
    confusions: tuple[Confusion, ...]


def separation(samples: Mapping[Vowel, F64Array]) -> Separation:
    """Return how well MFCC float64 [N, COEFFICIENTS] of each vowel are kept apart.

    The first half of each vowel is looked up in a profile of the second halves, and back.

    Raises:
        ConfigError: a vowel was heard for too short a time.
    """
    halves = (
        {vowel: heard[: len(heard) // 2] for vowel, heard in samples.items()},
        {vowel: heard[len(heard) // 2 :] for vowel, heard in samples.items()},
    )
    taken = np.zeros((len(Vowel), len(Vowel)))
    for known, tried in itertools.permutations(halves):
        profile = VowelProfile.from_samples(known)
        for row, vowel in enumerate(Vowel):
            for coefficients in tried[vowel]:
                taken[row, int(profile.distances(coefficients).argmin())] += 1
    shares = taken / taken.sum(axis=1, keepdims=True)
    pairs = [
        Confusion(_VOWELS[a], _VOWELS[b], float(max(shares[a, b], shares[b, a])))
        for a, b in itertools.combinations(range(len(Vowel)), 2)
    ]
    confusions = sorted((pair for pair in pairs if pair.share), key=lambda pair: -pair.share)
    return Separation(float(shares.trace()) / len(Vowel), tuple(confusions))


def _numbers(values: object) -> list[float]:
    if isinstance(values, list) and len(values) == COEFFICIENTS:
        # NaN and whole numbers too long for a float fail the comparison.
        numbers = [
            float(value)
            for value in values
            if isinstance(value, (int, float)) and -_LARGEST <= value <= _LARGEST
        ]
        if len(numbers) == COEFFICIENTS:
            return numbers
    raise ConfigError(f"expected {COEFFICIENTS} numbers, not {str(values)[:80]!r}")


_VOWELS = tuple(Vowel)
