"""Export the plain networks of one entry as ONNX; run as a process that is thrown away.

Reads two lines from stdin: the entry's folder in the store, and the folder to write to;
writes the name of each graph to stdout when it is ready.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from vtbridge.errors import WeightsError
from vtbridge.render.benchmark.plain_files import PlainGraph
from vtbridge.render.benchmark.plain_graphs import PlainDecompose, PlainFrame
from vtbridge.render.models.signatures import StageSignature
from vtbridge.render.models.tha3 import Tha3Networks, build_networks
from vtbridge.render.runtimes.onnx_export import export
from vtbridge.render.weights.store import WeightStore

_PICTURE = (1, 4, 512, 512)
_LAYER = (1, 4, 128, 128)

SIGNATURES = {
    PlainGraph.DECOMPOSE: StageSignature(
        {"picture": _PICTURE}, {"background": _LAYER, "brow_layer": _LAYER}
    ),
    PlainGraph.FRAME: StageSignature(
        {
            "picture": _PICTURE,
            "background": _LAYER,
            "brow_layer": _LAYER,
            "brow_pose": (1, 12),
            "face_pose": (1, 27),
            "rotation": (1, 6),
        },
        {"pixels": (512, 512, 4)},
    ),
}


def main() -> None:
    """Do what stdin asks for."""
    folder, target = sys.stdin.read().splitlines()
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the exporter prints how far it is
    networks = _networks(WeightStore(Path(folder).parent), Path(folder).name)
    modules = {
        PlainGraph.DECOMPOSE: PlainDecompose(networks),
        PlainGraph.FRAME: PlainFrame(networks),
    }
    for graph, module in modules.items():
        export(module.eval(), SIGNATURES[graph], Path(target) / f"{graph}.onnx")
        told.write(f"{graph}\n")
        told.flush()


def _networks(store: WeightStore, weights: str) -> Tha3Networks:
    networks = build_networks(store.variant(weights))
    arrays = store.networks(weights)
    for network, module in networks.as_dict().items():
        state = {key: torch.tensor(array) for key, array in arrays[network].items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"the {network} of {weights} does not fit: {error}") from error
    return networks


if __name__ == "__main__":
    main()
