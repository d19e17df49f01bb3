"""CUDA graphs: a stage recorded once and replayed, which saves launching its kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from vtbridge.render.models.signatures import Shape

Stage: TypeAlias = Callable[..., "Tensor | tuple[Tensor, ...]"]
Recorder: TypeAlias = Callable[
    [Callable[[], tuple[Tensor, ...]]], tuple[tuple[Tensor, ...], Callable[[], object]]
]

WARM_UP_RUNS = 3
"""Before recording: libraries choose their kernels and allocate what they keep."""


class CapturedStage:
    """A stage whose kernels were recorded with inputs and outputs at fixed places.

    What a call returns is overwritten by the next.

    Args:
        stage: takes and gives tensors on the GPU, without waiting for it.
        shapes: of its inputs.
        device: where they lie.
        record: runs a function once, recording it; returns its outputs and what replays it.
    """

    def __init__(
        self, stage: Stage, shapes: Iterable[Shape], device: torch.device, record: Recorder
    ) -> None:
        self._inputs = [torch.zeros(shape, device=device) for shape in shapes]
        self._outputs, self._replay = record(lambda: as_tuple(stage(*self._inputs)))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Copy ``inputs`` to where the recorded kernels read them, and replay."""
        for place, given in zip(self._inputs, inputs, strict=True):
            place.copy_(given)
        self._replay()
        return self._outputs


def record_cuda_graph(
    run: Callable[[], tuple[Tensor, ...]],
) -> tuple[tuple[Tensor, ...], Callable[[], object]]:
    """Record what ``run`` launches; see ``CapturedStage``."""
    # As PyTorch's notes on CUDA graphs ask: warmed up beside the stream that records.
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # of PyTorch
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP_RUNS):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = run()
    return outputs, graph.replay


def as_tuple(outputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what a stage gave as a tuple."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
