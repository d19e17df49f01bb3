"""The native runtime, one stage at a time, against the plain networks with the real weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.golden.conftest import STAGE_POSES, PlainRun
from tests.support.tha3 import StageCase
from vtbridge.datatypes import F32Array
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.tha3 import Tha3Networks
from vtbridge.render.models.variants import VARIANTS
from vtbridge.render.native._native import Engine
from vtbridge.render.native.stages import build_program
from vtbridge.render.runtimes.native import NativeRuntime

pytestmark = pytest.mark.timeout(400)

VARIANT = VARIANTS["separable_float"]

# What rounding in another order may do. Where a picture is warped, a grid that is off by one
# float32 step moves a hard edge: measured 8e-6, 4e-5, 4e-5 and, for alpha and colour of the
# editor, whose last layers are steep, 5e-5.
TOLERANCE = 1e-4
GRID_TOLERANCE = 5e-6


def open_runtime(networks: Tha3Networks, threads: int) -> NativeRuntime:
    """Open the runtime with the weights of ``networks``."""
    arrays = {
        network: {name: value.numpy() for name, value in module.state_dict().items()}
        for network, module in networks.as_dict().items()
    }
    engine = Engine(threads)
    programs = {stage: build_program(stage, engine, VARIANT, arrays) for stage in Stage}
    return NativeRuntime(engine, programs, dict(stage_signatures(VARIANT)))


@pytest.fixture(scope="module")
def cases(plain_runs: dict[int, PlainRun]) -> list[dict[Stage, StageCase]]:
    """Return the stages' cases of a pose anywhere in the ranges and of one of a performance."""
    return [plain_runs[index].cases for index in (STAGE_POSES[0], STAGE_POSES[-1])]


@pytest.fixture(scope="module")
def native(real_networks: Tha3Networks) -> NativeRuntime:
    return open_runtime(real_networks, threads=2)


def outputs(
    runtime: NativeRuntime, stage: Stage, case: StageCase
) -> Iterator[tuple[str, F32Array, F32Array]]:
    """Run ``stage`` and yield the name of each output, what came, and what should have."""
    given = runtime.run(stage, *(runtime.upload(x.numpy()) for x in case.inputs))
    names = stage_signatures(VARIANT)[stage].outputs
    for name, ours, theirs in zip(names, given, case.outputs, strict=True):
        yield name, runtime.download(ours), theirs.numpy()


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_differs_from_the_networks_by_rounding_alone(
    stage: Stage, native: NativeRuntime, cases: list[dict[Stage, StageCase]]
) -> None:
    for case in cases:
        for name, ours, theirs in outputs(native, stage, case[stage]):
            assert ours.shape == theirs.shape
            assert theirs.std() > 1e-3, "a flat answer proves nothing"
            tolerance = GRID_TOLERANCE if name == "grid_change" else TOLERANCE
            assert np.abs(ours - theirs).max() < tolerance, name


def test_frames_have_the_same_bits_on_any_number_of_cores(
    real_networks: Tha3Networks, cases: list[dict[Stage, StageCase]]
) -> None:
    alone, together = (open_runtime(real_networks, threads=n) for n in (1, 3))
    for stage, case in cases[0].items():
        pairs = zip(outputs(alone, stage, case), outputs(together, stage, case), strict=True)
        for (name, ours, _), (_, theirs, _) in pairs:
            assert np.array_equal(ours, theirs), (stage, name)
