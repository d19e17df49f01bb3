"""The ONNX Runtime runtime: CPUs and, by its builds, GPUs of every make."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import platformdirs

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.render.models.signatures import Stage, StageSignature, stage_signatures
from vtbridge.render.runtimes.onnxruntime_providers import PROVIDERS, Provider
from vtbridge.render.runtimes.prepared import ONNX_F16_FILES, ONNX_FILES, PreparedFiles
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

ort.disable_telemetry_events()  # its builds for Windows tell Microsoft what they load
ort.set_default_logger_severity(3)

_CPU = PROVIDERS[DeviceName.CPU].names[0]


class OnnxRuntime:
    """Run sessions, each bound to arrays that stay on the device.

    Args:
        sessions: of every stage.
        signatures: their shapes, with the names of their ports in order.
        memory: where arrays lie, see ``Provider``.
        precision: of the networks.
        device: as ``describe`` tells it.
    """

    name = RuntimeName.ONNXRUNTIME

    def __init__(
        self,
        sessions: Mapping[Stage, Any],
        signatures: Mapping[Stage, StageSignature],
        memory: str,
        precision: Precision,
        device: DeviceName,
    ) -> None:
        self.precision = precision
        self._sessions = dict(sessions)
        self._memory = memory
        self._device = device
        self._bindings: dict[Stage, Any] = {}
        self._outputs: dict[Stage, tuple[Any, ...]] = {}
        self._input_names = {stage: tuple(signatures[stage].inputs) for stage in self._sessions}
        for stage, session in self._sessions.items():
            binding = self._bindings[stage] = session.io_binding()
            signature = signatures[stage]
            self._outputs[stage] = tuple(
                ort.OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, memory, 0)
                for shape in signature.outputs.values()
            )
            for port, value in zip(signature.output_ports, self._outputs[stage], strict=True):
                binding.bind_ortvalue_output(port, value)

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``onnxruntime f32 CPU``."""
        return f"onnxruntime {self.precision} {self._device.upper()}"

    def upload(self, array: F32Array) -> Any:
        """Copy ``array`` to where the sessions read it.

        Raises:
            InferenceError: the device failed.
        """
        try:
            copy = np.array(array, np.float32, order="C")
            return ort.OrtValue.ortvalue_from_numpy(copy, self._memory, 0)
        except RuntimeError as error:
            raise InferenceError(f"upload failed on {self.describe()}: {error}") from error

    def run(self, stage: Stage, *inputs: Any) -> tuple[Any, ...]:
        """Run one stage and wait for it.

        Raises:
            InferenceError: ONNX Runtime failed.
        """
        binding = self._bindings[stage]
        try:
            for name, value in zip(self._input_names[stage], inputs, strict=True):
                binding.bind_ortvalue_input(name, value)
            # The inputs were there before, and the run ends with the device's work.
            self._sessions[stage].run_with_iobinding(binding)
        except (RuntimeError, ValueError) as error:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: {error}") from error
        return self._outputs[stage]

    def download(self, array: Any) -> F32Array:
        """Return ``array`` on the host.

        Raises:
            InferenceError: the device failed.
        """
        try:
            host: F32Array = array.numpy()
        except RuntimeError as error:
            raise InferenceError(f"download failed on {self.describe()}: {error}") from error
        return host

    def close(self) -> None:
        """Drop the sessions and their arrays."""
        self._bindings.clear()
        self._outputs.clear()
        self._sessions.clear()


def open_onnxruntime(request: RuntimeRequest) -> OnnxRuntime:
    """Load the prepared stages as ``request`` asks.

    ``AUTO`` takes the first device of ``PROVIDERS`` that this build of ONNX Runtime has,
    and float16 only where its files were prepared.

    Raises:
        RuntimeUnavailable: the device or the precision is not to be had here.
        NeverPrepared: there are no ONNX files of the weights.
        WeightsError: the files are damaged or not from these weights.
    """
    device = _device(request.device)
    provider = PROVIDERS[device]
    files = _files(request, provider, device)
    signatures = stage_signatures(request.store.variant(request.weights))
    try:
        sessions = {
            stage: _session(content, device, files.precision, request.threads)
            for stage, (content,) in files.read(request.store, request.weights)
        }
        return OnnxRuntime(sessions, signatures, provider.memory, files.precision, device)
    except (RuntimeError, ValueError) as error:
        raise RuntimeUnavailable(
            f"ONNX Runtime {ort.__version__} cannot run {request.weights} on {device} ({error}); "
            "set device to cpu, or choose another runtime"
        ) from error


def _device(wanted: DeviceName) -> DeviceName:
    available = ort.get_available_providers()
    here = [device for device, provider in PROVIDERS.items() if provider.found(available)]
    if wanted is DeviceName.AUTO:
        return here[0]
    if wanted in here:
        return wanted
    if wanted not in PROVIDERS:
        raise RuntimeUnavailable(
            f"onnxruntime computes on {', '.join(PROVIDERS)}, not on {wanted}; set device to one "
            "of them, or choose another runtime"
        )
    raise RuntimeUnavailable(
        f"this build of ONNX Runtime {ort.__version__} computes on {', '.join(here)}, not on "
        f"{wanted}; install {PROVIDERS[wanted].package} in its place, or set device to {here[0]}"
    )


def _files(request: RuntimeRequest, provider: Provider, device: DeviceName) -> PreparedFiles:
    if request.precision is Precision.AUTO:
        half = provider.precisions[0] is Precision.F16
        half = half and not ONNX_F16_FILES.problem(request.store, request.weights)
        return ONNX_F16_FILES if half else ONNX_FILES
    if request.precision not in provider.precisions:
        raise RuntimeUnavailable(
            f"onnxruntime computes in {' or '.join(provider.precisions)} on {device}, not in "
            f"{request.precision}; set precision to auto"
        )
    return ONNX_F16_FILES if request.precision is Precision.F16 else ONNX_FILES


def _session(content: bytes, device: DeviceName, precision: Precision, threads: int) -> Any:
    # Named after the graph, so that what was compiled for another is never met.
    cache = _cache_folder() / f"{device}-{hashlib.sha256(content).hexdigest()[:32]}"
    try:
        return _opened(content, device, precision, threads, cache)
    except RuntimeError:
        if not cache.is_dir():
            raise
        # What was compiled before may be damaged; without it the device has one more chance.
        shutil.rmtree(cache, ignore_errors=True)
        return _opened(content, device, precision, threads, cache)


def _opened(
    content: bytes, device: DeviceName, precision: Precision, threads: int, cache: Path
) -> Any:
    provider = PROVIDERS[device]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin after each run would take the other cores from the game. The arena
    # stays: without it a frame takes a third longer, for it is allocated anew each time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if provider.sequential:
        options.enable_mem_pattern = False
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    providers = []
    for each in (device, *provider.fallbacks):
        settings = dict(PROVIDERS[each].options(precision, cache))
        if str(cache) in settings.values():
            cache.mkdir(parents=True, exist_ok=True)
        found = PROVIDERS[each].found(ort.get_available_providers())
        providers.append((found or PROVIDERS[each].names[0], settings))
    if device is not DeviceName.CPU:
        providers.append((_CPU, {}))
    session = ort.InferenceSession(content, options, providers=providers)
    if (name := providers[0][0]) not in session.get_providers():
        # It falls back to the CPU by itself, which nobody would notice.
        raise RuntimeError(f"{name} does not load: {provider.package} or its driver is not whole")
    return session


def _cache_folder() -> Path:
    return Path(platformdirs.user_cache_dir("vtbridge")) / "onnxruntime"
