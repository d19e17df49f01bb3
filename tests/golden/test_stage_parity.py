"""The rewritten stages, one at a time, against the plain networks with the real weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.golden.conftest import STAGE_POSES, PlainRun
from tests.support.tha3 import frame_of
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.stages import Tha3Stages, build_stages
from vtbridge.render.models.tha3 import Tha3Networks

pytestmark = pytest.mark.timeout(400)

# These stages add up the same numbers in the same order. Convolutions of other widths may
# be computed by other kernels on older CPUs, which need not keep it.
SAME_SUMS = (Stage.DECOMPOSE, Stage.BROWS, Stage.FACE)
SAME_KERNELS = torch.backends.cpu.get_cpu_capability() == "AVX512"
OTHER_KERNELS = 2e-6

# The rotator adds the three rows of its head last, the editor the two halves of its split
# convolutions: measured 1.7e-6 and 6.6e-6.
OTHER_SUMS = 1e-5


@pytest.fixture(scope="module")
def stages(real_networks: Tha3Networks) -> Tha3Stages:
    return build_stages(real_networks)


@pytest.fixture(scope="module", params=STAGE_POSES)
def plain(request: pytest.FixtureRequest, plain_runs: dict[int, PlainRun]) -> PlainRun:
    return plain_runs[request.param]


@pytest.fixture(scope="module")
def given(stages: Tha3Stages, plain: PlainRun) -> dict[Stage, tuple[Tensor, ...]]:
    """Return what every stage gives."""
    return {stage: run(stages, stage, case.inputs) for stage, case in plain.cases.items()}


def run(stages: Tha3Stages, stage: Stage, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        outputs = stages[stage](*inputs)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def largest(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


@pytest.mark.parametrize("stage", SAME_SUMS)
def test_a_stage_that_keeps_the_order_of_sums_is_exact(
    stage: Stage, plain: PlainRun, given: dict[Stage, tuple[Tensor, ...]]
) -> None:
    for ours, theirs in zip(given[stage], plain.cases[stage].outputs, strict=True):
        assert theirs.std() > 1e-2, "a flat answer proves nothing"
        assert largest(ours, theirs) <= (0 if SAME_KERNELS else OTHER_KERNELS)


def test_the_rotator_differs_by_rounding_alone(
    plain: PlainRun, given: dict[Stage, tuple[Tensor, ...]]
) -> None:
    wanted = plain.cases[Stage.ROTATE]
    morphed, warped, grid_change = given[Stage.ROTATE]
    assert torch.equal(morphed, wanted.outputs[0])
    assert largest(grid_change, wanted.outputs[2]) <= OTHER_SUMS
    # A hard edge multiplies what the grid is off by with half the side, in pixels.
    side = warped.shape[-1]
    assert largest(warped, wanted.outputs[1]) <= OTHER_SUMS * side / 2


def test_the_editor_differs_by_rounding_alone(
    plain: PlainRun, given: dict[Stage, tuple[Tensor, ...]]
) -> None:
    for ours, theirs in zip(given[Stage.EDIT], plain.cases[Stage.EDIT].outputs, strict=True):
        assert theirs.std() > 1e-3
        assert largest(ours, theirs) <= OTHER_SUMS


def test_the_fields_make_the_frame_that_the_editor_paints(
    plain: PlainRun, given: dict[Stage, tuple[Tensor, ...]]
) -> None:
    case = plain.cases[Stage.EDIT]
    with torch.inference_mode():
        exact = frame_of(case.inputs[0], *case.outputs)
        ours = frame_of(case.inputs[0], *given[Stage.EDIT])
    painted = plain.outputs.edited.image
    assert torch.equal(exact, painted)
    assert largest(ours, painted) <= 1e-4
