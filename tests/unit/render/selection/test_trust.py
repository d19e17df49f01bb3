"""While frames are made: absurd fields are refused, blame sticks, wrong answers come out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.fault_runtime import (
    SIGNATURES,
    Fault,
    FaultRuntime,
    StandInRuntime,
    stand_in_golden,
)
from vtbridge.errors import InferenceError, RuntimeTurnedWrong
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.signatures import Stage
from vtbridge.render.selection.self_test import SelfTest
from vtbridge.render.selection.trust import Blames, TrustedRuntime, check_fields, recheck
from vtbridge.render.settings import Precision, RuntimeName


def fields() -> FrameFields:
    """Return fields at the edge of what networks give."""
    rng = np.random.default_rng(1)
    return FrameFields(
        morphed=rng.uniform(-1, 1, (4, 512, 512)).astype(np.float32),
        grid_change=rng.uniform(-0.6, 0.6, (2, 512, 512)).astype(np.float32),
        alpha=rng.uniform(-0.005, 1.005, (4, 512, 512)).astype(np.float32),
        color=rng.uniform(-1.005, 1.005, (4, 512, 512)).astype(np.float32),
        face=rng.uniform(-1.02, 1.02, (4, 192, 192)).astype(np.float32),
    )


def test_what_networks_give_is_believed() -> None:
    check_fields(fields(), "native f32 avx512")


def test_networks_without_bounds_are_believed_somewhat_beyond_them() -> None:
    beyond = fields()
    beyond.alpha[0, 0, 0], beyond.color[0, 0, 0], beyond.face[0, 0, 0] = -0.13, 1.4, -1.2
    with pytest.raises(InferenceError, match="alpha"):
        check_fields(beyond, "native f32 avx512")
    check_fields(replace(beyond, bounded=False), "native f32 avx512")
    beyond.alpha[0, 0, 0] = 7.0
    with pytest.raises(InferenceError, match="alpha"):
        check_fields(replace(beyond, bounded=False), "native f32 avx512")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6, -1e6])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("alpha", "alpha"),
        ("color", "colours"),
        ("grid_change", "displacements"),
        ("face", "a face"),
    ],
)
def test_a_plane_that_no_network_gives_is_refused(name: str, told: str, value: float) -> None:
    array = getattr(fields(), name)
    array[-1, array.shape[1] // 2 : array.shape[1] // 2 + 4] = value  # no more than four lines
    wrong = replace(fields(), **{name: array})
    with pytest.raises(InferenceError, match=f"native f32 avx512 gave {told} from"):
        check_fields(wrong, "native f32 avx512")


@pytest.mark.parametrize(("name", "value"), [("alpha", 1.02), ("alpha", -0.02), ("color", 1.02)])
def test_the_bounds_are_those_of_sigmoid_and_tanh(name: str, value: float) -> None:
    wrong = fields()
    getattr(wrong, name)[:] = value
    with pytest.raises(InferenceError):
        check_fields(wrong, "it")


def test_blame_keeps_its_first_reason() -> None:
    blames = Blames()
    assert blames.reasons() == {}
    before = blames.reasons()
    blames.blame(RuntimeName.OPENVINO, "hung for 3 s")
    blames.blame(RuntimeName.OPENVINO, "also slow")
    assert blames.reasons() == {RuntimeName.OPENVINO: "hung for 3 s"}
    assert before == {}


def test_a_runtime_that_turned_wrong_is_found_by_the_recheck() -> None:
    inner = FaultRuntime(StandInRuntime(precision=Precision.F16))
    self_test = SelfTest(stand_in_golden({}), SIGNATURES)
    assert self_test.run(inner).problem == ""
    trusted = TrustedRuntime(inner, self_test)
    recheck(trusted)
    inner.fault, inner.stage = Fault.WRONG_COLORS, Stage.FACE
    with pytest.raises(RuntimeTurnedWrong, match=r"native f16 CPU has turned wrong: face face"):
        recheck(trusted)
    inner.fault = Fault.RAISES
    with pytest.raises(InferenceError, match="out of memory"):
        recheck(trusted)


def test_what_nothing_is_known_about_is_believed() -> None:
    recheck(StandInRuntime())
    recheck(TrustedRuntime(StandInRuntime(), None))


def test_a_trusted_runtime_is_the_runtime_inside() -> None:
    inner = StandInRuntime(RuntimeName.PYTORCH, Precision.F16)
    trusted = TrustedRuntime(inner, None)
    assert (trusted.name, trusted.precision) == (RuntimeName.PYTORCH, Precision.F16)
    assert trusted.describe() == "pytorch f16 CPU"
    crop = trusted.upload(np.ones((1, 4, 128, 128), np.float32))
    (first, *_) = trusted.run(Stage.DECOMPOSE, crop)
    (same, *_) = StandInRuntime().run(Stage.DECOMPOSE, crop)
    np.testing.assert_array_equal(trusted.download(first), same)
    trusted.close()
    assert inner.closed
