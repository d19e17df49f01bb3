"""The OpenVINO runtime: the fastest on CPUs; reads networks prepared beforehand, never torch."""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.quiet_openvino import opset13 as ops
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.variants import Network
from vtbridge.render.runtimes.runtime import NeverPrepared, RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision
from vtbridge.render.weights.install import check_free_space
from vtbridge.render.weights.manifest import Sha256
from vtbridge.render.weights.record import read_bounded, write_atomically
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.throwaway import run_throwaway

log = logging.getLogger(__name__)

GRAPH_REVISION = 1
"""Raised when ``models.stages`` computes in another way; older files are prepared again."""

EXPORT_FOLDER = "openvino"
"""Where an entry's prepared stages lie, below its folder in the store."""

EXPORT_RECORD = "export.json"

EXPORT_TIMEOUT_S = 600.0

_SCRATCH_PREFIX = f".{EXPORT_FOLDER}."
_GRAPHS_BYTES = 16 << 20

_TILE = 8

_RECORD_LIMIT = 1 << 16
_XML_LIMIT = 1 << 24
_BIN_LIMIT = 1 << 31

# Brows and face feed everything after them, and their depthwise transposed convolutions
# are slower in bf16 than in f32.
_BF16_STAGES = frozenset({Stage.ROTATE, Stage.EDIT})


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExportedStage(_Table):
    """Hashes of one prepared stage: the graph and its constants."""

    xml_sha256: Sha256
    bin_sha256: Sha256


class ExportRecord(_Table):
    """What the stages were prepared from, and what came of it."""

    format: Annotated[int, Field(ge=1, le=1)] = 1
    graph_revision: int
    openvino: str
    sources: dict[Network, Sha256]
    stages: dict[Stage, ExportedStage]


class OpenVinoRuntime:
    """Run compiled stages, each in one request whose output feeds the next without a copy.

    Args:
        compiled: every stage.
        precision: how exactly they compute, as ``describe`` tells it.
    """

    def __init__(self, compiled: Mapping[Stage, Any], precision: str) -> None:
        self._precision = precision
        self._requests = {stage: model.create_infer_request() for stage, model in compiled.items()}

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``openvino f32 CPU``."""
        return f"openvino {self._precision} CPU"

    def upload(self, array: F32Array) -> ov.Tensor:
        """Copy ``array`` into memory that OpenVINO reads in place."""
        return ov.Tensor(np.ascontiguousarray(array), shared_memory=False)

    def run(self, stage: Stage, *inputs: ov.Tensor) -> tuple[ov.Tensor, ...]:
        """Run one stage and wait for it.

        Raises:
            InferenceError: OpenVINO failed.
        """
        request = self._requests[stage]
        try:
            for index, tensor in enumerate(inputs):
                request.set_input_tensor(index, tensor)
            request.infer(share_outputs=True)
            return tuple(request.output_tensors)
        except RuntimeError as error:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: {error}") from error

    def download(self, array: ov.Tensor) -> F32Array:
        """Return a view of ``array``."""
        view: F32Array = array.data
        return view

    def close(self) -> None:
        """Drop requests and compiled networks."""
        self._requests.clear()


def open_openvino(request: RuntimeRequest) -> OpenVinoRuntime:
    """Compile the prepared stages as ``request`` asks, in one or two seconds.

    Not with OpenVINO's cache of compiled networks: it would save a third of a second and
    load damaged weights without a word.

    Raises:
        RuntimeUnavailable: the device or the precision is not to be had here, or OpenVINO
            cannot compile the stages.
        WeightsError: the stages are not prepared, or not from these weights.
    """
    if request.device not in (DeviceName.AUTO, DeviceName.CPU):
        raise RuntimeUnavailable(
            f"openvino computes on the CPU here, not on {request.device}; set device to auto or "
            "cpu, or runtime to pytorch"
        )
    try:
        return _compiled(request)
    except RuntimeError as error:  # all that OpenVINO ever raises
        raise RuntimeUnavailable(
            f"OpenVINO {ov.__version__} cannot run {request.weights} here ({error}); set runtime "
            "to pytorch"
        ) from error


def _compiled(request: RuntimeRequest) -> OpenVinoRuntime:
    core = ov.Core()
    precision = _precision(core, request.precision)
    export = _checked_export(request.store, request.weights)
    compiled = {}
    for stage in Stage:
        model = core.read_model(*export[stage])
        if request.precision is Precision.F32:
            sum_in_tiles(model)
        in_bf16 = precision is Precision.BF16 and stage in _BF16_STAGES
        compiled[stage] = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "bf16" if in_bf16 else "f32",
                "INFERENCE_NUM_THREADS": request.threads,
                # Pinned, two programs with one thread each would share a core.
                "ENABLE_CPU_PINNING": False,
            },
        )
    fast = precision is Precision.F32 and request.precision is Precision.AUTO
    return OpenVinoRuntime(compiled, "f32-fast" if fast else precision)


def has_bf16(core: ov.Core | None = None) -> bool:
    """Return True if this CPU multiplies bf16 in hardware."""
    capabilities = (core or ov.Core()).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def export(weights_dir: Path, told: Callable[[str], None] = log.debug) -> None:
    """Prepare one entry of the store for this runtime, in a process of its own.

    Takes some seconds and about 1.5 GB of memory, which go with the process. What was
    prepared before is replaced only when all stages are ready.

    Args:
        weights_dir: the entry's folder, as ``WeightStore.directory`` gives it.
        told: called with the name of each stage that is ready.

    Raises:
        WeightsError: the weights are absent or damaged, the conversion failed, or the
            folder cannot be written.
    """
    store = WeightStore(weights_dir.parent)
    sources = _sources(store, weights_dir.name)
    files = store.record(weights_dir.name).files.values()
    try:
        for left_behind in weights_dir.glob(f"{_SCRATCH_PREFIX}*"):
            shutil.rmtree(left_behind)
        # float16 weights become float32.
        check_free_space(weights_dir, 2 * sum(file.size for file in files) + _GRAPHS_BYTES)
        _export(weights_dir, sources, told)
    except OSError as error:
        raise WeightsError(
            f"{weights_dir} cannot be written ({error}): free some space, or give it to yourself"
        ) from error


def _export(weights_dir: Path, sources: dict[Network, str], told: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(
        prefix=_SCRATCH_PREFIX, dir=weights_dir, ignore_cleanup_errors=True
    ) as scratch:
        target = Path(scratch) / EXPORT_FOLDER
        target.mkdir()
        run_throwaway(
            "vtbridge.render.runtimes.openvino_export",
            f"{weights_dir}\n{target}\n",
            what=f"preparing {weights_dir.name} for openvino",
            timeout_s=EXPORT_TIMEOUT_S,
            told=told,
        )
        record = ExportRecord(
            graph_revision=GRAPH_REVISION,
            openvino=ov.__version__,
            sources=sources,
            stages={
                stage: ExportedStage(
                    xml_sha256=_sha256(xml.read_bytes()), bin_sha256=_sha256(bin_.read_bytes())
                )
                for stage in Stage
                for xml, bin_ in [ir_paths(target, stage)]
            },
        )
        write_atomically(target / EXPORT_RECORD, record.model_dump_json(indent=2).encode() + b"\n")
        final = weights_dir / EXPORT_FOLDER
        if final.exists():
            final.rename(Path(scratch) / "replaced")
        target.rename(final)


def ir_paths(folder: Path, stage: Stage) -> tuple[Path, Path]:
    """Return where graph and constants of a stage lie in ``folder``."""
    return folder / f"{stage}.xml", folder / f"{stage}.bin"


def export_problem(store: WeightStore, weights: str) -> str:
    """Return why the prepared stages of ``weights`` cannot be used, empty if they can.

    Hashes the weights' record, not the stages themselves; those are hashed when read.
    """
    try:
        _read_record(store, weights)
    except WeightsError as error:
        return str(error)
    return ""


def sum_in_tiles(model: ov.Model) -> None:
    """Make instance normalisation exact, for about a quarter more time.

    OpenVINO's own adds up a channel value by value. Around a character most values are
    the same, so that every addition rounds the same way and mean and variance drift; the
    rotator turns that into up to 0.005 of a frame's range at hard edges, invisible but
    far above what float32 can do. Means of means of 8x8 tiles do not drift.

    Args:
        model: a stage; changed in place.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MVN":
            continue
        x = node.input_value(0)
        centred = ops.subtract(x, _tiled_mean(x))
        variance = _tiled_mean(ops.multiply(centred, centred).output(0))
        eps = np.float32(node.get_attributes()["eps"])
        exact = ops.divide(centred, ops.sqrt(ops.add(variance, eps)))
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(exact.output(0))


def _tiled_mean(x: ov.Output) -> ov.Node:
    """Return the mean of [1, C, S, S] over the last two axes, [1, C, 1, 1]."""
    side = x.get_shape()[-1]
    while side > 1:
        tile = math.gcd(side, _TILE)
        if tile == 1:  # an odd side: the rest at once
            tile = side
        x = ops.avg_pool(x, [tile, tile], [0, 0], [0, 0], [tile, tile], exclude_pad=True).output(0)
        side //= tile
    return x.get_node()


def _precision(core: ov.Core, wanted: Precision) -> Precision:
    if wanted is Precision.AUTO:
        return Precision.BF16 if has_bf16(core) else Precision.F32
    if wanted is Precision.F16:
        raise RuntimeUnavailable(
            "openvino computes in f32 or bf16 on a CPU, not in f16; set precision to auto"
        )
    if wanted is Precision.BF16 and not has_bf16(core):
        name = core.get_property("CPU", "FULL_DEVICE_NAME")
        raise RuntimeUnavailable(
            f"this CPU ({name}) does not multiply bf16 (AVX512_BF16 or AMX); set precision to f32"
        )
    return wanted


def _checked_export(store: WeightStore, weights: str) -> dict[Stage, tuple[bytes, ov.Tensor]]:
    """Return every stage's graph and constants after hashing the very bytes returned."""
    record = _read_record(store, weights)
    folder = store.directory(weights) / EXPORT_FOLDER
    checked = {}
    for stage in Stage:
        xml_path, bin_path = ir_paths(folder, stage)
        try:
            xml, constants = read_bounded(xml_path, _XML_LIMIT), read_bounded(bin_path, _BIN_LIMIT)
        except OSError as error:
            raise _unprepared(weights, f"{error}") from error
        hashes = ExportedStage(xml_sha256=_sha256(xml), bin_sha256=_sha256(constants))
        if hashes != record.stages[stage]:
            raise _unprepared(weights, f"{xml_path} or {bin_path.name} is damaged")
        checked[stage] = (xml, ov.Tensor(np.frombuffer(constants, np.uint8)))
    return checked


def _read_record(store: WeightStore, weights: str) -> ExportRecord:
    path = store.directory(weights) / EXPORT_FOLDER / EXPORT_RECORD
    try:
        record = ExportRecord.model_validate_json(read_bounded(path, _RECORD_LIMIT))
    except FileNotFoundError as error:
        raise _unprepared(weights, "they were never prepared for it", NeverPrepared) from error
    except (OSError, ValueError) as error:
        raise _unprepared(weights, f"{path} is damaged") from error
    if record.graph_revision != GRAPH_REVISION or set(record.stages) != set(Stage):
        raise _unprepared(weights, "they were prepared by another version of vtbridge")
    if record.sources != _sources(store, weights):
        raise _unprepared(weights, "they were prepared from other weights")
    return record


def _unprepared(weights: str, why: str, kind: type[WeightsError] = WeightsError) -> WeightsError:
    return kind(
        f"the weights {weights} cannot run on openvino: {why}. Run `vtbridge weights pull "
        f"{weights}`, or set runtime to pytorch"
    )


def _sources(store: WeightStore, weights: str) -> dict[Network, str]:
    files = store.record(weights).files
    return {network: files[network].sha256 for network in Network}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
