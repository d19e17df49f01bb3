"""A machine with the runtimes that a test gives it, for whoever chooses among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_runtime import Fault, FaultRuntime, StandInRuntime, opening
from tests.support.weights import small_store
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.runtimes.runtime import Runtime, RuntimeRequest, RuntimeRow
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried
from vtbridge.render.selection.golden import Golden, sources_of, write_golden
from vtbridge.render.selection.hardware import Hardware
from vtbridge.render.selection.memory import ChoiceMemory
from vtbridge.render.selection.selection import Selection
from vtbridge.render.selection.trust import Blames
from vtbridge.render.settings import RuntimeName

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


def right(name: RuntimeName) -> Callable[[], Runtime[Any]]:
    return lambda: StandInRuntime(name)


def wrong(name: RuntimeName, fault: Fault) -> Callable[[], Runtime[Any]]:
    return lambda: FaultRuntime(StandInRuntime(name), fault)


def outcomes(selection: Selection) -> dict[str, Outcome]:
    return {str(each.candidate): each.outcome for each in selection.explain()}
