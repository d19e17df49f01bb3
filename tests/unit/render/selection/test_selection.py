"""Choosing a runtime: the fastest that is right, nothing wrong ever, and every reason told."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fault_runtime import Fault, opening
from tests.support.selection_bench import (
    AUTO,
    MACHINE,
    NATIVE,
    ONNXRUNTIME,
    OPENVINO,
    PYTORCH,
    Bench,
    outcomes,
    right,
    wrong,
)
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.selection import selection as module
from vtbridge.render.selection.candidates import Outcome
from vtbridge.render.selection.golden import Golden, sources_of, write_golden
from vtbridge.render.selection.hardware import Gpu, Vendor
from vtbridge.render.selection.memory import ChoiceMemory
from vtbridge.render.selection.selection import Selection, reason_of
from vtbridge.render.settings import DeviceName
from vtbridge.render.weights.store import WeightStore


def test_the_fastest_is_taken_and_the_reason_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    caplog.set_level(logging.INFO)
    assert bench.selection().open().name is OPENVINO
    assert caplog.messages[-1] == (
        "inference runs on openvino f32 CPU; native was not taken: slower, 130 ms against 97 ms"
    )


def test_the_choice_is_remembered_and_nothing_else_is_opened(bench: Bench) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    bench.selection().open()
    bench.opened.clear()
    again = bench.selection()
    assert again.open().name is OPENVINO
    assert len(bench.compared) == 1
    assert bench.opened == [OPENVINO]
    slower = next(each for each in again.explain() if each.candidate.name is NATIVE)
    taken = next(each for each in again.explain() if each.candidate.name is OPENVINO)
    assert reason_of(slower, taken) == "slower, 130 ms against 97 ms"


def test_a_start_waits_for_no_one_for_long_and_does_not_wait_twice(bench: Bench) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": math.inf}
    for _ in range(2):
        selection = bench.selection()
        assert selection.open().name is NATIVE
        assert outcomes(selection)["openvino"] is Outcome.NOT_COMPARED
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    bench.selection().survey()
    assert bench.selection().open().name is OPENVINO
    assert bench.compared == [["native", "openvino"]] * 2
    at_start, when_asked = bench.patience_s
    assert at_start < 30 < when_asked


def test_one_that_was_too_late_is_still_better_than_none(bench: Bench) -> None:
    bench.has(native=RuntimeUnavailable("no AVX2"), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": math.inf}
    assert bench.selection().open().name is OPENVINO


def test_one_that_is_alone_is_not_compared(bench: Bench) -> None:
    bench.has(
        native=right(NATIVE),
        openvino=replace(opening(right(OPENVINO)), prepared=("openvino/export.json",)),
        onnxruntime=replace(
            opening(right(ONNXRUNTIME)), library="surely_no_library", package=("x",)
        ),
    )
    selection = bench.selection()
    assert selection.open().name is NATIVE
    assert bench.compared == []
    assert bench.opened == [NATIVE]
    assert outcomes(selection) == {
        "native": Outcome.RIGHT,
        "openvino": Outcome.NOT_PREPARED,
        "onnxruntime": Outcome.NOT_INSTALLED,
    }
    told = {each.candidate.name: reason_of(each, None) for each in selection.explain()}
    assert "run `vtbridge weights prepare small --for openvino`" in told[OPENVINO]
    assert "run `pip install x`" in told[ONNXRUNTIME]


def test_what_has_been_prepared_since_is_compared(bench: Bench) -> None:
    row = replace(opening(right(OPENVINO)), prepared=("openvino/export.json",))
    bench.has(native=right(NATIVE), openvino=row)
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    assert bench.selection().open().name is NATIVE
    prepared = bench.store.directory("small") / "openvino" / "export.json"
    prepared.parent.mkdir()
    prepared.write_text("{}")
    assert bench.selection().open().name is OPENVINO


def test_a_heavy_library_is_loaded_only_where_nothing_else_runs(bench: Bench) -> None:
    heavy = replace(opening(right(PYTORCH)), heavy=True)
    bench.has(native=right(NATIVE), openvino=right(OPENVINO), pytorch=heavy)
    bench.times_ms = {"native": 130.0, "openvino": 97.0, "pytorch": 1.0}
    bench.selection().open()
    assert bench.compared == [["native", "openvino"]]
    assert PYTORCH not in bench.opened
    broken = RuntimeUnavailable("no AVX2")
    bench.has(native=broken, openvino=broken, pytorch=heavy)
    assert bench.selection().open().name is PYTORCH


def test_a_heavy_library_is_compared_where_there_is_a_gpu_for_it(bench: Bench) -> None:
    row = replace(opening(right(PYTORCH)), heavy=True, devices=(DeviceName.CUDA, DeviceName.CPU))
    bench.has(native=right(NATIVE), pytorch=row)
    bench.times_ms = {"native": 130.0, "pytorch on cuda": 9.0, "pytorch": 500.0}
    machine = replace(MACHINE, gpus=(Gpu(Vendor.NVIDIA, "0x2684"),))
    assert bench.selection(machine=machine).open().name is PYTORCH
    assert bench.compared == [["native", "pytorch on cuda"]]


def test_missing_answers_are_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden
) -> None:
    bench = Bench(tmp_path, monkeypatch, None)
    made: list[str] = []

    def make(store: WeightStore, weights: str) -> Golden:
        made.append(weights)
        answers = golden.model_copy(update={"sources": sources_of(store.record(weights))})
        write_golden(store.directory(weights), answers)
        return answers

    monkeypatch.setattr(module, "make_golden", make)
    bench.has(native=wrong(NATIVE, Fault.ZERO), openvino=right(OPENVINO))
    bench.times_ms = {"native": 1.0, "openvino": 2.0}
    assert bench.selection().open().name is OPENVINO
    assert bench.selection().open().name is OPENVINO
    assert made == ["small"]


def test_where_nothing_tells_what_is_right_the_first_that_opens_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, monkeypatch, None)

    def fail(*_: object) -> Golden:
        raise WeightsError("the folder cannot be written")

    monkeypatch.setattr(module, "make_golden", fail)
    bench.has(native=RuntimeUnavailable("no AVX2"), openvino=right(OPENVINO))
    assert bench.selection().open().name is OPENVINO
    assert bench.compared == []
    assert "no runtime can be tested with small: the folder cannot be written" in caplog.text


def test_absent_weights_are_told_of_instead_of_runtimes(bench: Bench, tmp_path: Path) -> None:
    bench.has(native=right(NATIVE))
    bench.store = WeightStore(tmp_path / "empty")
    request = RuntimeRequest(bench.store, "tha3-separable-float")
    for wanted in (AUTO, NATIVE):
        with pytest.raises(WeightsError, match="vtbridge weights pull tha3-separable-float"):
            Selection(wanted, request, memory=ChoiceMemory(tmp_path)).open()
    assert bench.opened == []


def test_a_survey_compares_everything_and_says_what_would_be_taken(bench: Bench) -> None:
    heavy = replace(opening(right(PYTORCH)), heavy=True)
    bench.has(native=right(NATIVE), openvino=right(OPENVINO), pytorch=heavy)
    bench.times_ms = {"native": 97.0, "openvino": 130.0, "pytorch": 50.0}
    selection = bench.selection()
    assert [str(each.candidate) for each in selection.survey()] == ["native", "openvino", "pytorch"]
    assert str(selection.taken) == "native", "a heavy one is a last resort however fast it is"
    assert bench.opened == []
    again = bench.selection()
    assert again.open().name is NATIVE
    assert len(bench.compared) == 1


def test_what_is_known_is_told_without_loading_anything(bench: Bench) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    fresh = bench.selection()
    assert {each.outcome for each in fresh.recall()} == {Outcome.NOT_COMPARED}
    bench.selection().open()
    bench.opened.clear()
    known = bench.selection()
    assert [each.frame_ms for each in known.recall()] == [130.0, 97.0]
    assert str(known.taken) == "openvino"
    assert bench.opened == []


def test_the_table_of_real_runtimes_names_files_and_devices_that_exist() -> None:
    from vtbridge.render.runtimes.prepared import ONNX_F16_FILES, ONNX_FILES, OPENVINO_FILES, RECORD

    rows = table.RUNTIMES
    assert list(rows) == [NATIVE, OPENVINO, ONNXRUNTIME, PYTORCH]
    assert rows[OPENVINO].prepared == (f"{OPENVINO_FILES.folder}/{RECORD}",)
    assert rows[ONNXRUNTIME].prepared == tuple(
        f"{files.folder}/{RECORD}" for files in (ONNX_FILES, ONNX_F16_FILES)
    )
    for row in rows.values():
        assert DeviceName.AUTO not in row.devices
        assert DeviceName.CPU in row.devices
        assert bool(row.library) == bool(row.package)
    assert {name for name, row in rows.items() if row.heavy} == {PYTORCH}
