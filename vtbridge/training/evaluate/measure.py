"""Let every configuration of a run answer the same examples, in one pass, and mark the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vtbridge.datatypes import F32Array
from vtbridge.errors import TrainingError
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.tha1 import face_of, head_of
from vtbridge.training.dataset.true_flow import Reopen, true_flow
from vtbridge.training.evaluate.metrics import FLOW_ERROR, F64Array, flow_error_px, marks
from vtbridge.training.evaluate.networks import Answer, TrainedRun
from vtbridge.training.learn.batches import ExampleList, batch_of
from vtbridge.training.learn.lessons import shrunk, signals
from vtbridge.training.learn.recipe import NetworkName

IDENTITY: Final = "identity"
"""The row of the picture that is shown, taken for the answer."""
MORPHER: Final = "morpher"
PARAMETERS: Final = ("head_x", "head_y", "neck_z", "left_eye", "right_eye", "mouth")
"""Columns of ``Measured.poses``."""

_BATCH: Final = 16

Told = Callable[[str, int, int], None]
Marks = Mapping[str, F64Array]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Marks of every answer; all arrays have one value an example.

    Attributes:
        examples: their numbers in the split.
        subjects: names, one an example.
        poses: float32 [N, 6], columns ``PARAMETERS``.
        morpher: marks by metric, of ``MORPHER`` and ``IDENTITY`` inside the head box; empty if it
            is not trained.
        head: likewise of ``IDENTITY`` and of each configuration that is trained; empty if none is.
    """

    examples: tuple[int, ...]
    subjects: tuple[str, ...]
    poses: F32Array
    morpher: Mapping[str, Marks]
    head: Mapping[str, Marks]


@dataclass(frozen=True, slots=True, eq=False)
class Lookout:
    """What a network is shown, what it should answer, and what is answered to it.

    Attributes:
        shown: signals [N, 4, S, S].
        truth: likewise.
        answers: by name.
    """

    shown: Tensor
    truth: Tensor
    answers: Mapping[str, Answer]


def chosen(count: int, wanted: int) -> tuple[int, ...]:
    """Return the numbers of ``wanted`` examples spread evenly over ``count``; 0 takes all."""
    if wanted <= 0 or wanted >= count:
        return tuple(range(count))
    return tuple(int(number) for number in np.linspace(0, count - 1, wanted).round())


def measure(
    run: TrainedRun,
    examples: ExampleList,
    numbers: tuple[int, ...],
    told: Told,
    reopen: Reopen | None = None,
) -> Measured:
    """Mark all answers of a run to the examples of ``numbers``.

    Args:
        run: the networks.
        examples: of a split that they did not learn from.
        numbers: which of them.
        told: hears how many are done.
        reopen: opens characters for the truth behind their pixels; without it, or where a
            character does not know, there are no flow errors.

    Raises:
        TrainingError: there is no example, or the pictures do not fit the networks.
    """
    if not numbers:
        raise TrainingError("the split has no examples: render a data set with a larger share")
    morpher: dict[str, list[Marks]] = {}
    head: dict[str, list[Marks]] = {}
    subjects: list[str] = []
    poses: list[F32Array] = []
    for first in range(0, len(numbers), _BATCH):
        batch = [examples[number] for number in numbers[first : first + _BATCH]]
        _add(morpher, _marked(look_at_faces(run, batch)))
        heads = look_at_heads(run, batch)
        marked = _marked(heads)
        if heads is not None and reopen is not None:
            _mark_flow(marked, heads, _flows(batch, heads.truth.shape[-1], reopen))
        _add(head, marked)
        subjects += [example.subject for example in batch]
        poses += [np.concatenate([head_of(e.pose), face_of(e.pose)]) for e in batch]
        told("examples", min(first + _BATCH, len(numbers)), len(numbers))
    return Measured(
        examples=numbers,
        subjects=tuple(subjects),
        poses=np.stack(poses),
        morpher={name: _joined(parts) for name, parts in morpher.items()},
        head={name: _joined(parts) for name, parts in head.items()},
    )


def one_of_each(examples: ExampleList, numbers: tuple[int, ...], most: int = 50) -> list[Example]:
    """Return an example of each character among ``numbers``, of the first ``most`` of them."""
    found: dict[str, Example] = {}
    for number in numbers:
        if len(found) == most:
            break
        example = examples[number]
        found.setdefault(example.subject, example)
    return list(found.values())


def look_at_faces(run: TrainedRun, batch: list[Example]) -> Lookout | None:
    """Return the morpher's answer inside the head box; None if it is not trained."""
    if run.morpher_size is None:
        return None
    seen = _seen(batch, NetworkName.MORPHER, run.morpher_size)
    return Lookout(seen[0], seen[1], {MORPHER: Answer(run.morphed(seen[0], seen[2]))})


def look_at_heads(run: TrainedRun, batch: list[Example]) -> Lookout | None:
    """Return the answers of all configurations that are trained; None if there are none."""
    if run.head_size is None or not run.configurations:
        return None
    shown, truth, pose = _seen(batch, NetworkName.ROTATOR, run.head_size)
    return Lookout(shown, truth, run.turned(shown, pose))


def _seen(batch: list[Example], network: NetworkName, size: int) -> tuple[Tensor, Tensor, Tensor]:
    try:
        lesson = batch_of([(example, False) for example in batch], network, size)
        shown, truth = (shrunk(signals(p), size) for p in (lesson.before, lesson.after))
    except ValueError as error:
        raise TrainingError(
            f"the {network} sees {size} pixels: {error}; take the data set it was trained on, or "
            "one of the same size"
        ) from error
    return shown, truth, lesson.pose


def _marked(looked: Lookout | None) -> dict[str, dict[str, F64Array]]:
    if looked is None:
        return {}
    pictures = {IDENTITY: looked.shown} | {n: a.picture for n, a in looked.answers.items()}
    return {name: marks(picture, looked.truth) for name, picture in pictures.items()}


def _mark_flow(
    marked: dict[str, dict[str, F64Array]], looked: Lookout, truth: tuple[Tensor, Tensor]
) -> None:
    """Add flow errors to the marks of what samples, and of the picture that stays."""
    still = torch.zeros_like(truth[0])
    moved = {IDENTITY: still} | {
        name: answer.moved for name, answer in looked.answers.items() if answer.moved is not None
    }
    for name, each in moved.items():
        marked[name][FLOW_ERROR] = flow_error_px(each, *truth)


def _flows(batch: list[Example], size: int, reopen: Reopen) -> tuple[Tensor, Tensor]:
    """Return the true flow from posed to expression, [N, 2, S, S]; [N, S, S] where it is known."""
    flows, known = [], []
    for example in batch:
        flow, both = true_flow(example, size, reopen)
        flows.append(torch.from_numpy(np.ascontiguousarray(flow)).permute(2, 0, 1))
        known.append(torch.from_numpy(np.ascontiguousarray(both)))
    return torch.stack(flows), torch.stack(known)


def _add(to: dict[str, list[Marks]], marked: Mapping[str, Marks]) -> None:
    for name, each in marked.items():
        to.setdefault(name, []).append(each)


def _joined(parts: list[Marks]) -> Marks:
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}
