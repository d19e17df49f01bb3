"""Stages prepared for a runtime: made once in a throw-away process, hashed at every reading."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.variants import Network
from vtbridge.render.runtimes.runtime import NeverPrepared
from vtbridge.render.settings import Precision, RuntimeName
from vtbridge.render.weights.install import check_free_space
from vtbridge.render.weights.manifest import Sha256
from vtbridge.render.weights.record import read_bounded
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.throwaway import run_throwaway

log = logging.getLogger(__name__)

GRAPH_REVISION = 2
"""Raised when ``models.stages`` computes in another way; older files are prepared again."""

RECORD = "export.json"
"""Tells what lies beside it in a folder of prepared stages, and what it was made from."""

_TIMEOUT_S = 900.0
_GRAPHS_BYTES = 16 << 20
_RECORD_LIMIT = 1 << 16
_FILE_LIMIT = 1 << 31


class PreparedRecord(BaseModel):
    """What the stages were prepared from and with, and the hash of each file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = 2
    graph_revision: int
    tools: dict[str, str]
    sources: dict[Network, Sha256]
    files: dict[str, Sha256]


@dataclass(frozen=True, slots=True)
class PreparedFiles:
    """One kind of prepared files.

    Attributes:
        runtime: which runtime reads them.
        folder: where they lie, below the folder of the weights in the store.
        process: the module that makes them. It reads three lines: the weights' folder, the
            folder to write to, the precision; and writes each stage's name when it is ready.
        suffixes: of the files of one stage.
        tools: packages that it needs; their versions are recorded.
        remedy: command that makes the files, with a place for the weights' name.
        precision: of the numbers in them.
    """

    runtime: RuntimeName
    folder: str
    process: str
    suffixes: tuple[str, ...]
    tools: tuple[str, ...]
    remedy: str
    precision: Precision = Precision.F32

    def paths(self, folder: Path, stage: Stage) -> tuple[Path, ...]:
        """Return where the files of ``stage`` lie in ``folder``, in the order of ``suffixes``."""
        return tuple(folder / f"{stage}{suffix}" for suffix in self.suffixes)

    def make(
        self, weights_dir: Path, target: Path, told: Callable[[str], None] = log.debug
    ) -> None:
        """Write the stages of an entry to ``target``, a folder that exists, in a process.

        Takes some seconds and about 1.5 GB of memory, which go with the process.

        Args:
            weights_dir: the entry's folder, as ``WeightStore.directory`` gives it.
            target: where the files go.
            told: called with the name of each stage that is ready.

        Raises:
            RuntimeUnavailable: the packages that it needs are not installed.
            WeightsError: the conversion failed.
        """
        if absent := [tool for tool in self.tools if importlib.util.find_spec(tool) is None]:
            raise RuntimeUnavailable(
                f"files for {self.runtime} cannot be made without {' and '.join(absent)}: run "
                f"`pip install {' '.join(absent)}`"
            )
        run_throwaway(
            self.process,
            f"{weights_dir}\n{target}\n{self.precision}\n",
            what=f"preparing {weights_dir.name} for {self.runtime}",
            timeout_s=_TIMEOUT_S,
            told=told,
        )

    def prepare(self, weights_dir: Path, told: Callable[[str], None] = log.debug) -> None:
        """Make the files of one entry of the store.

        What was prepared before is replaced only when all stages are ready. The caller
        holds the store's lock.

        Args:
            weights_dir: the entry's folder, as ``WeightStore.directory`` gives it.
            told: called with the name of each stage that is ready.

        Raises:
            RuntimeUnavailable: the packages that it needs are not installed.
            WeightsError: the weights are absent or damaged, the conversion failed, or the
                folder cannot be written.
        """
        store = WeightStore(weights_dir.parent)
        sources = _sources(store, weights_dir.name)
        files = store.record(weights_dir.name).files.values()
        try:
            for left_behind in weights_dir.glob(f".{self.folder}.*"):
                shutil.rmtree(left_behind)
            # float16 weights become float32.
            check_free_space(weights_dir, 2 * sum(file.size for file in files) + _GRAPHS_BYTES)
            self._prepare(weights_dir, sources, told)
        except OSError as error:
            raise WeightsError(
                f"{weights_dir} cannot be written ({error}): free some space, or give it to "
                "yourself"
            ) from error

    def problem(self, store: WeightStore, weights: str) -> str:
        """Return why the files of ``weights`` cannot be used, empty if they can.

        Compares records; the files themselves are hashed when they are read.
        """
        try:
            self._record(store, weights)
        except WeightsError as error:
            return str(error)
        return ""

    def read(self, store: WeightStore, weights: str) -> Iterator[tuple[Stage, tuple[bytes, ...]]]:
        """Yield every stage and the content of its files; see ``read_stage``."""
        for stage in Stage:
            yield stage, self.read_stage(store, weights, stage)

    def read_stage(self, store: WeightStore, weights: str, stage: Stage) -> tuple[bytes, ...]:
        """Return the content of a stage's files after hashing the very bytes returned.

        Raises:
            NeverPrepared: they were never made.
            WeightsError: they are damaged, or made from other weights or by another version.
        """
        record = self._record(store, weights)
        contents = []
        for path in self.paths(store.directory(weights) / self.folder, stage):
            try:
                content = read_bounded(path, _FILE_LIMIT)
            except OSError as error:
                raise self._unusable(weights, f"{error}") from error
            if hashlib.sha256(content).hexdigest() != record.files[path.name]:
                raise self._unusable(weights, f"{path} is damaged")
            contents.append(content)
        return tuple(contents)

    def hashes(self, store: WeightStore, weights: str) -> Iterator[tuple[Path, str]]:
        """Yield path and recorded sha256 of every file.

        Raises:
            WeightsError: see ``read``.
        """
        folder = store.directory(weights) / self.folder
        for name, sha256 in self._record(store, weights).files.items():
            yield folder / name, sha256

    def _prepare(
        self, weights_dir: Path, sources: dict[Network, str], told: Callable[[str], None]
    ) -> None:
        with tempfile.TemporaryDirectory(
            prefix=f".{self.folder}.", dir=weights_dir, ignore_cleanup_errors=True
        ) as scratch:
            target = Path(scratch) / self.folder
            target.mkdir()
            self.make(weights_dir, target, told)
            paths = [path for stage in Stage for path in self.paths(target, stage)]
            record = PreparedRecord(
                graph_revision=GRAPH_REVISION,
                tools={tool: importlib.metadata.version(tool) for tool in self.tools},
                sources=sources,
                files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths},
            )
            content = record.model_dump_json(indent=2).encode() + b"\n"
            write_atomically(target / RECORD, content)
            final = weights_dir / self.folder
            if final.exists():
                final.rename(Path(scratch) / "replaced")
            target.rename(final)

    def _record(self, store: WeightStore, weights: str) -> PreparedRecord:
        path = store.directory(weights) / self.folder / RECORD
        try:
            content = read_bounded(path, _RECORD_LIMIT)
        except FileNotFoundError as error:
            raise self._unusable(
                weights, "they were never prepared for it", NeverPrepared
            ) from error
        except OSError as error:
            raise self._unusable(weights, f"{path} is damaged") from error
        try:
            record = PreparedRecord.model_validate_json(content)
        except ValueError as error:
            # The first format knew no other runtime, and what it recorded is outdated anyhow.
            old = b'"format": 1' in content
            why = "they were prepared by an older version" if old else f"{path} is damaged"
            raise self._unusable(weights, why) from error
        names = {file.name for stage in Stage for file in self.paths(path.parent, stage)}
        if record.graph_revision != GRAPH_REVISION or set(record.files) != names:
            raise self._unusable(weights, "they were prepared by another version of vtbridge")
        if record.sources != _sources(store, weights):
            raise self._unusable(weights, "they were prepared from other weights")
        return record

    def _unusable(
        self, weights: str, why: str, kind: type[WeightsError] = WeightsError
    ) -> WeightsError:
        return kind(
            f"the weights {weights} cannot run on {self.runtime}: {why}. Run "
            f"`{self.remedy.format(weights)}`, or choose another runtime"
        )


def _sources(store: WeightStore, weights: str) -> dict[Network, str]:
    # A picture or another kind of networks has no such stages.
    networks = store.variant(weights).family.networks
    files = store.record(weights).files
    return {network: files[network].sha256 for network in networks}


OPENVINO_FILES = PreparedFiles(
    RuntimeName.OPENVINO,
    "openvino",
    "vtbridge.render.runtimes.openvino_export",
    (".xml", ".bin"),
    ("openvino",),
    "vtbridge weights prepare {} --for openvino",
)

ONNX_FILES = PreparedFiles(
    RuntimeName.ONNXRUNTIME,
    "onnx",
    "vtbridge.render.runtimes.onnx_export",
    (".onnx",),
    ("onnx", "onnxscript"),
    "vtbridge weights prepare {} --for onnxruntime",
)

ONNX_F16_FILES = PreparedFiles(
    RuntimeName.ONNXRUNTIME,
    "onnx-f16",
    "vtbridge.render.runtimes.onnx_export",
    (".onnx",),
    ("onnx", "onnxscript"),
    "vtbridge weights prepare {} --for onnxruntime --precision f16",
    Precision.F16,
)
"""Networks in float16, what surrounds them (grids, pictures, poses) in float32."""
