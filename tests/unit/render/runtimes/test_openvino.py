"""The OpenVINO runtime on networks small enough for a unit test, and the choice of its device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.quiet_openvino import opset13 as ops
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes import openvino
from vtbridge.render.runtimes.openvino import DEVICES, OpenVinoRuntime, open_openvino
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision
from vtbridge.render.weights.store import WeightStore


def runtime_of(model: ov.Model) -> OpenVinoRuntime:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return OpenVinoRuntime(lambda _: compiled, Precision.F32, "f32 CPU")


def test_an_output_feeds_another_stage_and_stays_until_its_own_runs_again() -> None:
    x = ops.parameter([1, 4], np.float32)
    runtime = runtime_of(ov.Model([ops.add(x, np.float32(1))], [x]))
    (once,) = runtime.run(Stage.ROTATE, runtime.upload(np.zeros((1, 4), np.float32)))
    (twice,) = runtime.run(Stage.EDIT, once)
    assert runtime.download(once).tolist() == [[1, 1, 1, 1]]
    assert runtime.download(twice).tolist() == [[2, 2, 2, 2]]
    (again,) = runtime.run(Stage.EDIT, once)
    assert runtime.download(again).tolist() == [[2, 2, 2, 2]]
    runtime.close()


def test_the_stage_of_a_picture_is_compiled_for_it_and_dropped() -> None:
    x = ops.parameter([1, 4], np.float32)
    model = ov.Model([ops.add(x, np.float32(1))], [x])
    asked: list[Stage] = []

    def compile_stage(stage: Stage) -> ov.CompiledModel:
        asked.append(stage)
        return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    runtime = OpenVinoRuntime(compile_stage, Precision.F32, "f32 CPU")
    assert set(asked) == set(Stage) - {Stage.DECOMPOSE}
    (first,) = runtime.run(Stage.DECOMPOSE, runtime.upload(np.zeros((1, 4), np.float32)))
    (second,) = runtime.run(Stage.DECOMPOSE, runtime.upload(np.ones((1, 4), np.float32)))
    # What was returned lives on without what computed it.
    assert runtime.download(first).tolist() == [[1, 1, 1, 1]]
    assert runtime.download(second).tolist() == [[2, 2, 2, 2]]
    assert asked[-2:] == [Stage.DECOMPOSE, Stage.DECOMPOSE]


def test_what_was_uploaded_is_a_copy() -> None:
    x = ops.parameter([1, 4], np.float32)
    runtime = runtime_of(ov.Model([ops.add(x, np.float32(1))], [x]))
    values = np.zeros((1, 4), np.float32)
    uploaded = runtime.upload(values)
    values[:] = 7
    assert runtime.download(runtime.run(Stage.EDIT, uploaded)[0]).tolist() == [[1, 1, 1, 1]]


def test_a_failure_of_openvino_names_the_stage() -> None:
    x = ops.parameter([1, 4], np.float32)
    runtime = runtime_of(ov.Model([ops.add(x, np.float32(1))], [x]))
    with pytest.raises(InferenceError, match="stage edit failed on openvino f32 CPU"):
        runtime.run(Stage.EDIT, runtime.upload(np.zeros((1, 5), np.float32)))


class Machine:
    """Stands for OpenVINO's core on a machine with devices that this one lacks."""

    def __init__(self, **capabilities: list[str]) -> None:
        self._capabilities = capabilities
        self.available_devices = [f"{name}.0" if name == "GPU" else name for name in capabilities]

    def get_property(self, device: str, name: str) -> Any:
        return self._capabilities[device] if name == "OPTIMIZATION_CAPABILITIES" else "a device"


PLAIN_CPU = ["FP32", "INT8"]


@pytest.mark.parametrize(
    ("device", "capabilities", "wanted", "taken"),
    [
        (DeviceName.CPU, PLAIN_CPU, Precision.AUTO, Precision.F32),
        (DeviceName.CPU, [*PLAIN_CPU, "BF16"], Precision.AUTO, Precision.BF16),
        (DeviceName.CPU, [*PLAIN_CPU, "BF16"], Precision.F32, Precision.F32),
        (DeviceName.GPU, ["FP32", "FP16"], Precision.AUTO, Precision.F16),
        (DeviceName.GPU, ["FP32"], Precision.AUTO, Precision.F32),
        (DeviceName.NPU, ["FP16"], Precision.AUTO, Precision.F16),
    ],
)
def test_the_precision_follows_what_the_device_says_it_has(
    device: DeviceName, capabilities: list[str], wanted: Precision, taken: Precision
) -> None:
    machine = Machine(**{DEVICES[device].name: capabilities})
    assert openvino._precision(machine, DEVICES[device], wanted) is taken


@pytest.mark.parametrize(
    ("device", "capabilities", "wanted", "told"),
    [
        (DeviceName.CPU, PLAIN_CPU, Precision.BF16, "does not multiply bf16.*precision to f32"),
        (DeviceName.CPU, PLAIN_CPU, Precision.F16, "in f32 on this CPU, not in f16"),
        (DeviceName.NPU, ["FP16"], Precision.F32, "in f16 on this NPU, not in f32"),
    ],
)
def test_a_precision_that_is_not_there_is_refused_with_those_that_are(
    device: DeviceName, capabilities: list[str], wanted: Precision, told: str
) -> None:
    machine = Machine(**{DEVICES[device].name: capabilities})
    with pytest.raises(RuntimeUnavailable, match=told):
        openvino._precision(machine, DEVICES[device], wanted)


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(RuntimeUnavailable, match=r"sees no GPU here, only CPU.*driver"):
        openvino._precision(Machine(CPU=PLAIN_CPU), DEVICES[DeviceName.GPU], Precision.AUTO)


def test_a_device_of_others_is_refused_with_its_own(tmp_path: Path) -> None:
    request = RuntimeRequest(WeightStore(tmp_path), "mine", device=DeviceName.CUDA)
    with pytest.raises(RuntimeUnavailable, match="computes on cpu, gpu, npu, not on cuda"):
        open_openvino(request)


def test_the_morpher_of_tha1_computes_in_bf16_too() -> None:
    coarse = openvino._BF16_STAGES_OF_THA1
    hints = {
        stage: openvino._options(DEVICES[DeviceName.CPU], Precision.BF16, stage, 2, coarse=coarse)[
            "INFERENCE_PRECISION_HINT"
        ]
        for stage in Stage
    }
    assert {stage for stage in Stage if hints[stage] == "bf16"} == coarse
    assert coarse == {Stage.FACE, Stage.ROTATE, Stage.EDIT}


def test_only_rotator_and_editor_compute_in_bf16() -> None:
    hints = {
        stage: openvino._options(DEVICES[DeviceName.CPU], Precision.BF16, stage, 2)
        for stage in Stage
    }
    assert {
        stage for stage, hint in hints.items() if hint["INFERENCE_PRECISION_HINT"] == "bf16"
    } == {Stage.ROTATE, Stage.EDIT}


def test_a_cpu_is_shared_and_its_threads_are_those_asked_for() -> None:
    options = openvino._options(DEVICES[DeviceName.CPU], Precision.F32, Stage.EDIT, 3)
    assert options["INFERENCE_NUM_THREADS"] == 3
    assert options["ENABLE_CPU_PINNING"] is False


@pytest.mark.parametrize("device", [DeviceName.GPU, DeviceName.NPU])
def test_other_devices_are_told_nothing_of_threads(device: DeviceName) -> None:
    options = openvino._options(DEVICES[device], Precision.F16, Stage.EDIT, 3)
    assert not {"INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING"} & set(options)
