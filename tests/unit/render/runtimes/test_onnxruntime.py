"""The ONNX Runtime runtime: which provider computes, and what it is told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage, StageSignature
from vtbridge.render.models.variants import VARIANTS
from vtbridge.render.runtimes import onnxruntime
from vtbridge.render.runtimes.onnxruntime import OnnxRuntime, open_onnxruntime
from vtbridge.render.runtimes.onnxruntime_providers import PROVIDERS
from vtbridge.render.runtimes.prepared import PreparedFiles
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision
from vtbridge.render.weights.store import WeightStore

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
GRAPH = b"a graph"
ALIKE = StageSignature({"x": (1, 4)}, {"x": (1, 4)})


class Binding:
    def bind_ortvalue_output(self, *_: object) -> None: ...


class Session:
    """Stands for a session on a provider that this machine lacks."""

    opened: list[Session] = []  # noqa: RUF012  # cleared by the fixture
    falls_back = False
    failures = 0

    def __init__(self, content: bytes, options: Any, *, providers: list[Any]) -> None:
        if Session.failures:
            Session.failures -= 1
            raise RuntimeError("engine deserialization failed")
        self.content, self.options, self.providers = content, options, providers
        Session.opened.append(self)

    def get_providers(self) -> list[str]:
        return [CPU] if Session.falls_back else [name for name, _ in self.providers]

    def io_binding(self) -> Binding:
        return Binding()


class Store(WeightStore):
    """Has every weights, all of one variant."""

    def variant(self, name: str) -> Any:
        return VARIANTS["separable_float"]


@pytest.fixture
def half_is_prepared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bool]:
    """Let every session be a fake one; tell whether float16 files are there."""
    there = {"f16": True}
    Session.opened, Session.falls_back, Session.failures = [], False, 0

    def problem(self: PreparedFiles, *_: object) -> str:
        return "" if self.precision is Precision.F32 or there["f16"] else "never prepared"

    def read_stage(self: PreparedFiles, *_: object) -> tuple[bytes, ...]:
        if problem(self):
            raise WeightsError("never prepared")
        return (GRAPH + self.precision.encode(),)

    class Value:
        @staticmethod
        def ortvalue_from_shape_and_type(*_: object) -> None: ...

    monkeypatch.setattr(PreparedFiles, "problem", problem)
    monkeypatch.setattr(PreparedFiles, "read_stage", read_stage)
    monkeypatch.setattr(ort, "InferenceSession", Session)
    monkeypatch.setattr(ort, "OrtValue", Value)
    monkeypatch.setattr(onnxruntime, "_cache_folder", lambda: tmp_path / "cache")
    return there


def machine_with(monkeypatch: pytest.MonkeyPatch, *providers: str) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [*providers, CPU])


def request(
    tmp_path: Path,
    device: DeviceName = DeviceName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int = 0,
) -> RuntimeRequest:
    return RuntimeRequest(Store(tmp_path), "mine", device, precision, threads)


@pytest.mark.usefixtures("half_is_prepared")
@pytest.mark.parametrize("device", PROVIDERS)
def test_every_row_opens_where_its_provider_is(
    device: DeviceName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider = PROVIDERS[device]
    machine_with(monkeypatch, *([provider.names[-1]] if device is not DeviceName.CPU else []))
    runtime = open_onnxruntime(request(tmp_path, device))
    assert runtime.precision is provider.precisions[0]
    assert runtime.describe() == f"onnxruntime {provider.precisions[0]} {device.upper()}"
    for session in Session.opened:
        assert session.providers[0][0] == provider.names[-1]
        assert session.providers[-1][0] == CPU
    assert len(Session.opened) == len(Stage)


@pytest.mark.usefixtures("half_is_prepared")
def test_the_fastest_provider_of_the_build_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, TENSORRT, CUDA)
    assert open_onnxruntime(request(tmp_path)).describe() == "onnxruntime f16 TENSORRT"
    # What TensorRT does not know is computed on the same card.
    assert [name for name, _ in Session.opened[0].providers] == [TENSORRT, CUDA, CPU]


def test_without_float16_files_a_gpu_computes_in_float32(
    half_is_prepared: dict[str, bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, CUDA)
    half_is_prepared["f16"] = False
    assert open_onnxruntime(request(tmp_path)).precision is Precision.F32
    assert Session.opened[0].content == GRAPH + b"f32"
    with pytest.raises(WeightsError, match="never prepared"):
        open_onnxruntime(request(tmp_path, precision=Precision.F16))


@pytest.mark.usefixtures("half_is_prepared")
def test_float32_on_cuda_is_not_rounded_to_tf32(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, CUDA)
    open_onnxruntime(request(tmp_path, precision=Precision.F32))
    assert Session.opened[0].providers[0][1]["use_tf32"] == "0"


@pytest.mark.usefixtures("half_is_prepared")
def test_threads_are_those_asked_for_and_never_spin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch)
    open_onnxruntime(request(tmp_path, threads=3))
    options = Session.opened[0].options
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.usefixtures("half_is_prepared")
def test_directml_runs_as_its_documentation_demands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, "DmlExecutionProvider")
    open_onnxruntime(request(tmp_path, DeviceName.DIRECTML))
    options = Session.opened[0].options
    assert options.enable_mem_pattern is False
    assert options.execution_mode == ort.ExecutionMode.ORT_SEQUENTIAL


@pytest.mark.usefixtures("half_is_prepared")
def test_a_provider_that_is_not_in_the_build_is_told_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch)
    with pytest.raises(RuntimeUnavailable, match=r"on cpu, not on cuda; install onnxruntime-gpu"):
        open_onnxruntime(request(tmp_path, DeviceName.CUDA))
    with pytest.raises(RuntimeUnavailable, match=r"computes on .*, not on mps"):
        open_onnxruntime(request(tmp_path, DeviceName.MPS))


@pytest.mark.usefixtures("half_is_prepared")
def test_a_silent_fall_back_to_the_cpu_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, CUDA)
    Session.falls_back = True
    with pytest.raises(RuntimeUnavailable, match="CUDAExecutionProvider does not load"):
        open_onnxruntime(request(tmp_path, DeviceName.CUDA))


@pytest.mark.usefixtures("half_is_prepared")
def test_a_precision_that_the_provider_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch)
    with pytest.raises(RuntimeUnavailable, match="in f32 on cpu, not in f16"):
        open_onnxruntime(request(tmp_path, precision=Precision.F16))


@pytest.mark.usefixtures("half_is_prepared")
def test_damaged_engines_are_deleted_and_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, TENSORRT)
    key = hashlib.sha256(GRAPH + b"f16").hexdigest()[:32]
    engine = tmp_path / "cache" / f"tensorrt-{key}" / "damaged.engine"
    engine.parent.mkdir(parents=True)
    engine.write_bytes(b"rubbish")
    Session.failures = 1
    open_onnxruntime(request(tmp_path, DeviceName.TENSORRT))
    assert not engine.exists()
    assert engine.parent.is_dir(), "the provider writes there"
    Session.failures = 2
    with pytest.raises(RuntimeUnavailable, match="engine deserialization failed"):
        open_onnxruntime(request(tmp_path, DeviceName.TENSORRT))


def adding_one() -> bytes:
    """Return a real graph: y = x + 1."""
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["new_x"])],
        "adding",
        [port("x", TensorProto.FLOAT, [1, 4])],
        [port("new_x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    opset = helper.make_opsetid("", 18)
    content: bytes = onnx.helper.make_model(
        graph, opset_imports=[opset], ir_version=10
    ).SerializeToString()
    return content


@pytest.fixture
def runtime() -> OnnxRuntime:
    session = onnxruntime._opened(adding_one(), DeviceName.CPU, Precision.F32, 1, Path("unused"))
    stages = (Stage.EDIT, Stage.ROTATE)
    return OnnxRuntime(
        dict.fromkeys(stages, session),
        dict.fromkeys(stages, ALIKE),
        "cpu",
        Precision.F32,
        DeviceName.CPU,
    )


def test_an_output_feeds_another_stage_and_stays_until_its_own_runs_again(
    runtime: OnnxRuntime,
) -> None:
    (once,) = runtime.run(Stage.EDIT, runtime.upload(np.zeros((1, 4), np.float32)))
    (twice,) = runtime.run(Stage.ROTATE, once)
    assert runtime.download(once).tolist() == [[1, 1, 1, 1]]
    assert runtime.download(twice).tolist() == [[2, 2, 2, 2]]
    runtime.close()


def test_what_was_uploaded_is_a_copy(runtime: OnnxRuntime) -> None:
    values = np.zeros((1, 4), np.float32)
    uploaded = runtime.upload(values)
    values[:] = 7
    (output,) = runtime.run(Stage.EDIT, uploaded)
    assert runtime.download(output).tolist() == [[1, 1, 1, 1]]


def test_a_failure_names_the_stage(runtime: OnnxRuntime) -> None:
    wrong = runtime.upload(np.zeros((1, 5), np.float32))
    with pytest.raises(InferenceError, match="stage edit failed on onnxruntime f32 CPU"):
        runtime.run(Stage.EDIT, wrong)
