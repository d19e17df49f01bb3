"""A runtime that remembers which stages ran, and whose frames tell what they depend on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.signatures import Shape, Stage
from vtbridge.render.settings import Precision, RuntimeName

OUTPUTS: Mapping[Stage, tuple[Shape, ...]] = {
    Stage.DECOMPOSE: ((1, 4, 128, 128), (1, 4, 128, 128), (1, 1, 16, 16)),
    Stage.BROWS: ((1, 4, 128, 128),),
    Stage.FACE: ((1, 4, 192, 192),),
    Stage.ROTATE: ((1, 4, 8, 8), (1, 4, 8, 8), (1, 2, 256, 256)),  # the first two go to EDIT only
    Stage.EDIT: ((1, 2, 512, 512), (1, 4, 512, 512), (1, 4, 512, 512)),
}


class RecordingRuntime:
    """Every stage fills its outputs with a number that depends on all it was given.

    So each pixel of a frame tells whether all that the frame depends on was up to date.
    Outputs are written over when their stage runs again, as a real runtime's may be.
    """

    name = RuntimeName.NATIVE
    precision = Precision.F32

    def __init__(self) -> None:
        self.ran: list[Stage] = []
        self.closed = False
        self.fails_at: Stage | None = None
        self.spoils: Stage | None = None
        self.clock = ManualClock()
        self._outputs = {
            stage: tuple(np.zeros(shape, np.float32) for shape in shapes)
            for stage, shapes in OUTPUTS.items()
        }

    def describe(self) -> str:
        return "recording"

    def upload(self, array: F32Array) -> F32Array:
        return array.copy()

    def run(self, stage: Stage, *inputs: F32Array) -> tuple[F32Array, ...]:
        self.ran.append(stage)
        self.clock.advance(0.01)
        if stage is self.fails_at:
            raise InferenceError(f"{stage} failed")
        # Each input counts with another weight, so that no two can stand in for each other.
        total = sum(
            (2 + place) * float((array * _ramp(array)).mean()) for place, array in enumerate(inputs)
        )
        for output in self._outputs[stage]:
            output[...] = np.nan if stage is self.spoils else np.sin(total)
        return self._outputs[stage]

    def download(self, array: F32Array) -> F32Array:
        return array

    def close(self) -> None:
        self.closed = True

    def taken(self) -> list[Stage]:
        ran, self.ran = self.ran, []
        return ran


def _ramp(array: F32Array) -> F32Array:
    return np.linspace(1, 2, array.shape[-1], dtype=np.float32)


class FlatCompositor:
    """Makes pixels of fields without sampling: enough to tell any two fields apart."""

    def __init__(self, size: int = 512) -> None:
        self.size = size
        self.composited = 0

    def set_picture(self, picture: Picture) -> None:
        del picture

    def composite(self, fields: FrameFields, out: U8Array) -> None:
        self.composited += 1
        out[:] = 7  # a compositor may leave half a frame behind when it raises
        signals = self.signals(fields)
        if not np.isfinite(signals).all():
            raise InferenceError("values that are not finite")
        out[:] = np.uint8(np.abs(signals.astype(np.float64).mean()) * 1e6 % 251)

    def signals(self, fields: FrameFields) -> F32Array:
        return (
            fields.alpha * fields.color
            + (1 - fields.alpha) * fields.morphed
            + 3 * fields.grid_change[:1]
        )


def picture(level: int) -> Picture:
    """Return a picture that is grey all over."""
    rgba = np.full((512, 512, 4), 255, np.uint8)
    rgba[..., :3] = level
    return Picture(rgba=rgba, name="grey", digest="")


def pose(**values: float) -> F32Array:
    """Return float32 [45] with the parameters called so, else 0."""
    result = np.zeros(POSE_SIZE, np.float32)
    for name, value in values.items():
        result[PoseParam[name.upper()]] = value
    return result
