"""ONNX files for other programs, in a folder of the user's."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from vtbridge.errors import ConfigError
from vtbridge.render.models.signatures import Shape, Stage, StageSignature, stage_signatures
from vtbridge.render.runtimes.prepared import ONNX_F16_FILES, ONNX_FILES
from vtbridge.render.settings import Precision
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.store import WeightStore

ABOUT_FILE = "README.txt"
"""Written beside the stages: what goes in and comes out, and whose work it is."""


def export_onnx(
    store: WeightStore,
    name: str,
    target: Path,
    precision: Precision,
    progress: Progress = SILENT,
    *,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write the stages of ``name`` to the folder ``target``, made if it is missing.

    Nothing is replaced before all of them are ready.

    Args:
        store: where the weights are.
        name: of the weights.
        target: where files go, ``decompose.onnx`` and so on.
        precision: ``F32`` or ``F16``.
        progress: told how far it is.
        force: whether files that are there are replaced.

    Returns:
        What was written.

    Raises:
        ConfigError: files are there and ``force`` is False, or ``target`` cannot be written.
        WeightsError: the weights are absent or damaged, or the conversion failed.
        RuntimeUnavailable: the packages of the exporter are not installed.
    """
    record = store.record(name)
    signatures = stage_signatures(store.variant(name))
    files = ONNX_F16_FILES if precision is Precision.F16 else ONNX_FILES
    finals = [path for stage in Stage for path in files.paths(target, stage)]
    about = target / ABOUT_FILE
    if there := [path for path in (*finals, about) if path.exists() and not force]:
        raise ConfigError(f"{there[0]} is there already: name another folder, or add --force")
    progress.begin("writing ONNX files", len(Stage))
    done = 0

    def told(_stage: str) -> None:
        nonlocal done
        done += 1
        progress.reach(done)

    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target) as scratch:
            files.make(store.directory(name), Path(scratch), told)
            text = about_text(name, record.credit, record.license, signatures)
            (Path(scratch) / ABOUT_FILE).write_text(text, "utf-8")
            for final in (*finals, about):
                (Path(scratch) / final.name).replace(final)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error}): name another folder") from error
    return (*finals, about)


def about_text(
    name: str, credit: str, license_text: str, signatures: Mapping[Stage, StageSignature]
) -> str:
    """Return what the folder's README says."""
    lines = [
        f"{name}, exported by vtbridge.",
        *([credit] if credit else []),
        *([f"Licence of the weights: {license_text}"] if license_text else []),
        "",
        "Pictures are NCHW, linear light, straight alpha, value * 2 - 1. Frame:",
        "color * alpha + (1 - alpha) * grid_sample(morphed, identity + new_grid_change),",
        "bilinear, border padding, align_corners=False.",
    ]
    for stage, signature in signatures.items():
        lines += ["", f"{stage}.onnx"]
        lines += [_port("in ", port, shape) for port, shape in signature.inputs.items()]
        outputs = zip(signature.output_ports, signature.outputs.values(), strict=True)
        lines += [_port("out", port, shape) for port, shape in outputs]
    return "\n".join(lines) + "\n"


def _port(way: str, name: str, shape: Shape) -> str:
    return f"  {way} {name} float32 {list(shape)}"
