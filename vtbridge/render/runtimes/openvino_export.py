"""Convert the stages of one entry for OpenVINO; run as a process that is thrown away.

Reads three lines from stdin, the entry's folder in the store, the folder to write to and
the precision, which is always f32; writes the name of each stage to stdout when it is
ready. The only place where torch and OpenVINO meet.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import StageSignature, stage_signatures
from vtbridge.render.runtimes.prepared import OPENVINO_FILES
from vtbridge.render.runtimes.pytorch import load_stages
from vtbridge.render.weights.store import WeightStore


def main() -> None:
    """Do what stdin asks for."""
    folder, target, _precision = sys.stdin.read().splitlines()
    store, weights = WeightStore(Path(folder).parent), Path(folder).name
    signatures = stage_signatures(store.variant(weights))
    for stage, module in load_stages(store, weights).as_dict().items():
        graph, _constants = OPENVINO_FILES.paths(Path(target), stage)
        ov.save_model(converted(module, signatures[stage]), graph, compress_to_fp16=False)
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
    for port, name in zip(model.outputs, signature.output_ports, strict=True):
        port.get_tensor().set_names({name})
    return model


if __name__ == "__main__":
    main()
