"""Export the stages of one entry as ONNX; run as a process that is thrown away.

Reads three lines from stdin: the entry's folder in the store, the folder to write to, and
the precision, f32 or f16; writes the name of each stage to stdout when it is ready. The
files have static shapes, float32 inputs and outputs, and everything inside.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import torch

from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.models.rewrites import in_half
from vtbridge.render.models.signatures import StageSignature, stage_signatures
from vtbridge.render.runtimes.prepared import ONNX_FILES
from vtbridge.render.runtimes.pytorch import load_stages
from vtbridge.render.settings import Precision
from vtbridge.render.weights.store import WeightStore

OPSET = 18
"""The exporter's own; any newer one has a grid sampling that fewer providers know."""


def main() -> None:
    """Do what stdin asks for."""
    folder, target, precision = sys.stdin.read().splitlines()
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the exporter prints how far it is
    store, weights = WeightStore(Path(folder).parent), Path(folder).name
    signatures = stage_signatures(store.variant(weights))
    for stage, module in load_stages(store, weights).as_dict().items():
        (path,) = ONNX_FILES.paths(Path(target), stage)
        half = precision == Precision.F16
        export(in_half(module) if half else module, signatures[stage], path)
        told.write(f"{stage}\n")
        told.flush()


def export(module: torch.nn.Module, signature: StageSignature, path: Path) -> None:
    """Write ``module`` to ``path`` with the names and shapes of ``signature``.

    Raises:
        RuntimeUnavailable: the exporter's packages are not installed.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of packages nobody asked for
    examples = tuple(torch.zeros(shape) for shape in signature.inputs.values())
    try:
        with torch.inference_mode():
            torch.onnx.export(
                module,
                examples,
                path,
                input_names=list(signature.inputs),
                output_names=list(signature.output_ports),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except ImportError as error:
        raise RuntimeUnavailable(
            f"ONNX files cannot be written ({error}): run `pip install 'vtbridge[onnx]'`"
        ) from error


if __name__ == "__main__":
    main()
