"""Which examples a step learns from, decoded while the step before it computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_schema import THA1
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.tha1 import face_of, head_of
from vtbridge.training.dataset.true_flow import Reopen, true_flow
from vtbridge.training.learn.recipe import NetworkName

FLOW_SIZE: Final = 64
"""Side of the true flow at most: it is smooth, so that a coarse one tells as much."""
_AHEAD = 3
_DECODERS = 2


class ExampleList(Protocol):
    """What is learnt from: any sequence of examples."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, index: int) -> Example:
        """Return one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees.

    Attributes:
        before: uint8 [N, S, S, 4], straight alpha: what the network is shown, the head box alone
            for the morpher, else the whole picture.
        after: likewise: what it should make of it.
        pose: float32 [N, 3]: what it is told.
        flow: float32 [N, 3, F, F], None where nobody asks: where each pixel comes from, x and y to
            add to its own place as shares of the picture's side, and 1 where that is known.
    """

    before: Tensor
    after: Tensor
    pose: Tensor
    flow: Tensor | None = None


class Order:
    """Which example comes at which place: each once before any comes again, shuffled anew.

    Args:
        count: how many examples there are.
        seed: of the shuffling and of the mirror.
        mirror: whether every second one is seen in a mirror.
    """

    def __init__(self, count: int, seed: tuple[int, ...], *, mirror: bool) -> None:
        self._count = count
        self._seed = seed
        self._mirror = mirror
        self._epoch = -1
        self._indices: Sequence[int] = ()
        self._mirrored: Sequence[bool] = ()

    def __getitem__(self, place: int) -> tuple[int, bool]:
        """Return the example at a place of the endless row, and whether it is mirrored."""
        epoch, at = divmod(place, self._count)
        if epoch != self._epoch:
            random = np.random.default_rng([*self._seed, epoch])
            self._indices = random.permutation(self._count).tolist()
            flips = random.random(self._count) < 0.5
            self._mirrored = (flips & self._mirror).tolist()
            self._epoch = epoch
        return self._indices[at], self._mirrored[at]


def batch_of(
    examples: Sequence[tuple[Example, bool]],
    network: NetworkName,
    size: int,
    reopen: Reopen | None = None,
) -> Batch:
    """Return what a network of ``size`` sees of examples, some of them mirrored.

    With ``reopen`` the true flow is told too.
    """
    rows = [_lesson(example, network, size, mirrored) for example, mirrored in examples]
    before, after, poses = zip(*rows, strict=True)
    return Batch(
        before=torch.from_numpy(np.stack(before)),
        after=torch.from_numpy(np.stack(after)),
        pose=torch.from_numpy(np.stack(poses)),
        flow=None
        if reopen is None
        else torch.from_numpy(
            np.stack([_flow(*each, min(size, FLOW_SIZE), reopen) for each in examples])
        ),
    )


def _flow(example: Example, mirrored: bool, size: int, reopen: Reopen) -> F32Array:
    flow, known = true_flow(example, size, reopen)
    planes = np.concatenate([flow.transpose(2, 0, 1) / size, known[None]])
    if mirrored:
        planes = planes[:, :, ::-1].copy()
        planes[0] *= -1
    return np.ascontiguousarray(planes, np.float32)


def _lesson(
    example: Example, network: NetworkName, size: int, mirrored: bool
) -> tuple[U8Array, U8Array, F32Array]:
    six = np.concatenate([head_of(example.pose), face_of(example.pose)])
    if network is NetworkName.MORPHER:
        before, after = (head_box(p, size) for p in (example.rest, example.expression))
    else:
        before, after = example.expression, example.posed
    if mirrored:
        six = THA1.mirror(six.astype(np.float64)).astype(np.float32)
        before, after = before[:, ::-1], after[:, ::-1]
    pose = six[3:] if network is NetworkName.MORPHER else six[:3]
    return before, after, pose


def head_box(rgba: U8Array, size: int) -> U8Array:
    """Return the middle ``size`` x ``size`` of a picture.

    Raises:
        ValueError: the picture is smaller.
    """
    edge, rest = divmod(len(rgba) - size, 2)
    if edge < 0 or rest:
        raise ValueError(f"a picture of {len(rgba)} pixels has no middle of {size}")
    return rgba[edge : edge + size, edge : edge + size]


class Share:
    """Which part of each batch this process computes, and in how many pieces.

    Args:
        batch: examples a step, over all processes.
        rank: of this process.
        world: how many processes.
        pieces: how many a process computes one after the other.

    Raises:
        ValueError: a batch cannot be split so.
    """

    def __init__(self, batch: int, *, rank: int = 0, world: int = 1, pieces: int = 1) -> None:
        if batch % (world * pieces):
            raise ValueError(
                f"a batch of {batch} cannot be split into {pieces} pieces of {world} processes"
            )
        self.batch = batch
        self.pieces = pieces
        each = batch // world
        self._first, self._piece = rank * each, each // pieces

    def places(self, step: int) -> list[range]:
        """Return the places of each piece of a step."""
        start = step * self.batch + self._first
        return [
            range(start + piece * self._piece, start + (piece + 1) * self._piece)
            for piece in range(self.pieces)
        ]


@contextmanager
def decoded(
    examples: ExampleList,
    order: Order,
    share: Share,
    network: NetworkName,
    size: int,
    reopen: Reopen | None = None,
    *,
    first: int,
    last: int,
) -> Iterator[Iterator[list[Batch]]]:
    """Give an iterator over the pieces of steps ``first`` to ``last``, decoded ahead.

    Args:
        examples: decoded by several threads at once.
        order: which come when.
        share: which of them here.
        network: for whom.
        size: of its pictures.
        reopen: tells the true flow too.
        first: the first step.
        last: the step after the last.
    """

    def step(picked: list[list[tuple[int, bool]]]) -> list[Batch]:
        return [
            batch_of([(examples[i], mirrored) for i, mirrored in piece], network, size, reopen)
            for piece in picked
        ]

    def steps(pool: ThreadPoolExecutor) -> Iterator[list[Batch]]:
        waiting: list[Future[list[Batch]]] = []
        for number in range(first, last):
            picked = [[order[place] for place in piece] for piece in share.places(number)]
            waiting.append(pool.submit(step, picked))
            if len(waiting) > _AHEAD:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()

    pool = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")
    try:
        yield steps(pool)
    finally:
        pool.shutdown(cancel_futures=True)
