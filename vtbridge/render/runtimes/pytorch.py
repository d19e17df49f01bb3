"""The PyTorch runtime: exact, on a CPU, a CUDA GPU or an Apple GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.stages import Tha3Stages, build_stages
from vtbridge.render.models.tha3 import build_networks
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision
from vtbridge.render.weights.store import WeightStore


class PyTorchRuntime:
    """Run the stages as they are written, without gradients.

    Args:
        stages: with their weights, float32, on the CPU; moved to ``device``.
        device: where to compute.
        precision: ``F32``, or ``F16`` for convolutions alone (autocast): weights, sampling
            grids and pictures stay float32. ``F32`` turns TF32 off for the whole process.

    Raises:
        RuntimeError: the device cannot hold the stages.
    """

    def __init__(self, stages: Tha3Stages, device: torch.device, precision: Precision) -> None:
        self._device = device
        self._precision = precision
        if precision is Precision.F32:
            # PyTorch lets cuDNN round float32 to 10 bits unless told otherwise.
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        self._modules = {stage: module.to(device) for stage, module in stages.as_dict().items()}

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``pytorch f32 CPU``."""
        return f"pytorch {self._precision} {self._device.type.upper()}"

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
        f16 = self._precision is Precision.F16
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, torch.float16, f16):
                outputs = self._modules[stage](*inputs)
            # Waiting makes the times of the stages true, and costs microseconds.
            _SYNCHRONISE[self._device.type]()
        except RuntimeError as error:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: {error}") from error
        return outputs if isinstance(outputs, tuple) else (outputs,)

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
        """Drop the weights."""
        self._modules.clear()


def open_pytorch(request: RuntimeRequest) -> PyTorchRuntime:
    """Open the runtime that ``request`` asks for.

    Raises:
        RuntimeUnavailable: there is no such device, it has no such precision, or it cannot
            hold the networks.
        WeightsError: the weights are absent or damaged.
    """
    device = _device(request.device)
    precision = Precision.F32 if request.precision is Precision.AUTO else request.precision
    if precision is Precision.BF16 or (precision is Precision.F16 and device.type != "cuda"):
        raise RuntimeUnavailable(
            f"pytorch computes in f32, or in f16 on cuda; {precision} on {device.type} is not "
            "offered. Set precision to auto or f32"
        )
    if request.threads and device.type == "cpu":
        torch.set_num_threads(request.threads)
    stages = load_stages(request.store, request.weights)
    try:
        return PyTorchRuntime(stages, device, precision)
    except RuntimeError as error:
        raise RuntimeUnavailable(
            f"{device.type} does not take the networks of {request.weights} ({error}); free its "
            "memory, or set device to cpu"
        ) from error


def load_stages(store: WeightStore, weights: str) -> Tha3Stages:
    """Build the stages with the weights called ``weights``.

    Raises:
        WeightsError: they are absent, damaged or belong to another architecture.
    """
    networks = build_networks(store.variant(weights))
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
