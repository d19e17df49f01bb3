"""A runtime or device that the settings name: tested like any, replaced only when blamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.fault_runtime import Fault, FaultRuntime, StandInRuntime, opening
from tests.support.selection_bench import NATIVE, ONNXRUNTIME, OPENVINO, Bench, right
from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.runtimes.runtime import NeverPrepared, Runtime
from vtbridge.render.selection import selection as module
from vtbridge.render.settings import DeviceName, Precision, RuntimeName
from vtbridge.render.weights.store import WeightStore


def test_a_named_device_leaves_only_those_that_know_it(bench: Bench) -> None:
    gpu = replace(opening(right(OPENVINO)), devices=(DeviceName.GPU, DeviceName.CPU))
    bench.has(native=right(NATIVE), openvino=gpu)
    assert bench.selection(device=DeviceName.GPU).open().name is OPENVINO
    with pytest.raises(RuntimeUnavailable, match="no runtime can be used for that device"):
        bench.selection(device=DeviceName.COREML).open()


def test_a_named_runtime_is_tested_and_never_replaced(bench: Bench) -> None:
    faulty = FaultRuntime(StandInRuntime(OPENVINO), Fault.WRONG_COLORS)
    bench.has(native=right(NATIVE), openvino=faulty)
    with pytest.raises(RuntimeUnavailable, match=r"wrong pictures here: edit .* off in channel"):
        bench.selection(OPENVINO).open()
    assert faulty.closed
    assert bench.opened == [OPENVINO]
    faulty.fault = Fault.RAISES
    with pytest.raises(RuntimeUnavailable, match="fails at its self-test"):
        bench.selection(OPENVINO).open()


@pytest.mark.parametrize(
    ("wanted", "asked", "made"),
    [
        (OPENVINO, Precision.AUTO, Precision.F32),
        (OPENVINO, Precision.F16, Precision.F32),
        (ONNXRUNTIME, Precision.AUTO, Precision.F32),
        (ONNXRUNTIME, Precision.F16, Precision.F16),
    ],
)
def test_a_named_runtime_gets_its_files_at_first_use(
    wanted: RuntimeName,
    asked: Precision,
    made: Precision,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared: list[tuple[RuntimeName, Precision]] = []

    def open_it() -> Runtime[Any]:
        if not prepared:
            raise NeverPrepared("never prepared")
        return StandInRuntime(wanted)

    def prepare(
        store: WeightStore, name: str, runtime: RuntimeName, *, precision: Precision
    ) -> bool:
        assert (store, name) == (bench.store, "small")
        prepared.append((runtime, precision))
        return True

    monkeypatch.setattr(module, "prepare_runtime", prepare)
    bench.has(native=right(NATIVE), **{wanted.value: open_it})
    assert bench.selection(wanted, precision=asked).open().name is wanted
    assert prepared == [(wanted, made)]


def test_a_named_runtime_that_was_blamed_is_replaced_with_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    selection = bench.selection(OPENVINO)
    assert selection.open().name is OPENVINO
    selection.blame("gave NaN")
    assert selection.open().name is NATIVE
    assert "openvino is not used any more (gave NaN)" in caplog.text
