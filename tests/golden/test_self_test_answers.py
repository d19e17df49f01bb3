"""The stored answers are the plain networks' own, and the self-test finds faults on real ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.fault_runtime import SIGNATURES, Fault, FaultRuntime
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.tha3 import build_networks
from vtbridge.render.runtimes.native import open_native
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.selection.golden import ALONE, Golden, find_golden, places_of
from vtbridge.render.selection.golden_process import plain_outputs
from vtbridge.render.selection.self_test import SelfTest
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore


@pytest.fixture(scope="module")
def golden(weight_store: WeightStore) -> Golden:
    golden = find_golden(weight_store, DEFAULT_WEIGHTS)
    assert golden is not None
    return golden


@pytest.fixture(scope="module")
def native(weight_store: WeightStore) -> FaultRuntime:
    return FaultRuntime(open_native(RuntimeRequest(weight_store, DEFAULT_WEIGHTS)))


def test_the_stored_answers_are_those_of_the_plain_networks(
    golden: Golden, weight_store: WeightStore
) -> None:
    networks = build_networks(weight_store.variant(DEFAULT_WEIGHTS))
    arrays = weight_store.networks(DEFAULT_WEIGHTS)
    for network, module in networks.as_dict().items():
        module.load_state_dict({k: torch.tensor(v) for k, v in arrays[network].items()})
    outputs = plain_outputs(networks, lambda pose: None)
    keys = {(stage, name) for stage in SIGNATURES for name in SIGNATURES[stage].outputs}
    assert {(stage, name) for _, stage, name in outputs} == keys
    for (pose, stage, name), array in outputs.items():
        assert array.shape == SIGNATURES[stage].outputs[name]
        given = array.reshape(-1)[places_of(stage, name, array.shape)]
        wanted = golden.answer(pose, stage, name)
        # Another CPU sums in another order.
        np.testing.assert_allclose(given, wanted, atol=2e-4 * np.abs(wanted).max(), rtol=0)
    assert len(outputs) == 2 * len(keys) - sum(len(SIGNATURES[each].outputs) for each in ALONE)


def test_the_real_networks_pass(native: FaultRuntime, golden: Golden) -> None:
    grade = SelfTest(golden, SIGNATURES).run(native)
    assert grade.problem == ""
    assert grade.noise_db > 90


@pytest.mark.parametrize(
    ("fault", "stage"),
    [
        (Fault.WRONG_COLORS, Stage.EDIT),
        (Fault.WRONG_RED, Stage.FACE),
        (Fault.SWAPPED, Stage.BROWS),
        (Fault.SHIFTED, Stage.EDIT),
        (Fault.STALE, Stage.ROTATE),
        (Fault.STALE, Stage.FACE),
        (Fault.ZERO, Stage.EDIT),
        (Fault.NAN, Stage.BROWS),
        (Fault.GARBLED_EDGE, Stage.EDIT),
    ],
)
def test_faults_of_the_real_networks_are_found_where_they_are(
    fault: Fault, stage: Stage, native: FaultRuntime, golden: Golden
) -> None:
    native.fault, native.stage = fault, stage
    try:
        assert str(stage) in SelfTest(golden, SIGNATURES).run(native).problem
    finally:
        native.fault = None
