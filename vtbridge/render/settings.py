"""Settings of the render stage: which weights, on which runtime, how exactly."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from vtbridge.settings import StageSettings


class RuntimeName(StrEnum):
    """An inference runtime."""

    AUTO = "auto"
    NATIVE = "native"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    PYTORCH = "pytorch"


class DeviceName(StrEnum):
    """A device that a runtime computes on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    ROCM = "rocm"
    DIRECTML = "directml"
    COREML = "coreml"
    MPS = "mps"
    GPU = "gpu"
    NPU = "npu"


class Precision(StrEnum):
    """How exactly a runtime computes; pictures and poses stay float32."""

    AUTO = "auto"
    F32 = "f32"
    BF16 = "bf16"
    F16 = "f16"


class Quality(StrEnum):
    """How much of a frame is computed anew for it; each level is faster than the one before.

    ``BAKED`` computes none of it by the networks: it shows what was learnt of one picture.
    """

    AUTO = "auto"
    EXACT = "exact"
    BALANCED = "balanced"
    FAST = "fast"
    BAKED = "baked"


class RenderSettings(StageSettings):
    """How a pose becomes a frame."""

    runtime: RuntimeName = RuntimeName.AUTO
    """Inference runtime: `native` (own kernels for CPUs), `openvino` (CPUs, Intel GPU and NPU),
    `onnxruntime` (CPU, CUDA, TensorRT, ROCm, DirectML, CoreML), `pytorch` (CPU, CUDA, Apple GPU),
    or `auto`: the fastest of those here whose pictures are right."""

    device: DeviceName = DeviceName.AUTO
    """Device: `auto`, `cpu`, `cuda`, `tensorrt`, `rocm`, `directml`, `coreml`, `mps`, or `gpu` and
    `npu` of Intel. Naming one leaves only the runtimes that know it."""

    precision: Precision = Precision.AUTO
    """Precision: `f32` (exact), `bf16` (rotator and editor only), `f16` or `auto`: what the device
    computes fastest without a visible difference."""

    quality: Quality = Quality.AUTO
    """Quality of live frames, the best that load lets it be: `exact`, `balanced`, `fast`, or
    `auto`: exact where the machine shows it fluently, else balanced; `baked` shows a character
    that `vtbridge character bake` prepared, at 60 frames a second on one core. Pictures and
    videos are always exact."""

    prepare: bool = True
    """With quality `auto`, where the machine cannot show the networks fluently: show the prepared
    character, and if there is none, prepare it in the background while the networks are shown."""

    learn: bool = True
    """With `prepare`, while the prepared character is shown: go on learning from the turns that you
    really make, on a core that nothing else wants. It gets better within minutes, keeps what it
    learnt, ends by itself, and waits while frames come late."""

    package: str = Field("", max_length=4096)
    """Folder of the prepared character that `baked` shows; empty finds the one of the picture."""

    weights: str = Field("tha3-separable-float", min_length=1, max_length=64)
    """Name of the weights, as `vtbridge weights list` shows it."""

    size: int = Field(512, ge=256, le=1024, multiple_of=16)
    """Side of the frames in pixels, 256..1024. Over 512 the drawing's own pixels are used, so a
    drawing of more than 512 pixels stays sharp."""

    threads: int = Field(0, ge=0, le=256)
    """Threads of inference on a CPU, a count; 0 follows `cpu_budget`."""

    cpu_budget: float = Field(1.0, gt=0.0, le=1.0)
    """Share of the machine's cores that inference may use; 0.5 leaves half of them to the game."""

    cache_mb: int = Field(64, ge=0, le=4096)
    """Memory for brows and faces seen before, in MiB; 0 keeps only the last ones."""
