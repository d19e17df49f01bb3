"""The protocol of an inference runtime, and the table of those there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from vtbridge.datatypes import F32Array
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.variants import Family
from vtbridge.render.settings import DeviceName, Precision, RenderSettings, RuntimeName
from vtbridge.render.weights.store import WeightStore

ArrayT = TypeVar("ArrayT")


class NeverPrepared(WeightsError):
    """The files that a runtime loads in place of the weights were never made."""


class Runtime(Protocol[ArrayT]):
    """Run the stages of one set of weights on one device.

    An ``ArrayT`` lives on the device and means nothing elsewhere. What a stage returned
    stays valid until the same stage runs again; it may be handed to other stages as
    often as needed. A runtime belongs to one thread at a time.
    """

    @property
    def name(self) -> RuntimeName:
        """Its row in the table."""

    @property
    def precision(self) -> Precision:
        """The coarsest numbers that it computes in: ``F32``, ``F16`` or ``BF16``."""

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``openvino f32 CPU``."""

    def upload(self, array: F32Array) -> ArrayT:
        """Copy ``array`` to the device.

        Raises:
            InferenceError: the device failed.
        """

    def run(self, stage: Stage, *inputs: ArrayT) -> tuple[ArrayT, ...]:
        """Run one stage and wait for it.

        Raises:
            InferenceError: the backend failed; the message names stage and backend.
        """

    def download(self, array: ArrayT) -> F32Array:
        """Return ``array`` on the host, C-contiguous, valid as long as ``array`` is.

        Raises:
            InferenceError: the device failed.
        """

    def close(self) -> None:
        """Give the device's memory back; nothing else may be called afterwards."""


@dataclass(frozen=True, slots=True)
class RuntimeRequest:
    """What a runtime is asked for.

    Attributes:
        store: where the weights are.
        weights: name of the weights in it.
        device: ``AUTO`` takes the runtime's best.
        precision: ``AUTO`` takes the fastest that shows no difference.
        threads: of inference on a CPU, 0 for every core.
    """

    store: WeightStore
    weights: str
    device: DeviceName = DeviceName.AUTO
    precision: Precision = Precision.AUTO
    threads: int = 0


def request_of(settings: RenderSettings, store: WeightStore | None = None) -> RuntimeRequest:
    """Return what ``settings`` ask for; None takes the user's own store."""
    return RuntimeRequest(
        store=WeightStore() if store is None else store,
        weights=settings.weights,
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
    )


@dataclass(frozen=True, slots=True)
class RuntimeRow:
    """One runtime: what it knows, what it needs, how it is opened.

    Attributes:
        devices: those it can compute on, the fastest first.
        open: opens it; the only thing that imports its library. Raises ImportError if that
            does not load, RuntimeUnavailable if it cannot run as asked, ``NeverPrepared`` or
            another WeightsError if its files are absent or damaged.
        library: the module that it needs, empty if none.
        package: what pip calls the library; several where builds differ by device.
        prepared: files in an entry's folder one of which is there once the weights were
            prepared for it; empty if it reads the weights themselves.
        unprepared: systems whose weights it reads themselves all the same.
        heavy: its library takes seconds and hundreds of MiB to load, so that on a CPU it is
            tried only where nothing else runs.
    """

    devices: tuple[DeviceName, ...]
    open: Callable[[RuntimeRequest], Runtime[Any]]
    library: str = ""
    package: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()
    unprepared: frozenset[Family] = frozenset()
    heavy: bool = False


def open_runtime(name: RuntimeName, request: RuntimeRequest) -> Runtime[Any]:
    """Open the runtime ``name`` after it was tested; ``AUTO`` is the fastest that is right.

    Raises:
        RuntimeUnavailable: it cannot run here, or not as asked, or its pictures are wrong.
        WeightsError: the weights are absent, damaged, or cannot be prepared for it.
    """
    # Here, because choosing among the rows of this table takes more than the table.
    from vtbridge.render.selection.selection import Selection

    return Selection(name, request).open()


def open_row(name: RuntimeName, request: RuntimeRequest) -> Runtime[Any]:
    """Open the runtime of a row, untested.

    Raises:
        RuntimeUnavailable: it cannot run here, or not as asked.
        WeightsError: the weights are absent, damaged, or not prepared for it.
    """
    try:
        return RUNTIMES[name].open(request)
    except ImportError as error:
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        raise RuntimeUnavailable(
            f"{name} cannot be loaded ({error}); reinstall vtbridge or choose another runtime"
        ) from error


def _was_interrupted(error: BaseException | None) -> bool:
    """Return whether Ctrl-C is behind ``error``; native modules make an ImportError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _open_native(request: RuntimeRequest) -> Runtime[Any]:
    from vtbridge.render.runtimes.native import open_native

    return open_native(request)


def _open_openvino(request: RuntimeRequest) -> Runtime[Any]:
    from vtbridge.render.runtimes.openvino import open_openvino

    return open_openvino(request)


def _open_onnxruntime(request: RuntimeRequest) -> Runtime[Any]:
    from vtbridge.render.runtimes.onnxruntime import open_onnxruntime

    return open_onnxruntime(request)


def _open_pytorch(request: RuntimeRequest) -> Runtime[Any]:
    from vtbridge.render.runtimes.pytorch import open_pytorch

    return open_pytorch(request)


RUNTIMES: Mapping[RuntimeName, RuntimeRow] = MappingProxyType(
    {
        RuntimeName.NATIVE: RuntimeRow((DeviceName.CPU,), _open_native),
        RuntimeName.OPENVINO: RuntimeRow(
            (DeviceName.GPU, DeviceName.NPU, DeviceName.CPU),
            _open_openvino,
            library="openvino",
            package=("openvino",),
            prepared=("openvino/export.json",),
            unprepared=frozenset({Family.THA1}),
        ),
        RuntimeName.ONNXRUNTIME: RuntimeRow(
            (
                DeviceName.TENSORRT,
                DeviceName.CUDA,
                DeviceName.ROCM,
                DeviceName.DIRECTML,
                DeviceName.COREML,
                DeviceName.CPU,
            ),
            _open_onnxruntime,
            library="onnxruntime",
            package=("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
            prepared=("onnx/export.json", "onnx-f16/export.json"),
        ),
        RuntimeName.PYTORCH: RuntimeRow(
            (DeviceName.CUDA, DeviceName.MPS, DeviceName.CPU),
            _open_pytorch,
            library="torch",
            package=("torch",),
            heavy=True,
        ),
    }
)
"""Every runtime; where two are equally fast the earlier one is taken."""
