"""Choosing a runtime: as asked, or the best that opens, with the reason told."""

from __future__ import annotations

import logging
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.runtimes.runtime import (
    NeverPrepared,
    Runtime,
    RuntimeRequest,
    open_runtime,
)
from vtbridge.render.settings import RuntimeName
from vtbridge.render.weights.store import WeightStore


class Opened:
    """Stands for an open runtime; only its description is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def describe(self) -> str:
        return self.name


class StoreWithWeights(WeightStore):
    """Says that every entry is there."""

    def record(self, name: str) -> Any:
        return name


@pytest.fixture
def request_here(tmp_path: Path) -> RuntimeRequest:
    return RuntimeRequest(StoreWithWeights(tmp_path), "tha3-separable-float")


def install(monkeypatch: pytest.MonkeyPatch, openvino: object, pytorch: object) -> None:
    """Let the table's rows return a runtime or raise what they are given."""

    def row(outcome: object) -> object:
        def open_it(_: RuntimeRequest) -> Runtime[Any]:
            if isinstance(outcome, Exception):
                raise outcome
            return Opened(str(outcome))  # type: ignore[return-value]  # only described

        return open_it

    rows = {RuntimeName.OPENVINO: row(openvino), RuntimeName.PYTORCH: row(pytorch)}
    monkeypatch.setattr(table, "RUNTIMES", MappingProxyType(rows))


def test_the_fastest_that_opens_is_taken(
    request_here: RuntimeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    install(monkeypatch, "openvino f32 CPU", "pytorch f32 CPU")
    caplog.set_level(logging.INFO)
    assert open_runtime(RuntimeName.AUTO, request_here).describe() == "openvino f32 CPU"
    assert caplog.messages == ["inference runs on openvino f32 CPU"]


@pytest.mark.parametrize(
    "refusal",
    [
        WeightsError("never prepared"),
        RuntimeUnavailable("no such device"),
        ImportError("libopenvino.so.2026"),
    ],
)
def test_another_is_taken_with_the_reason_told(
    refusal: Exception,
    request_here: RuntimeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    install(monkeypatch, refusal, "pytorch f32 CPU")
    caplog.set_level(logging.INFO)
    assert open_runtime(RuntimeName.AUTO, request_here).describe() == "pytorch f32 CPU"
    (message,) = caplog.messages
    assert message.startswith("inference runs on pytorch f32 CPU; openvino was not taken: ")
    assert str(refusal) in message


def test_a_named_runtime_is_never_replaced(
    request_here: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, WeightsError("never prepared"), "pytorch f32 CPU")
    with pytest.raises(WeightsError, match="never prepared"):
        open_runtime(RuntimeName.OPENVINO, request_here)


def test_every_refusal_is_told_when_none_opens(
    request_here: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, RuntimeUnavailable("no bf16"), RuntimeUnavailable("no GPU"))
    with pytest.raises(RuntimeUnavailable, match=r"openvino.*no bf16.*pytorch.*no GPU"):
        open_runtime(RuntimeName.AUTO, request_here)


def test_ctrl_c_while_a_runtime_is_imported_is_no_fault_of_the_runtime(
    request_here: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as pybind11 tells it, and as a package around such a module passes it on
    module_fault = ImportError("initialization failed")
    module_fault.__cause__ = KeyboardInterrupt()
    package_fault = ImportError("cannot import name 'Core'")
    package_fault.__context__ = module_fault
    install(monkeypatch, package_fault, "pytorch f32 CPU")
    with pytest.raises(KeyboardInterrupt):
        open_runtime(RuntimeName.AUTO, request_here)


def test_absent_weights_are_told_of_instead_of_runtimes(tmp_path: Path) -> None:
    request = RuntimeRequest(WeightStore(tmp_path), "tha3-separable-float")
    with pytest.raises(WeightsError, match="vtbridge weights pull tha3-separable-float"):
        open_runtime(RuntimeName.AUTO, request)


def test_a_mistake_in_our_code_is_not_taken_for_a_missing_runtime(
    request_here: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ZeroDivisionError("ours"), "pytorch f32 CPU")
    with pytest.raises(ZeroDivisionError):
        open_runtime(RuntimeName.AUTO, request_here)


@pytest.mark.parametrize(
    ("refusal", "level"),
    [
        (NeverPrepared("never prepared"), logging.INFO),
        (RuntimeUnavailable("no such device"), logging.INFO),
        (WeightsError("edit.bin is damaged"), logging.WARNING),
    ],
)
def test_only_damaged_files_are_worth_a_warning(
    refusal: Exception,
    level: int,
    request_here: RuntimeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    install(monkeypatch, refusal, "pytorch f32 CPU")
    caplog.set_level(logging.INFO)
    open_runtime(RuntimeName.AUTO, request_here)
    assert [record.levelno for record in caplog.records] == [level]
