"""Folded sine networks: C and numpy say the same, whole or in part, on any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.models.tha4_student import SirenLevel, SirenShape
from vtbridge.render.siren.folding import fold_network
from vtbridge.render.siren.network import Crew, SirenNetwork, open_level

SHAPE = SirenShape(
    pose_size=3,
    out_channels=5,
    levels=(SirenLevel(10, (37, 20)), SirenLevel(20, (20, 50)), SirenLevel(20, (50, 7))),
)
POSE = np.array([0.3, -1.0, 0.7], np.float32)


def weights(seed: int = 7) -> dict[str, F32Array]:
    """Return random weights of the size that sine networks are trained with."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for name, shape in SHAPE.tensors().items():
        bound = 0.1 if len(shape) == 1 else (6 / shape[1]) ** 0.5 / 30
        bound *= 30 if name.startswith("last") else 1
        arrays[name] = generator.uniform(-bound, bound, shape).astype(np.float32)
    return arrays


def plain(arrays: dict[str, F32Array], pose: F32Array) -> F32Array:
    """Return what the network is defined to give, [5, 20, 20], by float64 and no folding."""
    below: NDArray[Any] = np.zeros((10, 10, 0))
    for number, level in enumerate(SHAPE.levels):
        at = (np.arange(level.size) * 2 + 1) / level.size - 1
        x, y = np.meshgrid(at, at)
        if number and len(below) != level.size:
            below = doubled(below)
        told = np.broadcast_to(pose, (level.size, level.size, len(pose)))
        features = np.concatenate([below, x[..., None], y[..., None], told], axis=2)
        for index in range(len(level.widths)):
            weight = arrays[f"levels.{number}.{index}.weight"].astype(np.float64)
            features = np.sin(30 * (features @ weight.T + arrays[f"levels.{number}.{index}.bias"]))
        below = features
    answer: F32Array = below @ arrays["last.weight"].T.astype(np.float64) + arrays["last.bias"]
    return answer.transpose(2, 0, 1)


def doubled(features: F32Array) -> F32Array:
    """Return [S, S, C] doubled bilinearly, corners not aligned, borders repeated."""
    side = len(features)
    at = (np.arange(2 * side) + 0.5) / 2 - 0.5
    low = np.floor(at).astype(int)
    share = (at - low)[:, None, None]
    for _ in range(2):
        rows = features[np.clip(low, 0, side - 1)] * (1 - share)
        features = (rows + features[np.clip(low + 1, 0, side - 1)] * share).swapaxes(0, 1)
    return features


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Return three threads."""
    crew = Crew(3)
    yield crew
    crew.close()


def available() -> list[str]:
    """Return every way of computing that this machine has."""
    found = ["numpy"]
    level = fold_network(SHAPE, weights())[0]
    for isa in ("sse", "avx2", "avx512", "generic"):
        try:
            if open_level(level, 0, isa=isa).isa == isa:
                found.append(isa)
        except ValueError:
            continue
    return found


@pytest.mark.parametrize("isa", available())
def test_every_instruction_set_gives_what_the_network_is_defined_to_give(
    isa: str, crew: Crew
) -> None:
    arrays = weights()
    network = SirenNetwork(fold_network(SHAPE, arrays), crew, isa=isa)
    assert network.isa == isa
    reference = plain(arrays, POSE)
    assert abs(reference).max() > 0.1
    np.testing.assert_allclose(network.run(POSE), reference, atol=2e-4)


def test_the_extension_is_built_here() -> None:
    assert len(available()) > 1


@pytest.mark.parametrize("isa", available())
def test_a_restricted_network_gives_the_same_where_it_is_asked_and_0_elsewhere(
    isa: str, crew: Crew
) -> None:
    network = SirenNetwork(fold_network(SHAPE, weights()), crew, isa=isa)
    whole = network.run(POSE).copy()
    wanted = np.zeros((20, 20), np.bool_)
    wanted[0, 0] = wanted[19, 3] = True
    wanted[7:12, 9:16] = True
    network.restrict(wanted)
    part = network.run(POSE)
    np.testing.assert_allclose(part[:, wanted], whole[:, wanted], atol=1e-5)
    assert not part[:, ~wanted].any()
    network.restrict(None)
    np.testing.assert_allclose(network.run(POSE), whole, atol=1e-5)


def test_one_thread_gives_the_same_bytes_as_several(crew: Crew) -> None:
    levels = fold_network(SHAPE, weights())
    alone = SirenNetwork(levels, Crew(1)).run(POSE)
    assert np.array_equal(alone, SirenNetwork(levels, crew).run(POSE))


def test_outputs_can_be_chosen_and_repeated(crew: Crew) -> None:
    arrays = weights()
    all_of_them = SirenNetwork(fold_network(SHAPE, arrays), crew).run(POSE)
    chosen = SirenNetwork(fold_network(SHAPE, arrays, outputs=(4, 0, 0)), crew).run(POSE)
    assert np.array_equal(chosen, all_of_them[[4, 0, 0]])


def test_a_weight_that_is_absent_or_has_another_shape_is_named() -> None:
    arrays = weights()
    del arrays["levels.1.0.bias"]
    with pytest.raises(WeightsError, match=r"'levels\.1\.0\.bias' of a student is missing"):
        fold_network(SHAPE, arrays)
    arrays = weights() | {"last.weight": np.zeros((5, 8), np.float32)}
    with pytest.raises(WeightsError, match=r"'last\.weight'.*\[5, 8\]"):
        fold_network(SHAPE, arrays)


def test_arrays_of_another_size_are_refused_before_anything_is_written(crew: Crew) -> None:
    (folded, *_) = fold_network(SHAPE, weights())
    level = open_level(folded, 0)
    if level.isa == "numpy":
        pytest.fail("the extension is not built")
    bias = folded.pose_bias(POSE)
    out, pixels = np.zeros(level.out_floats, np.float32), np.arange(100, dtype=np.int32)
    with pytest.raises(ValueError, match="not of this level's size"):
        level.work(bias[:-1].copy(), None, out, pixels, np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="not of this level's size"):
        level.work(bias, None, out[:-1].copy(), pixels, np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="beyond the level"):
        level.work(bias, None, out, pixels + 1, np.zeros(1, np.int64))
    assert not out.any()


def test_an_unknown_instruction_set_is_refused() -> None:
    (folded, *_) = fold_network(SHAPE, weights())
    with pytest.raises(ValueError, match="no such"):
        open_level(folded, 0, isa="such")
