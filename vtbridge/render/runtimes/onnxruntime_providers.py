"""What ONNX Runtime computes on: one row for each execution provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vtbridge.render.settings import DeviceName, Precision

ProviderOptions = Mapping[str, Any]


def _no_options(_precision: Precision, _cache: Path) -> ProviderOptions:
    return {}


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider.

    Attributes:
        names: what ONNX Runtime calls it; several where it changed between versions.
        precisions: what it is offered for, the one that ``auto`` takes first.
        memory: where arrays lie between stages, as ``OrtValue`` names it. ``cpu`` where its
            own memory cannot be had from Python, at the price of a copy for each stage.
        options: of the provider for a precision and a folder of its own to keep things in.
        fallbacks: of what it does not know itself, tried in this order before the CPU.
        package: what has to be installed for it.
        sequential: whether it needs memory patterns off and one run at a time.
    """

    names: tuple[str, ...]
    precisions: tuple[Precision, ...]
    package: str
    memory: str = "cpu"
    options: Callable[[Precision, Path], ProviderOptions] = _no_options
    fallbacks: tuple[DeviceName, ...] = ()
    sequential: bool = False

    def found(self, available: Sequence[str]) -> str:
        """Return which of its names is ``available``, empty if none is."""
        return next((name for name in self.names if name in available), "")


def _cuda(precision: Precision, _cache: Path) -> ProviderOptions:
    # Searching for the fastest convolution takes a minute at each start, the heuristic none.
    return {
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0" if precision is Precision.F32 else "1",
    }


def _tensorrt(precision: Precision, cache: Path) -> ProviderOptions:
    # Building engines takes minutes.
    return {
        "trt_fp16_enable": precision is Precision.F16,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(cache),
    }


def _coreml(_precision: Precision, _cache: Path) -> ProviderOptions:
    return {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"}


_HALF_FIRST = (Precision.F16, Precision.F32)
# DirectML's float16 shows wrong colours on some cards, Core ML's was never seen.
_EXACT_FIRST = (Precision.F32, Precision.F16)

PROVIDERS: Mapping[DeviceName, Provider] = MappingProxyType(
    {
        DeviceName.TENSORRT: Provider(
            ("TensorrtExecutionProvider",),
            _HALF_FIRST,
            "onnxruntime-gpu and tensorrt",
            memory="cuda",
            options=_tensorrt,
            fallbacks=(DeviceName.CUDA,),
        ),
        DeviceName.CUDA: Provider(
            ("CUDAExecutionProvider",),
            _HALF_FIRST,
            "onnxruntime-gpu[cuda,cudnn]",
            memory="cuda",
            options=_cuda,
        ),
        DeviceName.ROCM: Provider(
            ("MIGraphXExecutionProvider", "ROCMExecutionProvider"),
            _HALF_FIRST,
            "onnxruntime-migraphx",
        ),
        DeviceName.DIRECTML: Provider(
            ("DmlExecutionProvider",), _EXACT_FIRST, "onnxruntime-directml", sequential=True
        ),
        DeviceName.COREML: Provider(
            ("CoreMLExecutionProvider",), _EXACT_FIRST, "onnxruntime", options=_coreml
        ),
        DeviceName.CPU: Provider(("CPUExecutionProvider",), (Precision.F32,), "onnxruntime"),
    }
)
"""Every provider, the fastest first."""
