"""Looped curves pass through their keys and close without a jump."""

from __future__ import annotations

import itertools

import pytest

from vtbridge.tracking.senders.keyframes import LoopedCurve, LoopedNoise


def test_curve_passes_through_its_keys_and_eases_between() -> None:
    curve = LoopedCurve(10.0, [(0.0, 0.0), (2.0, 1.0), (4.0, -1.0)])
    assert [curve.at(t) for t in (0.0, 2.0, 4.0)] == [0.0, 1.0, -1.0]
    assert curve.at(1.0) == pytest.approx(0.5)
    assert curve.at(0.1) < 0.01


def test_curve_joins_its_last_key_to_its_first() -> None:
    curve = LoopedCurve(10.0, [(2.0, 1.0), (8.0, 3.0)])
    assert curve.at(0.0) == pytest.approx(2.0)
    assert curve.at(9.999999) == pytest.approx(curve.at(0.0), abs=1e-5)
    assert curve.at(25.0) == pytest.approx(curve.at(5.0))


def test_curve_of_one_key_is_constant() -> None:
    curve = LoopedCurve(10.0, [(3.0, 0.7)])
    assert {curve.at(t) for t in (0.0, 3.0, 9.0)} == {0.7}


@pytest.mark.parametrize(
    "keys", [[], [(1.0, 0.0), (1.0, 1.0)], [(2.0, 0.0), (1.0, 1.0)], [(-1.0, 0.0)], [(10.0, 0.0)]]
)
def test_senseless_keys_are_refused(keys: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="keyframes must rise"):
        LoopedCurve(10.0, keys)


def test_noise_loops_smoothly_and_is_the_same_for_the_same_seed() -> None:
    noise, same, other = (LoopedNoise(10.0, 0.5, seed) for seed in (1, 1, 2))
    samples = [noise.at(i / 100) for i in range(1001)]
    assert max(abs(b - a) for a, b in itertools.pairwise(samples)) < 0.1
    assert samples[0] == pytest.approx(samples[-1])
    assert samples == [same.at(i / 100) for i in range(1001)]
    assert samples != [other.at(i / 100) for i in range(1001)]
    assert max(map(abs, samples)) < 1.5
