"""The PyTorch runtime: exact on a CPU, fast on a CUDA GPU, at home on an Apple GPU.

On CUDA the networks run in float16 and channels-last, where tensor cores have work, and
each stage is one recorded CUDA graph. ``VTBRIDGE_TORCH_COMPILE=1`` lets ``torch.compile``
fuse them first: a minute more at the start, and less between the convolutions afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.render.models.blocks import GridWarp
from vtbridge.render.models.rewrites import NETWORK_PARTS, ClampedWarp, in_half
from vtbridge.render.models.signatures import Stage, StageSignature, stage_signatures
from vtbridge.render.models.stages import Tha3Stages, build_stages
from vtbridge.render.models.tha3 import networks_of
from vtbridge.render.runtimes.pytorch_cuda import CapturedStage, as_tuple, record_cuda_graph
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision, RuntimeName
from vtbridge.render.weights.store import WeightStore

COMPILE_VARIABLE = "VTBRIDGE_TORCH_COMPILE"
"""Environment variable that turns ``torch.compile`` on."""

# The first is what ``auto`` takes.
_PRECISIONS: Mapping[str, tuple[Precision, ...]] = MappingProxyType(
    {
        "cuda": (Precision.F16, Precision.F32),
        "mps": (Precision.F32, Precision.F16),
        "cpu": (Precision.F32,),
    }
)


class PyTorchRuntime:
    """Run the stages as they are written, without gradients.

    Args:
        stages: every stage, on ``device`` already; see ``placed``.
        device: where they compute.
        precision: of their networks.
    """

    name = RuntimeName.PYTORCH

    def __init__(
        self,
        stages: Mapping[Stage, Callable[..., Tensor | tuple[Tensor, ...]]],
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.precision = precision
        self._device = device
        self._stages = dict(stages)

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``pytorch f32 CPU``."""
        return f"pytorch {self.precision} {self._device.type.upper()}"

    def upload(self, array: F32Array) -> Tensor:
        """Copy ``array`` to the device.

        Raises:
            InferenceError: the device failed, such as for want of memory.
        """
        try:
            return torch.tensor(array, device=self._device)
        except RuntimeError as error:
            raise InferenceError(f"upload failed on {self.describe()}: {error}") from error

    def run(self, stage: Stage, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run one stage and wait for it.

        Raises:
            InferenceError: PyTorch failed, such as for want of memory.
        """
        try:
            with torch.inference_mode():
                outputs = as_tuple(self._stages[stage](*inputs))
            # Waiting makes the times of the stages true, and costs microseconds.
            _SYNCHRONISE[self._device.type]()
        except RuntimeError as error:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: {error}") from error
        return outputs

    def download(self, array: Tensor) -> F32Array:
        """Return ``array`` on the host.

        Raises:
            InferenceError: the device failed.
        """
        try:
            host: F32Array = array.float().contiguous().cpu().numpy()
        except RuntimeError as error:
            raise InferenceError(f"download failed on {self.describe()}: {error}") from error
        return host

    def close(self) -> None:
        """Drop the weights and what was recorded."""
        self._stages.clear()


def open_pytorch(request: RuntimeRequest) -> PyTorchRuntime:
    """Open the runtime that ``request`` asks for.

    Float32 turns TF32 off for the whole process.

    Raises:
        RuntimeUnavailable: there is no such device, it has no such precision, or it cannot
            hold the networks.
        WeightsError: the weights are absent or damaged.
    """
    device = _device(request.device)
    offered = _PRECISIONS[device.type]
    precision = offered[0] if request.precision is Precision.AUTO else request.precision
    if precision not in offered:
        raise RuntimeUnavailable(
            f"pytorch computes in {' or '.join(offered)} on {device.type}, not in {precision}; "
            "set precision to auto"
        )
    if request.threads and device.type == "cpu":
        torch.set_num_threads(request.threads)
    if precision is Precision.F32:
        # PyTorch lets cuDNN round float32 to 10 bits unless told otherwise.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    stages = load_stages(request.store, request.weights)
    signatures = stage_signatures(request.store.variant(request.weights))
    compiled = os.environ.get(COMPILE_VARIABLE, "") == "1"
    try:
        ready = {
            stage: placed(module, signatures[stage], device, precision, compiled=compiled)
            for stage, module in stages.as_dict().items()
        }
    except RuntimeError as error:
        raise RuntimeUnavailable(
            f"{device.type} does not take the networks of {request.weights} ({error}); free its "
            "memory, or set device to cpu"
        ) from error
    return PyTorchRuntime(ready, device, precision)


def placed(
    module: nn.Module,
    signature: StageSignature,
    device: torch.device,
    precision: Precision,
    *,
    compiled: bool = False,
) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    """Move a stage to ``device`` and return what runs it there.

    Args:
        module: a stage with its weights, float32, on the CPU; changed in place.
        signature: its shapes.
        device: where to compute.
        precision: of its networks; what surrounds them stays float32.
        compiled: whether ``torch.compile`` rewrites it, which takes effect at its first run.

    Raises:
        RuntimeError: the device cannot hold it.
    """
    if precision is Precision.F16:
        module = in_half(module)
    warp = getattr(module, "warp", None)
    if device.type == "mps" and isinstance(warp, GridWarp):
        module.warp = ClampedWarp(warp)  # repeated borders came with PyTorch 2.13
    module = module.to(device)
    if device.type == "cuda" and precision is Precision.F16:
        for name, part in module.named_children():
            if name in NETWORK_PARTS:
                part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a stub
    run: Callable[..., Tensor | tuple[Tensor, ...]] = torch.compile(module) if compiled else module
    if device.type == "cuda":
        with torch.inference_mode():
            return CapturedStage(run, signature.inputs.values(), device, record_cuda_graph)
    return run


def load_stages(store: WeightStore, weights: str) -> Tha3Stages:
    """Build the stages with the weights called ``weights``.

    Raises:
        WeightsError: they are absent, damaged or belong to another architecture.
    """
    networks = networks_of(store.variant(weights))
    arrays = store.networks(weights)
    for network, module in networks.as_dict().items():
        state = {key: torch.tensor(array) for key, array in arrays[network].items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(
                f"the {network} of {weights} does not fit its architecture ({error}): "
                f"run `{store.remedy(weights)}`"
            ) from error
    return build_stages(networks)


def _device(name: DeviceName) -> torch.device:
    available: dict[DeviceName, bool] = {
        DeviceName.CUDA: torch.cuda.is_available(),
        DeviceName.MPS: torch.backends.mps.is_available(),
        DeviceName.CPU: True,
    }
    if name is DeviceName.AUTO:
        return torch.device(next(device for device, present in available.items() if present))
    if name not in available:
        raise RuntimeUnavailable(
            f"pytorch computes on {', '.join(available)}, not on {name}; set device to one of "
            "them, or choose another runtime"
        )
    if not available[name]:
        raise RuntimeUnavailable(
            f"PyTorch {torch.__version__} sees no {name} device here; set device to auto or cpu, "
            "or install a build of PyTorch and a driver for it"
        )
    return torch.device(name)


def _nothing() -> None:
    """A CPU is done when it returns."""


_SYNCHRONISE: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"cpu": _nothing, "cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
)
