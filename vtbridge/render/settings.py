"""Settings of the render stage: which weights, on which runtime, how exactly."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from vtbridge.settings import StageSettings


class RuntimeName(StrEnum):
    """An inference runtime."""

    AUTO = "auto"
    PYTORCH = "pytorch"
    OPENVINO = "openvino"


class DeviceName(StrEnum):
    """A device that a runtime computes on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Precision(StrEnum):
    """How exactly a runtime computes; pictures and poses stay float32."""

    AUTO = "auto"
    F32 = "f32"
    BF16 = "bf16"
    F16 = "f16"


class RenderSettings(StageSettings):
    """How a pose becomes a frame."""

    runtime: RuntimeName = RuntimeName.AUTO
    """Inference runtime: `openvino` (fast on CPUs), `pytorch` (CPU, CUDA, Apple GPU), or `auto`:
    openvino if the weights are prepared for it, else pytorch."""

    device: DeviceName = DeviceName.AUTO
    """Device: `cpu`, `cuda`, `mps` or `auto`. openvino knows the CPU only; naming a GPU makes
    `runtime = "auto"` mean pytorch."""

    precision: Precision = Precision.AUTO
    """Precision: `f32` (exact), `bf16` (openvino on CPUs that have it; rotator and editor only),
    `f16` (pytorch on CUDA) or `auto`: on openvino bf16 where the CPU has it, else f32 with quicker,
    slightly inexact sums; on pytorch f32."""

    weights: str = Field("tha3-separable-float", min_length=1, max_length=64)
    """Name of the weights, as `vtbridge weights list` shows it."""

    threads: int = Field(0, ge=0, le=256)
    """Threads of inference on a CPU, a count; 0 uses every core."""
