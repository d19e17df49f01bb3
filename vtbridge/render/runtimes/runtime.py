"""The protocol of an inference runtime, and the table of those there are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from vtbridge.datatypes import F32Array
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.settings import DeviceName, Precision, RuntimeName
from vtbridge.render.weights.store import WeightStore

log = logging.getLogger(__name__)

ArrayT = TypeVar("ArrayT")


class NeverPrepared(WeightsError):
    """The files that a runtime loads in place of the weights were never made."""


class Runtime(Protocol[ArrayT]):
    """Run the stages of one set of weights on one device.

    An ``ArrayT`` lives on the device and means nothing elsewhere. What a stage returned
    stays valid until the same stage runs again; it may be handed to other stages as
    often as needed. A runtime belongs to one thread at a time.
    """

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


def open_runtime(name: RuntimeName, request: RuntimeRequest) -> Runtime[Any]:
    """Open the runtime ``name``; ``AUTO`` takes the first of ``PREFERENCE`` that opens.

    Raises:
        RuntimeUnavailable: it cannot run here, or not as asked.
        WeightsError: the weights are absent, damaged, or not prepared for it.
    """
    request.store.record(request.weights)  # absent weights are no runtime's fault
    if name is not RuntimeName.AUTO:
        return _open(name, request)
    refusals: list[str] = []
    level = logging.INFO
    for candidate in PREFERENCE:
        try:
            runtime = _open(candidate, request)
        except (RuntimeUnavailable, WeightsError) as error:
            refusals.append(f"{candidate} was not taken: {error}")
            # Files that were there and are no good any more are for the user to mend.
            if isinstance(error, WeightsError) and not isinstance(error, NeverPrepared):
                level = logging.WARNING
            continue
        log.log(level, "; ".join([f"inference runs on {runtime.describe()}", *refusals]))
        return runtime
    raise RuntimeUnavailable("no runtime can be used. " + ". ".join(refusals))


def _open(name: RuntimeName, request: RuntimeRequest) -> Runtime[Any]:
    try:
        return RUNTIMES[name](request)
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


def _open_openvino(request: RuntimeRequest) -> Runtime[Any]:
    from vtbridge.render.runtimes.openvino import open_openvino

    return open_openvino(request)


def _open_pytorch(request: RuntimeRequest) -> Runtime[Any]:
    from vtbridge.render.runtimes.pytorch import open_pytorch

    return open_pytorch(request)


RUNTIMES: Mapping[RuntimeName, Callable[[RuntimeRequest], Runtime[Any]]] = MappingProxyType(
    {
        RuntimeName.OPENVINO: _open_openvino,
        RuntimeName.PYTORCH: _open_pytorch,
    }
)
"""How each runtime is opened; its libraries are imported only then."""

PREFERENCE = (RuntimeName.OPENVINO, RuntimeName.PYTORCH)
"""The order in which ``AUTO`` tries."""
