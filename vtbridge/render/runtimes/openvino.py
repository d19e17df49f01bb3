"""The OpenVINO runtime: CPUs, Intel GPUs and NPUs; reads prepared stages, never torch.

The networks of THA1 need no preparation: their graphs are put together from the weights.

On a CPU it computes in bf16 where that is multiplied in hardware (AVX512_BF16, AMX), else
in f32 with sums that are fast but drift, told as ``f32-fast``; f32 on request is exact. GPU
and NPU compute in f16 and are taken only by name or by the selection that tests them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.variants import Family
from vtbridge.render.runtimes import openvino_tha1
from vtbridge.render.runtimes.openvino_cache import CompileCache, default_folder
from vtbridge.render.runtimes.openvino_graphs import sum_in_tiles
from vtbridge.render.runtimes.prepared import OPENVINO_FILES
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

# Brows and face feed everything after them, and their depthwise transposed convolutions
# are slower in bf16 than in f32.
_BF16_STAGES = frozenset({Stage.ROTATE, Stage.EDIT})
# What a morpher of THA1 does not paint is the picture itself, and it has no such convolutions.
_BF16_STAGES_OF_THA1 = _BF16_STAGES | {Stage.FACE}

_ONCE = Stage.DECOMPOSE

GraphOf: TypeAlias = Callable[[Stage], tuple[tuple[bytes, ...], Callable[[], ov.Model]]]


@dataclass(frozen=True, slots=True)
class OpenVinoDevice:
    """A device of OpenVINO.

    Attributes:
        name: what OpenVINO calls it.
        precisions: what it is offered for and the capability that OpenVINO tells then,
            the one that ``auto`` takes first.
        cached: whether what was compiled is kept; a CPU compiles in a second.
    """

    name: str
    precisions: Mapping[Precision, str]
    cached: bool = True


DEVICES: Mapping[DeviceName, OpenVinoDevice] = MappingProxyType(
    {
        DeviceName.CPU: OpenVinoDevice(
            "CPU",
            {Precision.BF16: "BF16", Precision.F32: "FP32"},
            cached=False,
        ),
        DeviceName.GPU: OpenVinoDevice("GPU", {Precision.F16: "FP16", Precision.F32: "FP32"}),
        DeviceName.NPU: OpenVinoDevice("NPU", {Precision.F16: "FP16"}),
    }
)


class OpenVinoRuntime:
    """Run compiled stages, each in one request whose output feeds the next without a copy.

    The stage that runs once a picture is compiled for each run and dropped again: it would
    hold 60 MB, and a picture can wait for half a second.

    Args:
        compile_stage: compiles a stage.
        precision: the coarsest that a stage computes in.
        described: precision and device as ``describe`` tells them, such as ``f32-fast CPU``.

    Raises:
        RuntimeError: OpenVINO cannot compile a stage.
        WeightsError: the files of a stage cannot be used.
    """

    name = RuntimeName.OPENVINO

    def __init__(
        self, compile_stage: Callable[[Stage], Any], precision: Precision, described: str
    ) -> None:
        self.precision = precision
        self._described = described
        self._compile = compile_stage
        self._requests = {
            stage: compile_stage(stage).create_infer_request() for stage in Stage if stage != _ONCE
        }

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``openvino f32 CPU``."""
        return f"openvino {self._described}"

    def upload(self, array: F32Array) -> ov.Tensor:
        """Copy ``array`` into memory that OpenVINO reads in place."""
        return ov.Tensor(np.ascontiguousarray(array), shared_memory=False)

    def run(self, stage: Stage, *inputs: ov.Tensor) -> tuple[ov.Tensor, ...]:
        """Run one stage and wait for it.

        Raises:
            InferenceError: OpenVINO failed.
        """
        try:
            if stage == _ONCE:
                request = self._compile(stage).create_infer_request()
                return tuple(_copy(output) for output in _outputs(request, inputs))
            return tuple(_outputs(self._requests[stage], inputs))
        except (RuntimeError, WeightsError) as error:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: {error}") from error

    def download(self, array: ov.Tensor) -> F32Array:
        """Return a view of ``array``."""
        view: F32Array = array.data
        return view

    def close(self) -> None:
        """Drop requests and compiled networks."""
        self._requests.clear()


def open_openvino(request: RuntimeRequest, *, cache: Path | None = None) -> OpenVinoRuntime:
    """Compile the prepared stages as ``request`` asks.

    A second or two on a CPU, up to a minute on a GPU or NPU the first time.

    Args:
        request: ``AUTO`` devices are the CPU.
        cache: folder of compiled networks; None takes the user's own.

    Raises:
        RuntimeUnavailable: the device or the precision is not to be had here, or OpenVINO
            cannot compile the stages.
        WeightsError: the stages are not prepared, or not from these weights.
    """
    wanted = DeviceName.CPU if request.device is DeviceName.AUTO else request.device
    if wanted not in DEVICES:
        raise RuntimeUnavailable(
            f"openvino computes on {', '.join(DEVICES)}, not on {wanted}; set device to one of "
            "them, or choose another runtime"
        )
    try:
        return _opened(request, DEVICES[wanted], cache or default_folder())
    except RuntimeError as error:  # all that OpenVINO ever raises
        raise RuntimeUnavailable(
            f"OpenVINO {ov.__version__} cannot run {request.weights} here ({error}); choose "
            "another runtime"
        ) from error


def has_bf16(core: ov.Core | None = None) -> bool:
    """Return True if this CPU multiplies bf16 in hardware."""
    return "BF16" in _capabilities(core or ov.Core(), "CPU")


def _opened(request: RuntimeRequest, device: OpenVinoDevice, cache: Path) -> OpenVinoRuntime:
    core = ov.Core()
    precision = _precision(core, device, request.precision)
    kept = CompileCache(core, device.name, cache) if device.cached else None
    # Sums that drift are for those who want speed; a GPU's do not.
    exact = request.precision is Precision.F32 and device.name == "CPU"
    graph_of = _graphs(core, request)
    is_tha1 = request.store.variant(request.weights).family is Family.THA1
    coarse = _BF16_STAGES_OF_THA1 if is_tha1 else _BF16_STAGES

    def compile_stage(stage: Stage) -> Any:
        content, build = graph_of(stage)
        options = _options(device, precision, stage, request.threads, coarse=coarse)
        if kept is not None:
            return kept.compiled(stage, content, options, build)
        model = build()
        if exact:
            sum_in_tiles(model)
        return core.compile_model(model, device.name, options)

    fast = precision is Precision.F32 and device.name == "CPU" and not exact
    described = f"{precision}{'-fast' * fast} {device.name}"
    # The first stage is not compiled before there is a picture, but its files must be right.
    graph_of(_ONCE)
    return OpenVinoRuntime(compile_stage, precision, described)


def _graphs(core: ov.Core, request: RuntimeRequest) -> GraphOf:
    """Return what gives the bytes that a stage's graph is made of, and what makes it.

    Raises:
        WeightsError: the weights are absent or damaged.
    """
    store, weights = request.store, request.weights
    variant = store.variant(weights)
    if variant.family is not Family.THA1:

        def prepared(stage: Stage) -> tuple[tuple[bytes, ...], Callable[[], ov.Model]]:
            content = OPENVINO_FILES.read_stage(store, weights, stage)
            return content, partial(_model, core, *content)

        return prepared
    networks = store.networks(weights)
    sha256 = [store.record(weights).files[network].sha256 for network in networks]
    made_of = (f"{openvino_tha1.GRAPH_REVISION} {' '.join(sha256)}".encode(),)

    def built(stage: Stage) -> tuple[tuple[bytes, ...], Callable[[], ov.Model]]:
        return made_of, partial(openvino_tha1.build_model, stage, variant, networks)

    return built


def _outputs(request: Any, inputs: Sequence[ov.Tensor]) -> Sequence[ov.Tensor]:
    for index, tensor in enumerate(inputs):
        request.set_input_tensor(index, tensor)
    request.infer(share_outputs=True)
    outputs: Sequence[ov.Tensor] = request.output_tensors
    return outputs


def _copy(tensor: ov.Tensor) -> ov.Tensor:
    return ov.Tensor(np.array(tensor.data), shared_memory=False)


def _model(core: ov.Core, graph: bytes, constants: bytes) -> ov.Model:
    return core.read_model(graph, ov.Tensor(np.frombuffer(constants, np.uint8)))


def _options(
    device: OpenVinoDevice,
    precision: Precision,
    stage: Stage,
    threads: int,
    *,
    coarse: Set[Stage] = _BF16_STAGES,
) -> dict[str, Any]:
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if device.name == "CPU":
        options |= {
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, two programs with one thread each would share a core.
            "ENABLE_CPU_PINNING": False,
        }
    if precision is Precision.BF16 and stage not in coarse:
        precision = Precision.F32
    if device.name != "NPU":  # which knows no other than f16
        options["INFERENCE_PRECISION_HINT"] = precision.value
    return options


def _precision(core: ov.Core, device: OpenVinoDevice, wanted: Precision) -> Precision:
    """Return what to compute in; the device must be there and have it."""
    # To list devices loads the plugin of each, 27 MB; a CPU is always there.
    if device.name != "CPU" and not any(
        each.partition(".")[0] == device.name for each in core.available_devices
    ):
        raise RuntimeUnavailable(
            f"OpenVINO {ov.__version__} sees no {device.name} here, only "
            f"{', '.join(core.available_devices)}; install its driver, or set device to cpu"
        )
    capabilities = _capabilities(core, device.name)
    offered = [each for each, told in device.precisions.items() if told in capabilities]
    if wanted is Precision.AUTO and offered:
        return offered[0]
    if wanted in offered:
        return wanted
    if wanted is Precision.BF16 and device.name == "CPU":
        name = core.get_property("CPU", "FULL_DEVICE_NAME")
        raise RuntimeUnavailable(
            f"this CPU ({name}) does not multiply bf16 (AVX512_BF16 or AMX); set precision to f32"
        )
    raise RuntimeUnavailable(
        f"openvino computes in {' or '.join(offered) or 'nothing fitting'} on this "
        f"{device.name}, not in {wanted}; set precision to auto"
    )


def _capabilities(core: ov.Core, device: str) -> list[str]:
    capabilities: list[str] = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    return capabilities
