"""The self-test: what is right passes in every precision, and nothing wrong does."""

from __future__ import annotations

import re

import pytest

from tests.support.fault_runtime import (
    SIGNATURES,
    Fault,
    FaultRuntime,
    StandInRuntime,
    stand_in_golden,
)
from vtbridge.errors import InferenceError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.selection.golden import Golden
from vtbridge.render.selection.self_test import NOISE_LIMITS_DB, SelfTest
from vtbridge.render.settings import Precision

# As measured on the real networks, and what the faults must be found beneath.
NOISE_DB = {Precision.F32: 74.0, Precision.F16: 53.0, Precision.BF16: 33.0}
PRECISIONS = list(NOISE_DB)
QUIET = {Fault.RAISES, Fault.HANGS, Fault.SLOW}
# A garbled outermost line is one in five hundred: it drowns in the noise of bf16.
WRONG = [
    (fault, Stage.EDIT, precision)
    for fault in Fault
    for precision in PRECISIONS
    if fault not in QUIET and (fault, precision) != (Fault.GARBLED_EDGE, Precision.BF16)
]
WRONG += [
    (fault, stage, Precision.BF16)
    for fault in (Fault.WRONG_COLORS, Fault.SWAPPED, Fault.ZERO, Fault.STALE, Fault.NAN)
    for stage in (Stage.BROWS, Stage.FACE, Stage.ROTATE)
]


@pytest.fixture(scope="module")
def golden() -> Golden:
    return stand_in_golden({})


@pytest.fixture
def self_test(golden: Golden) -> SelfTest:
    return SelfTest(golden, SIGNATURES)


def noisy(precision: Precision, db: float | None = None) -> StandInRuntime:
    """Return a right runtime that rounds as ``precision`` does."""
    noise_db = NOISE_DB[precision] if db is None else db
    return StandInRuntime(precision=precision, noise=10 ** (-noise_db / 20))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_right_runtime_passes_with_the_noise_of_its_precision(
    precision: Precision, self_test: SelfTest
) -> None:
    grade = self_test.run(noisy(precision))
    assert grade.problem == ""
    assert grade.noise_db == pytest.approx(NOISE_DB[precision], abs=2.0)
    assert grade.frame_ms > 0.0


def test_rounding_alone_is_told_as_very_right(self_test: SelfTest) -> None:
    assert self_test.run(StandInRuntime()).noise_db > 100


@pytest.mark.parametrize("precision", PRECISIONS)
def test_more_noise_than_the_precision_makes_is_refused(
    precision: Precision, self_test: SelfTest
) -> None:
    limit_db = NOISE_LIMITS_DB[precision]
    assert self_test.run(noisy(precision, limit_db + 2.0)).problem == ""
    assert f"{limit_db:.0f} dB are wanted" in self_test.run(noisy(precision, limit_db - 2)).problem


@pytest.mark.parametrize(("fault", "stage", "precision"), WRONG)
def test_every_fault_is_found_in_every_precision(
    fault: Fault, stage: Stage, precision: Precision, self_test: SelfTest
) -> None:
    grade = self_test.run(FaultRuntime(noisy(precision), fault, stage))
    assert str(stage) in grade.problem


@pytest.mark.parametrize(
    ("precision", "db"), [(Precision.F32, 55.0), (Precision.F16, 40.0), (Precision.BF16, 25.0)]
)
def test_a_precision_may_not_be_coarser_than_it_says(
    precision: Precision, db: float, self_test: SelfTest
) -> None:
    assert "dB are wanted" in self_test.run(noisy(precision, db)).problem


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("fault", "told"), [(Fault.WRONG_RED, "+3.0% off in channel 0"), (Fault.BRIGHTER, "+0.01")]
)
def test_a_channel_that_is_off_as_a_whole_is_told_as_such(
    fault: Fault, told: str, precision: Precision, self_test: SelfTest
) -> None:
    grade = self_test.run(FaultRuntime(noisy(precision), fault, Stage.FACE))
    assert told in grade.problem.replace("+2.9%", "+3.0%").replace("+3.1%", "+3.0%")


def test_a_flow_that_is_off_by_half_a_pixel_is_told_as_such(self_test: SelfTest) -> None:
    for precision in PRECISIONS:
        runtime = FaultRuntime(noisy(precision), Fault.SHIFTED, Stage.EDIT)
        problem = self_test.run(runtime).problem
        assert re.search(r"shifted by \+0\.(49|50|51) pixels along x", problem)


def test_a_stage_that_gives_no_answer_is_an_error(self_test: SelfTest) -> None:
    with pytest.raises(InferenceError, match="out of memory"):
        self_test.run(FaultRuntime(fault=Fault.RAISES))


@pytest.mark.parametrize("stage", [Stage.BROWS, Stage.FACE])
@pytest.mark.parametrize("fault", [Fault.NAN, Fault.WRONG_COLORS, Fault.STALE, Fault.ZERO])
def test_the_short_test_finds_what_turned_wrong_since(
    fault: Fault, stage: Stage, self_test: SelfTest
) -> None:
    runtime = FaultRuntime(noisy(Precision.BF16))
    assert self_test.run(runtime).problem == ""
    assert self_test.run_again(runtime).problem == ""
    runtime.fault, runtime.stage = fault, stage
    assert str(stage) in self_test.run_again(runtime).problem
    runtime.fault = None
    assert self_test.run_again(runtime).problem == ""


def test_the_short_test_runs_neither_the_rotator_nor_the_editor(self_test: SelfTest) -> None:
    runtime = FaultRuntime()
    self_test.run(runtime)
    for stage in (Stage.DECOMPOSE, Stage.ROTATE, Stage.EDIT):
        runtime.fault, runtime.stage = Fault.RAISES, stage
        assert self_test.run_again(runtime).problem == ""
