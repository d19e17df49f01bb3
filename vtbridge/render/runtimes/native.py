"""The project's own runtime for CPUs: starts at once, small, exact to float32."""

from __future__ import annotations

import os
from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.render.models.signatures import Stage, StageSignature, stage_signatures
from vtbridge.render.native._native import Engine, Program
from vtbridge.render.native.stages import build_program
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

_ENCODED: Final = "encoded"
"""The one array that lies pixel by pixel; it goes from one program to another only."""


class NativeRuntime:
    """Run the stages' programs; arrays are numpy's.

    Args:
        engine: its threads run one stage at a time, and end with the programs.
        programs: of every stage.
        signatures: names and shapes of what they take and give.
    """

    name: Final = RuntimeName.NATIVE
    precision: Final = Precision.F32

    def __init__(
        self,
        engine: Engine,
        programs: dict[Stage, Program],
        signatures: dict[Stage, StageSignature],
    ) -> None:
        self._isa = engine.isa
        self._programs = programs
        self._signatures = signatures
        self._outputs = {
            stage: tuple(_empty(name, shape) for name, shape in signatures[stage].outputs.items())
            for stage in programs
        }

    def describe(self) -> str:
        """Return runtime, precision and instruction set, such as ``native f32 avx512``."""
        return f"native f32 {self._isa}"

    def upload(self, array: F32Array) -> F32Array:
        """Return a copy of ``array``."""
        return np.array(array, np.float32, order="C")

    def run(self, stage: Stage, *inputs: F32Array) -> tuple[F32Array, ...]:
        """Run one stage and wait for it.

        Raises:
            InferenceError: an input is not what the stage takes.
        """
        outputs = self._outputs[stage]
        names = (*self._signatures[stage].inputs, *self._signatures[stage].outputs)
        arrays = zip(names, (*inputs, *outputs), strict=True)
        try:
            self._programs[stage].run(*(_laid_out(name, array) for name, array in arrays))
        except ValueError as error:
            raise InferenceError(f"stage {stage} failed on {self.describe()}: {error}") from error
        return outputs

    def download(self, array: F32Array) -> F32Array:
        """Return ``array``, C-contiguous."""
        return np.ascontiguousarray(array)

    def close(self) -> None:
        """Give threads and memory back."""
        self._programs.clear()
        self._outputs.clear()


def open_native(request: RuntimeRequest) -> NativeRuntime:
    """Open the runtime that ``request`` asks for.

    Raises:
        RuntimeUnavailable: another device or precision is wanted, or the networks are not
            separable.
        WeightsError: the weights are absent or damaged.
    """
    if request.device not in (DeviceName.AUTO, DeviceName.CPU):
        raise RuntimeUnavailable(f"native computes on the CPU only, not on {request.device}")
    if request.precision not in (Precision.AUTO, Precision.F32):
        raise RuntimeUnavailable(f"native computes in f32 only, not in {request.precision}")
    variant = request.store.variant(request.weights)
    networks = request.store.networks(request.weights)
    engine = Engine(request.threads or os.cpu_count() or 1)
    programs = {stage: build_program(stage, engine, variant, networks) for stage in Stage}
    return NativeRuntime(engine, programs, dict(stage_signatures(variant)))


def _empty(name: str, shape: tuple[int, ...]) -> F32Array:
    if name == _ENCODED:
        count, channels, height, width = shape
        return np.empty((count, height, width, channels), np.float32).transpose(0, 3, 1, 2)
    return np.empty(shape, np.float32)


def _laid_out(name: str, array: F32Array) -> F32Array:
    """Return ``array`` in the layout that programs read and write."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1) if name == _ENCODED else array)
