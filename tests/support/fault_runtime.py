"""A runtime that goes wrong on demand, around a real one or around a quick stand-in.

``FaultRuntime(StandInRuntime())`` behaves; set ``fault`` (and ``stage``) at any moment, from
any thread, and from then on it misbehaves. A hang ends when ``released`` is set.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, ROTATION_SLICE
from vtbridge.render.models.crops import BROW_CROP, FACE_CROP
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.variants import VARIANTS, Network
from vtbridge.render.runtimes.runtime import Runtime, RuntimeRequest, RuntimeRow
from vtbridge.render.selection.card import POSES, card_picture, card_pose
from vtbridge.render.selection.golden import ALONE, Golden, build_golden
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

SIGNATURES = stage_signatures(VARIANTS["separable_float"])
HANG_LIMIT_S = 60.0


class Fault(Enum):
    """What a runtime can do wrong."""

    RAISES = auto()
    NAN = auto()
    INFINITE = auto()
    WRONG_COLORS = auto()
    """Three percent too strong, in every channel."""

    WRONG_RED = auto()
    """Three percent too strong, in one channel."""

    BRIGHTER = auto()
    SWAPPED = auto()
    ZERO = auto()
    SHIFTED = auto()
    """The picture comes from half a pixel beside."""

    GARBLED_EDGE = auto()
    WRONG_SHAPE = auto()
    TOO_FEW = auto()
    STALE = auto()
    """Gives what it gave the first time, whatever it is asked."""

    HANGS = auto()
    SLOW = auto()
    ABSURD = auto()
    """Finite, and far beyond what a network gives."""


class StandInRuntime:
    """Answer as networks of THA3's shapes would, from the pose and what came before, at once."""

    def __init__(
        self,
        name: RuntimeName = RuntimeName.NATIVE,
        precision: Precision = Precision.F32,
        noise: float = 0.0,
    ) -> None:
        self.name = name
        self.precision = precision
        self.noise = noise
        self.closed = False
        self.runs = 0

    def describe(self) -> str:
        return f"{self.name} {self.precision} CPU"

    def upload(self, array: F32Array) -> F32Array:
        return array.copy()

    def run(self, stage: Stage, *inputs: F32Array) -> tuple[F32Array, ...]:
        self.runs += 1
        pose = inputs[-1].reshape(-1) if stage is not Stage.DECOMPOSE else np.zeros(1, np.float32)
        before = float(inputs[0].reshape(-1)[::97].mean())
        drive = float((pose * (1 + np.arange(pose.size))).sum()) * 0.37 + before
        rng = np.random.default_rng(self.runs)
        outputs = []
        for name, shape in SIGNATURES[stage].outputs.items():
            array = _pattern(shape, drive, len(name))
            if name == "alpha":
                array += 1
                array *= 0.5
            elif name == "grid_change":
                array *= 0.1
            if self.noise:
                rms = float(np.sqrt((array**2).mean()))
                array += np.float32(self.noise * rms) * rng.standard_normal(shape, dtype=np.float32)
            outputs.append(np.ascontiguousarray(array, np.float32))
        return tuple(outputs)

    def download(self, array: F32Array) -> F32Array:
        return array

    def close(self) -> None:
        self.closed = True


class FaultRuntime:
    """Pass everything on to ``inner``, except for the present fault.

    Args:
        inner: the runtime that does the work; a stand-in if none is given.
        fault: what goes wrong, None for nothing.
        stage: where it goes wrong.
        on_slow: called at each run while the fault is ``SLOW``; a test's clock moves there.
    """

    def __init__(
        self,
        inner: Runtime[Any] | None = None,
        fault: Fault | None = None,
        stage: Stage = Stage.EDIT,
        on_slow: Callable[[], object] = lambda: None,
    ) -> None:
        self.inner: Runtime[Any] = StandInRuntime() if inner is None else inner
        self.fault = fault
        self.stage = stage
        self.released = threading.Event()
        self.hanging = threading.Event()
        self.closed = False
        self._on_slow = on_slow
        self._first: dict[Stage, tuple[Any, ...]] = {}

    @property
    def name(self) -> RuntimeName:
        return self.inner.name

    @property
    def precision(self) -> Precision:
        return self.inner.precision

    def describe(self) -> str:
        return self.inner.describe()

    def upload(self, array: F32Array) -> Any:
        return self.inner.upload(array)

    def run(self, stage: Stage, *inputs: Any) -> tuple[Any, ...]:
        fault = self.fault if stage is self.stage else None
        if fault is Fault.RAISES:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: out of memory")
        if fault is Fault.HANGS:
            self.hanging.set()
            if not self.released.wait(HANG_LIMIT_S):
                raise AssertionError("nobody released a runtime that was to hang")
        if fault is Fault.SLOW:
            self._on_slow()
        outputs = self.inner.run(stage, *inputs)
        first = self._first.setdefault(stage, self._copies(outputs))
        if fault is Fault.STALE:
            return first
        if fault is Fault.TOO_FEW:
            return outputs[1:]
        if fault in _SPOILERS:
            return tuple(
                self.inner.upload(_SPOILERS[fault](np.array(self.inner.download(array))))
                for array in outputs
            )
        return outputs

    def download(self, array: Any) -> F32Array:
        return self.inner.download(array)

    def close(self) -> None:
        self.closed = True
        self.inner.close()

    def _copies(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self.inner.upload(np.array(self.inner.download(array))) for array in arrays)


def opening(outcome: Runtime[Any] | Exception | Callable[[], Runtime[Any]]) -> RuntimeRow:
    """Return a row of the table, for a CPU, that gives ``outcome`` when it is opened."""

    def open_it(_: RuntimeRequest) -> Runtime[Any]:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome() if callable(outcome) else outcome

    return RuntimeRow((DeviceName.CPU,), open_it)


def crash() -> Runtime[Any]:
    """End the process, as a library built for another processor does."""
    os.abort()


def refuse() -> Runtime[Any]:
    """Be there but not work."""
    raise RuntimeUnavailable("the driver is too old")


def stand_in_golden(sources: Mapping[Network, str]) -> Golden:
    """Return what ``StandInRuntime`` answers to the test card."""
    outputs: dict[tuple[int, Stage, str], F32Array] = {}
    for pose in range(POSES):
        for stage, arrays in _answers(StandInRuntime(), pose).items():
            for name, array in zip(SIGNATURES[stage].outputs, arrays, strict=True):
                if pose == 0 or stage not in ALONE:
                    outputs[pose, stage, name] = array
    return build_golden(sources, outputs)


def _answers(runtime: StandInRuntime, pose: int) -> dict[Stage, tuple[F32Array, ...]]:
    picture, values = card_picture(), card_pose(pose)[None]
    brow_crop = picture[:, :, BROW_CROP.rows, BROW_CROP.columns]
    face_crop = picture[:, :, FACE_CROP.rows, FACE_CROP.columns]
    layers = runtime.run(Stage.DECOMPOSE, brow_crop)
    brows = runtime.run(Stage.BROWS, *layers, values[:, BROW_SLICE])
    face = runtime.run(Stage.FACE, face_crop, *brows, values[:, FACE_SLICE])
    rotated = runtime.run(Stage.ROTATE, picture, *face, values[:, ROTATION_SLICE])
    edited = runtime.run(Stage.EDIT, *rotated, values[:, ROTATION_SLICE])
    return dict(zip(Stage, (layers, brows, face, rotated, edited), strict=True))


def _pattern(shape: tuple[int, ...], drive: float, kind: int) -> F32Array:
    _, channels, height, width = shape
    y = np.linspace(0, 5, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 7, width, dtype=np.float32)[None]
    base = np.sin(x + 0.6 * y + kind + drive)
    phases = np.arange(channels, dtype=np.float32)[:, None, None]
    strength = 0.7 + 0.1 * np.cos(phases + drive)
    pattern: F32Array = (strength * base + 0.1 * np.sin(phases + drive))[None]
    return pattern.astype(np.float32)


def _not_finite(value: float) -> Callable[[F32Array], F32Array]:
    def spoil(array: F32Array) -> F32Array:
        array[..., ::2, :] = value
        return array

    return spoil


def _red(array: F32Array) -> F32Array:
    array[:, 0] *= 1.03
    return array


def _garbled_edge(array: F32Array) -> F32Array:
    array[..., -1] = -array[..., -1] + 0.5
    return array


_SPOILERS: Mapping[Fault | None, Callable[[F32Array], F32Array]] = {
    Fault.NAN: _not_finite(np.nan),
    Fault.INFINITE: _not_finite(np.inf),
    Fault.WRONG_COLORS: lambda array: array * np.float32(1.03),
    Fault.WRONG_RED: _red,
    Fault.BRIGHTER: lambda array: array + np.float32(0.015),
    Fault.SWAPPED: lambda array: np.ascontiguousarray(array[:, ::-1]),
    Fault.ZERO: np.zeros_like,
    Fault.SHIFTED: lambda array: array + np.float32(0.5 * 2 / 512),
    Fault.GARBLED_EDGE: _garbled_edge,
    Fault.WRONG_SHAPE: lambda array: np.ascontiguousarray(array[..., 1:]),
    Fault.ABSURD: lambda array: array + np.float32(1e6),
}
