"""Convert the stages of one entry for OpenVINO; run as a process that is thrown away.

Reads two lines from stdin, the entry's folder in the store and the folder to write to,
and writes the name of each stage to stdout when it is ready. The only place where torch
and OpenVINO meet.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import StageSignature, stage_signatures
from vtbridge.render.runtimes.openvino import ir_paths
from vtbridge.render.runtimes.pytorch import load_stages
from vtbridge.render.weights.store import WeightStore


def main() -> None:
    """Do what stdin asks for."""
    weights_dir, target = (Path(line) for line in sys.stdin.read().splitlines())
    store, weights = WeightStore(weights_dir.parent), weights_dir.name
    signatures = stage_signatures(store.variant(weights))
    for stage, module in load_stages(store, weights).as_dict().items():
        xml, _ = ir_paths(target, stage)
        ov.save_model(converted(module, signatures[stage]), xml, compress_to_fp16=False)
        sys.stdout.write(f"{stage}\n")
        sys.stdout.flush()


def converted(module: torch.nn.Module, signature: StageSignature) -> ov.Model:
    """Trace ``module`` and return it as a graph with the static shapes of ``signature``."""
    examples = tuple(torch.zeros(shape) for shape in signature.inputs.values())
    with torch.inference_mode():
        model = ov.convert_model(
            module, example_input=examples, input=list(signature.inputs.values())
        )
    for port, name in zip(model.inputs, signature.inputs, strict=True):
        port.get_tensor().set_names({name})
    for port, name in zip(model.outputs, signature.outputs, strict=True):
        port.get_tensor().set_names({name})
    return model


if __name__ == "__main__":
    main()
