"""The plain networks as files: exported once for each set of weights, then kept.

A file begins with the sha256 of the rest and is named after what it was made from; one that
is damaged or outdated is made again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import platformdirs

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.models.variants import Family, Network
from vtbridge.render.weights.record import read_bounded
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.throwaway import run_throwaway

REVISION = 1
"""Raised when ``plain_graphs`` computes in another way."""

_MODULES = ("torch", "onnx", "onnxscript", "onnxruntime")
_EXPORTERS = ("torch", "onnxscript")
_KEPT = 2
_TIMEOUT_S = 600.0
_LIMIT = 1 << 30
_DIGEST_BYTES = 32


class PlainGraph(StrEnum):
    """The two graphs: what runs once a picture, and what runs for every pose."""

    DECOMPOSE = "decompose"
    FRAME = "frame"


def cache_folder() -> Path:
    """Return where the benchmark keeps what it takes long to get."""
    return Path(platformdirs.user_cache_dir("vtbridge")) / "bench"


def plain_networks(
    store: WeightStore, weights: str, told: Callable[[str], None], *, folder: Path | None = None
) -> Path:
    """Return the folder of the plain graphs of ``weights``; exports them the first time.

    That takes half a minute and about 2 GB of memory, in a process of its own.

    Args:
        store: where the weights are.
        weights: their name.
        told: called with the name of each graph that was exported.
        folder: where files are kept; None takes ``cache_folder()``.

    Raises:
        RuntimeUnavailable: a package that this takes is not installed, or nobody else runs
            such networks.
        WeightsError: the weights are absent or damaged, or the export failed.
    """
    if store.variant(weights).family is Family.THA1:
        raise RuntimeUnavailable(f"no other program is known to run networks like {weights}")
    if missing := [name for name in _MODULES if importlib.util.find_spec(name) is None]:
        raise RuntimeUnavailable(
            f"it takes {', '.join(missing)}, not installed here: run `pip install 'vtbridge[onnx]'`"
        )
    root = (folder or cache_folder()) / "plain"
    kept = root / _key(store, weights)
    try:
        if not all(_is_whole(kept / f"{graph}.onnx") for graph in PlainGraph):
            _export(store.directory(weights), kept, told)
            _forget_old(root)
    except OSError as error:
        raise WeightsError(
            f"{root} cannot be written ({error}): free some space, or set XDG_CACHE_HOME to a "
            "folder of yours"
        ) from error
    return kept


def read_graph(folder: Path, graph: PlainGraph) -> bytes:
    """Return the ONNX file of ``graph``.

    Raises:
        WeightsError: it is gone or damaged.
    """
    path = folder / f"{graph}.onnx"
    try:
        content = read_bounded(path, _LIMIT)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error}): run the benchmark again") from error
    digest, onnx = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(onnx).digest() != digest:
        raise WeightsError(f"{path} is damaged: run the benchmark again")
    return onnx


def _is_whole(path: Path) -> bool:
    try:
        read_graph(path.parent, PlainGraph(path.stem))
    except WeightsError:
        return False
    return True


def _export(weights_dir: Path, kept: Path, told: Callable[[str], None]) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vtbridge-plain-") as scratch:
        run_throwaway(
            "vtbridge.render.benchmark.plain_export",
            f"{weights_dir}\n{scratch}\n",
            what=f"exporting the plain networks of {weights_dir.name}",
            timeout_s=_TIMEOUT_S,
            told=told,
        )
        for graph in PlainGraph:
            onnx = (Path(scratch) / f"{graph}.onnx").read_bytes()
            write_atomically(kept / f"{graph}.onnx", hashlib.sha256(onnx).digest() + onnx)


def _key(store: WeightStore, weights: str) -> str:
    """Return a name for everything that the graphs are made from."""
    files = store.record(weights).files
    sources = [files[network].sha256 for network in Network]
    versions = [importlib.metadata.version(name) for name in _EXPORTERS]
    return hashlib.sha256(repr((REVISION, sources, versions)).encode()).hexdigest()[:32]


def _forget_old(root: Path) -> None:
    folders = sorted(root.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in folders[:-_KEPT]:
        for file in old.iterdir():
            file.unlink(missing_ok=True)
        old.rmdir()
