"""The table of runtimes: opened only when asked, and what does not load is told with its remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support.fault_runtime import StandInRuntime, opening
from tests.support.weights import small_store
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.runtimes.runtime import (
    RUNTIMES,
    RuntimeRequest,
    open_row,
    open_runtime,
    request_of,
)
from vtbridge.render.settings import DeviceName, Precision, RenderSettings, RuntimeName
from vtbridge.render.weights.store import WeightStore


@pytest.fixture
def asked(tmp_path: Path) -> RuntimeRequest:
    return RuntimeRequest(small_store(tmp_path), "small")


def install(monkeypatch: pytest.MonkeyPatch, outcome: object) -> None:
    """Let openvino's row return a runtime or raise what it is given."""
    rows = {RuntimeName.OPENVINO: opening(outcome)}  # type: ignore[arg-type]  # either
    monkeypatch.setattr(table, "RUNTIMES", MappingProxyType(rows))


def test_a_library_that_does_not_load_is_told_with_the_remedy(
    asked: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ImportError("libopenvino.so.2026"))
    with pytest.raises(RuntimeUnavailable, match=r"openvino cannot be loaded .*2026.*reinstall"):
        open_row(RuntimeName.OPENVINO, asked)


def test_ctrl_c_while_a_runtime_is_imported_is_no_fault_of_the_runtime(
    asked: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as pybind11 tells it, and as a package around such a module passes it on
    module_fault = ImportError("initialization failed")
    module_fault.__cause__ = KeyboardInterrupt()
    package_fault = ImportError("cannot import name 'Core'")
    package_fault.__context__ = module_fault
    install(monkeypatch, package_fault)
    with pytest.raises(KeyboardInterrupt):
        open_row(RuntimeName.OPENVINO, asked)


def test_what_a_row_refuses_comes_through(
    asked: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, WeightsError("edit.bin is damaged"))
    with pytest.raises(WeightsError, match=r"edit\.bin is damaged"):
        open_row(RuntimeName.OPENVINO, asked)


def test_an_untested_row_is_the_runtime_itself(
    asked: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = StandInRuntime(RuntimeName.OPENVINO)
    install(monkeypatch, runtime)
    assert open_row(RuntimeName.OPENVINO, asked) is runtime


def test_absent_weights_are_told_of_instead_of_runtimes(tmp_path: Path) -> None:
    request = RuntimeRequest(WeightStore(tmp_path), "tha3-separable-float")
    with pytest.raises(WeightsError, match="vtbridge weights pull tha3-separable-float"):
        open_runtime(RuntimeName.AUTO, request)


def test_a_request_is_what_the_settings_ask_for(tmp_path: Path) -> None:
    settings = RenderSettings(
        weights="mine", device=DeviceName.GPU, precision=Precision.F16, threads=3
    )
    store = WeightStore(tmp_path)
    assert request_of(settings, store) == RuntimeRequest(
        store, "mine", DeviceName.GPU, Precision.F16, 3
    )


def test_the_table_has_every_runtime_but_auto() -> None:
    assert set(RUNTIMES) == set(RuntimeName) - {RuntimeName.AUTO}


def test_the_table_and_the_selection_load_no_library_of_a_runtime() -> None:
    program = (
        "import sys; import vtbridge.render.selection.selection; "
        "print([name for name in ('torch', 'openvino', 'onnxruntime', 'onnx') "
        "if sys.modules.get(name)])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True
    )
    assert told.stdout == "[]\n"
