"""Choosing a runtime: the fastest that is right, nothing wrong ever, and every reason told."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_runtime import (
    Fault,
    FaultRuntime,
    StandInRuntime,
    opening,
    stand_in_golden,
)
from tests.support.weights import small_store
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.runtimes.runtime import NeverPrepared, Runtime, RuntimeRequest, RuntimeRow
from vtbridge.render.selection import selection as module
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried
from vtbridge.render.selection.golden import Golden, sources_of, write_golden
from vtbridge.render.selection.hardware import Gpu, Hardware, Vendor
from vtbridge.render.selection.memory import ChoiceMemory
from vtbridge.render.selection.selection import Selection, reason_of
from vtbridge.render.selection.trust import Blames, recheck
from vtbridge.render.settings import DeviceName, Precision, RuntimeName
from vtbridge.render.weights.store import WeightStore

AUTO, NATIVE, OPENVINO, ONNXRUNTIME, PYTORCH = RuntimeName
MACHINE = Hardware("Linux", "a processor", 2)
Outcomes = dict[RuntimeName, Any]


class Bench:
    """A machine with the runtimes it is given, and comparisons that cost nothing.

    Attributes:
        times_ms: what each candidate's comparison measures.
        compared: the candidates of each comparison.
        opened: what was opened in this process, in order.
    """

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden | None
    ) -> None:
        self.folder = folder
        self.store = small_store(folder / "store")
        if golden is not None:
            sources = sources_of(self.store.record("small"))
            write_golden(
                self.store.directory("small"), golden.model_copy(update={"sources": sources})
            )
        self.times_ms: dict[str, float] = {}
        self.compared: list[list[str]] = []
        self.patience_s: list[float] = []
        self.opened: list[RuntimeName] = []
        self.blames = Blames()
        self.rows: dict[RuntimeName, RuntimeRow] = {}
        monkeypatch.setattr(table, "RUNTIMES", self.rows)

    def has(self, **outcomes: Any) -> None:
        """Fill the table: what opening each runtime by name gives or raises."""
        self.rows.clear()
        for label, outcome in outcomes.items():
            name = RuntimeName(label)
            row = outcome if isinstance(outcome, RuntimeRow) else opening(outcome)
            self.rows[name] = replace(row, open=self._noting(name, row.open))

    def selection(
        self, wanted: RuntimeName = AUTO, machine: Hardware = MACHINE, **asked: Any
    ) -> Selection:
        """Return what a process would use that has just started."""
        return Selection(
            wanted,
            RuntimeRequest(self.store, "small", **asked),
            blames=self.blames,
            memory=ChoiceMemory(self.folder / "cache"),
            compare=self._compare,
            hardware=machine,
        )

    def _noting(
        self, name: RuntimeName, open_it: Callable[[RuntimeRequest], Runtime[Any]]
    ) -> Callable[[RuntimeRequest], Runtime[Any]]:
        def open_and_note(request: RuntimeRequest) -> Runtime[Any]:
            self.opened.append(name)
            return open_it(request)

        return open_and_note

    def _compare(
        self, candidates: Sequence[Candidate], request: RuntimeRequest, *, patience_s: float
    ) -> tuple[Tried, ...]:
        del request
        self.patience_s.append(patience_s)
        self.compared.append([str(each) for each in candidates])
        tried = []
        for each in candidates:
            time_ms = self.times_ms.get(str(each), 0.0)
            if time_ms == math.inf:
                late = "it gave no answer within 25 s"
                tried.append(Tried(candidate=each, outcome=Outcome.NOT_COMPARED, why=late))
                continue
            outcome = Outcome.RIGHT if time_ms > 0 else Outcome.WRONG
            why = "" if time_ms > 0 else "edit alpha is +3.0% off in channel 0 (30 dB right)"
            tried.append(Tried(candidate=each, outcome=outcome, frame_ms=time_ms or None, why=why))
        return tuple(tried)


@pytest.fixture(scope="module")
def golden() -> Golden:
    return stand_in_golden({})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> Bench:
    return Bench(tmp_path, monkeypatch, golden)


def right(name: RuntimeName) -> Callable[[], Runtime[Any]]:
    return lambda: StandInRuntime(name)


def wrong(name: RuntimeName, fault: Fault) -> Callable[[], Runtime[Any]]:
    return lambda: FaultRuntime(StandInRuntime(name), fault)


def outcomes(selection: Selection) -> dict[str, Outcome]:
    return {str(each.candidate): each.outcome for each in selection.explain()}


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


def test_a_wrong_one_is_tried_in_float32_and_then_left(bench: Bench) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0}
    selection = bench.selection()
    assert selection.open().name is NATIVE
    assert bench.compared == [["native", "openvino"], ["openvino in f32"]]
    assert outcomes(selection)["openvino"] is Outcome.WRONG
    bench.compared.clear()
    bench.folder.joinpath("cache").rename(bench.folder / "elsewhere")
    bench.times_ms = {"native": 130.0, "openvino in f32": 97.0}
    assert bench.selection().open().name is OPENVINO


@pytest.mark.parametrize("fault", [Fault.NAN, Fault.WRONG_COLORS, Fault.STALE, Fault.RAISES])
def test_a_choice_that_has_turned_wrong_never_comes_out(fault: Fault, bench: Bench) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    bench.selection().open()
    # as after a driver's update
    faulty = FaultRuntime(StandInRuntime(OPENVINO), fault)
    bench.has(native=right(NATIVE), openvino=faulty)
    selection = bench.selection()
    assert selection.open().name is NATIVE
    assert faulty.closed
    assert outcomes(selection)["openvino"] in {Outcome.WRONG, Outcome.FAILED}
    bench.selection().open()
    assert len(bench.compared) == 2, "what was remembered is not believed any more"


@pytest.mark.parametrize(
    ("refusal", "outcome", "level"),
    [
        (RuntimeUnavailable("no such device"), Outcome.NOT_HERE, logging.INFO),
        (ImportError("libopenvino.so.2026"), Outcome.NOT_HERE, logging.INFO),
        (NeverPrepared("never prepared"), Outcome.NOT_PREPARED, logging.INFO),
        (WeightsError("edit.bin is damaged"), Outcome.DAMAGED, logging.WARNING),
        (InferenceError("out of memory"), Outcome.FAILED, logging.WARNING),
    ],
)
def test_one_that_does_not_open_leaves_its_place_to_the_next(
    refusal: Exception,
    outcome: Outcome,
    level: int,
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench.has(native=right(NATIVE), openvino=refusal)
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    caplog.set_level(logging.INFO)
    selection = bench.selection()
    assert selection.open().name is NATIVE
    assert outcomes(selection)["openvino"] is outcome
    assert caplog.records[-1].levelno == level


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


def test_a_named_device_leaves_only_those_that_know_it(bench: Bench) -> None:
    gpu = replace(opening(right(OPENVINO)), devices=(DeviceName.GPU, DeviceName.CPU))
    bench.has(native=right(NATIVE), openvino=gpu)
    assert bench.selection(device=DeviceName.GPU).open().name is OPENVINO
    with pytest.raises(RuntimeUnavailable, match="no runtime can be used for that device"):
        bench.selection(device=DeviceName.COREML).open()


def test_every_reason_is_told_when_none_opens(bench: Bench) -> None:
    bench.has(native=RuntimeUnavailable("no AVX2"), openvino=RuntimeUnavailable("no driver"))
    bench.times_ms = {"native": 1.0, "openvino": 2.0}
    with pytest.raises(RuntimeUnavailable, match=r"native: no AVX2. openvino: no driver"):
        bench.selection().open()


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


def test_a_blamed_runtime_is_not_taken_again_in_this_process(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    selection = bench.selection()
    assert selection.open().name is OPENVINO
    selection.blame("has not answered for 3.1 s")
    assert selection.open().name is NATIVE
    assert outcomes(selection)["openvino"] is Outcome.BLAMED
    assert "openvino was not taken: has not answered for 3.1 s" in caplog.text
    # Another selection of the process knows it too; another process does not.
    assert bench.selection().open().name is NATIVE
    bench.blames = Blames()
    assert bench.selection().open().name is OPENVINO
    assert len(bench.compared) == 1


def test_when_all_are_blamed_each_reason_is_told(bench: Bench) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    bench.blames.blame(NATIVE, "gave NaN")
    bench.blames.blame(OPENVINO, "hung")
    with pytest.raises(RuntimeUnavailable, match=r"native: gave NaN. openvino: hung"):
        bench.selection().open()


def test_a_named_runtime_that_was_blamed_is_replaced_with_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.has(native=right(NATIVE), openvino=right(OPENVINO))
    selection = bench.selection(OPENVINO)
    assert selection.open().name is OPENVINO
    selection.blame("gave NaN")
    assert selection.open().name is NATIVE
    assert "openvino is not used any more (gave NaN)" in caplog.text


def test_one_that_hangs_while_it_is_opened_can_be_blamed(bench: Bench) -> None:
    faulty = FaultRuntime(StandInRuntime(OPENVINO), Fault.HANGS, Stage.FACE)
    bench.has(native=right(NATIVE), openvino=faulty)
    bench.times_ms = {"native": 130.0, "openvino": 97.0}
    selection = bench.selection()
    late: list[Runtime[Any]] = []
    hanging = threading.Thread(target=lambda: late.append(selection.open()))
    hanging.start()
    assert faulty.hanging.wait(30)
    selection.blame("has not answered for 180 s")
    assert selection.open().name is NATIVE
    faulty.released.set()
    hanging.join(30)
    assert late[0].name is OPENVINO  # too late: its owner has gone
    selection.blame("is tired")
    assert set(bench.blames.reasons()) == {OPENVINO, NATIVE}


def test_what_was_given_up_while_it_opened_is_not_blamed_for_what_came_after(
    bench: Bench,
) -> None:
    begun, released = threading.Event(), threading.Event()

    def hang() -> Runtime[Any]:
        begun.set()
        assert released.wait(30)
        raise RuntimeUnavailable("woke up too late")

    natives: list[Runtime[Any] | Exception] = [StandInRuntime(NATIVE), RuntimeUnavailable("busy")]

    def next_native() -> Runtime[Any]:
        outcome = natives.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    bench.has(native=next_native, openvino=hang, onnxruntime=right(ONNXRUNTIME))
    bench.times_ms = {"native": 130.0, "openvino": 97.0, "onnxruntime": 255.0}
    selection = bench.selection()
    late: list[Runtime[Any]] = []
    hanging = threading.Thread(target=lambda: late.append(selection.open()))
    hanging.start()
    assert begun.wait(30)
    selection.blame("has not answered for 180 s")
    assert selection.open().name is NATIVE
    released.set()
    hanging.join(30)
    assert late[0].name is ONNXRUNTIME  # nobody waits for it any more
    selection.blame("gave NaN")
    assert set(bench.blames.reasons()) == {OPENVINO, NATIVE}


def test_what_ended_the_process_at_opening_is_compared_apart(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.has(native=right(NATIVE))
    bench.times_ms = {"native": 130.0}
    bench.selection().open()
    assert bench.compared == []

    def cut_short() -> Runtime[Any]:
        (mark,) = bench.folder.joinpath("cache").glob("*.opening")
        kept.append((mark, mark.read_text()))
        return StandInRuntime(NATIVE)

    kept: list[tuple[Path, str]] = []
    bench.has(native=cut_short)
    bench.selection().open()
    mark, text = kept[0]
    mark.write_text(text.replace(text.split()[1], "1.00"))  # of a process that is gone
    bench.selection().open()
    assert bench.compared == [["native"]]
    assert "native ended vtbridge while it was opened" in caplog.text


def test_what_is_opened_can_be_tested_again(bench: Bench) -> None:
    inner = FaultRuntime(StandInRuntime(NATIVE))
    bench.has(native=inner)
    runtime = bench.selection().open()
    recheck(runtime)
    inner.fault, inner.stage = Fault.STALE, Stage.BROWS
    with pytest.raises(InferenceError, match="has turned wrong"):
        recheck(runtime)


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


def test_a_mistake_in_our_code_is_not_taken_for_a_missing_runtime(bench: Bench) -> None:
    bench.has(native=ZeroDivisionError("ours"), openvino=right(OPENVINO))
    bench.times_ms = {"native": 1.0, "openvino": 2.0}
    with pytest.raises(ZeroDivisionError):
        bench.selection().open()


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
