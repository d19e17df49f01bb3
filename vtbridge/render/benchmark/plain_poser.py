"""The strongest peer's way on a CPU: the plain networks in ONNX Runtime, whole frames cached."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, ROTATION_SLICE
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.benchmark.plain_files import PlainGraph, read_graph
from vtbridge.telemetry import Telemetry

_CACHED_FRAMES = 256


class PlainPoser:
    """Run every network for every pose, unless the very same pose was seen before.

    The settings of the sessions are the peer's, and its cache is a generous copy: frames are
    kept as they are, where it compresses them.

    Args:
        folder: of the exported graphs.
        rgba: uint8 [512, 512, 4], straight sRGB.
        telemetry: takes the time of the networks and of the cache.
        threads: of ONNX Runtime, 0 for every core that this process may use.

    Raises:
        WeightsError: the graphs are damaged.
    """

    def __init__(self, folder: Path, rgba: U8Array, telemetry: Telemetry, *, threads: int) -> None:
        self._telemetry = telemetry
        self._cache: OrderedDict[bytes, U8Array] = OrderedDict()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or _usable_cores()
        # Its threads spin between runs, which would slow whoever takes the next turn.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        decompose, self._frame = (
            ort.InferenceSession(
                read_graph(folder, graph), options, providers=["CPUExecutionProvider"]
            )
            for graph in PlainGraph
        )
        picture = network_from_straight(rgba)[None]
        background, brow_layer = decompose.run(None, {"picture": picture})
        self._inputs: dict[str, Any] = {
            "picture": picture,
            "background": background,
            "brow_layer": brow_layer,
        }
        self._pixels: U8Array = rgba

    def describe(self) -> str:
        """Return what computes."""
        return "plain networks, onnxruntime f32 CPU"

    def render(self, values: F32Array) -> None:
        """Compute the frame of a pose, uint8, straight sRGB."""
        key = values.tobytes()
        cached = self._cache.get(key)
        self._telemetry.count(f"render.cache.frame.{'miss' if cached is None else 'hit'}")
        if cached is None:
            pose = values[None]
            with self._telemetry.timed("render.networks"):
                (cached,) = self._frame.run(
                    None,
                    {
                        **self._inputs,
                        "brow_pose": pose[:, BROW_SLICE],
                        "face_pose": pose[:, FACE_SLICE],
                        "rotation": pose[:, ROTATION_SLICE],
                    },
                )
            self._cache[key] = cached
            if len(self._cache) > _CACHED_FRAMES:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        self._pixels = cached

    def shown(self) -> U8Array:
        """Return the last frame, premultiplied."""
        alpha = self._pixels[..., 3:].astype(np.uint16)
        frame = self._pixels.copy()
        frame[..., :3] = (self._pixels[..., :3] * alpha + 127) // 255
        return frame


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
