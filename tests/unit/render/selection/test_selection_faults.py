"""What fails, hangs or turns wrong leaves its place to the next, and each reason is told."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_runtime import Fault, FaultRuntime, StandInRuntime
from tests.support.selection_bench import NATIVE, ONNXRUNTIME, OPENVINO, Bench, outcomes, right
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes.runtime import NeverPrepared, Runtime
from vtbridge.render.selection.candidates import Outcome
from vtbridge.render.selection.trust import Blames, recheck


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


def test_every_reason_is_told_when_none_opens(bench: Bench) -> None:
    bench.has(native=RuntimeUnavailable("no AVX2"), openvino=RuntimeUnavailable("no driver"))
    bench.times_ms = {"native": 1.0, "openvino": 2.0}
    with pytest.raises(RuntimeUnavailable, match=r"native: no AVX2. openvino: no driver"):
        bench.selection().open()


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


def test_a_mistake_in_our_code_is_not_taken_for_a_missing_runtime(bench: Bench) -> None:
    bench.has(native=ZeroDivisionError("ours"), openvino=right(OPENVINO))
    bench.times_ms = {"native": 1.0, "openvino": 2.0}
    with pytest.raises(ZeroDivisionError):
        bench.selection().open()
