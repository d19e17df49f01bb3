"""Look at every picture of a split with every contender, and remember what was seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from vtbridge.datatypes import F32Array
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.tha1 import HEAD
from vtbridge.training.evaluate.contenders import IDENTITY, Made, RunNetworks
from vtbridge.training.evaluate.metrics import METRICS, Scores, flow_error_px, scores_of
from vtbridge.training.learn.batches import ExampleList, batch_of
from vtbridge.training.learn.lessons import shrunk, signals
from vtbridge.training.learn.recipe import NetworkName
from vtbridge.training.sources.subject import LabelledSubject

BATCH = 16
Told = Callable[[int, int], None]
Reopen = Callable[[str], LabelledSubject | None]
"""Opens a subject of the data set by name, None where its truth is not known."""


@dataclass(frozen=True, slots=True)
class Look:
    """One picture.

    Attributes:
        example: its number in the split.
        subject: who is shown.
        pose: the three values that the network was told.
        scores: of each contender by name.
    """

    example: int
    subject: str
    pose: tuple[float, float, float]
    scores: Mapping[str, Scores]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """All that was seen of one network.

    Attributes:
        size: side of the pictures.
        looks: one a picture.
        missing: contenders whose networks were not trained.
    """

    size: int
    looks: list[Look] = field(default_factory=list)
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The contenders that were looked at."""
        return list(self.looks[0].scores) if self.looks else []

    def means(self) -> dict[str, dict[str, float]]:
        """Return the mean of each metric for each contender; NaN where nothing was measured."""
        return {
            name: {
                metric: _mean([getattr(look.scores[name], metric) for look in self.looks])
                for metric in METRICS
            }
            for name in self.names
        }

    def worst(self, name: str, count: int) -> list[Look]:
        """Return the pictures that a contender did worst by PSNR, the worst first."""
        return sorted(self.looks, key=lambda look: look.scores[name].psnr_db)[:count]


def spread(count: int, wanted: int) -> list[int]:
    """Return ``wanted`` numbers below ``count``, evenly spread, all where there are fewer."""
    if wanted >= count:
        return list(range(count))
    return [number * count // wanted for number in range(wanted)]


def measure_morpher(
    run: RunNetworks, examples: ExampleList, numbers: list[int], told: Told
) -> Findings | None:
    """Compare the morpher with the picture it was shown, in the head box; None without one."""
    morpher = run.morpher
    if morpher is None:
        return None
    findings = Findings(morpher.image_size)
    for batch, before, after, pose in _batches(
        examples, numbers, NetworkName.MORPHER, morpher.image_size
    ):
        with torch.no_grad():
            made = {IDENTITY: Made(before), "morpher": Made(morpher(before, pose).image)}
        findings.looks.extend(_looks(batch, made, after, pose))
        told(len(findings.looks), len(numbers))
    return findings


def measure_heads(
    run: RunNetworks,
    examples: ExampleList,
    numbers: list[int],
    told: Told,
    reopen: Reopen = lambda name: None,
) -> Findings | None:
    """Compare all configurations that were trained; None without a rotator."""
    size = run.head_size
    if size is None:
        return None
    contenders = run.contenders()
    findings = Findings(size, missing=tuple(c.name for c in contenders if not run.ready(c)))
    for batch, before, after, pose in _batches(examples, numbers, NetworkName.ROTATOR, size):
        with torch.no_grad():
            rotated = run.rotated(before, pose)
            made = {c.name: c.make(before, pose, rotated) for c in contenders if run.ready(c)}
        truths = [_flow_of(example, size, reopen) for _, example in batch]
        findings.looks.extend(_looks(batch, made, after, pose, truths))
        told(len(findings.looks), len(numbers))
    return findings


def _batches(
    examples: ExampleList, numbers: list[int], network: NetworkName, size: int
) -> Iterator[tuple[list[tuple[int, Example]], Tensor, Tensor, Tensor]]:
    for first in range(0, len(numbers), BATCH):
        batch = [(number, examples[number]) for number in numbers[first : first + BATCH]]
        lesson = batch_of([(example, False) for _, example in batch], network, size)
        before, after = (shrunk(signals(p), size) for p in (lesson.before, lesson.after))
        yield batch, before, after, lesson.pose


def _looks(
    batch: list[tuple[int, Example]],
    made: Mapping[str, Made],
    after: Tensor,
    pose: Tensor,
    truths: list[tuple[F32Array, F32Array] | None] | None = None,
) -> Iterator[Look]:
    for at, (number, example) in enumerate(batch):
        truth = after[at].numpy()
        scores = {}
        for name, picture in made.items():
            score = scores_of(picture.image[at].numpy(), truth)
            known = truths[at] if truths else None
            if known is not None and (picture.flow is not None or name == IDENTITY):
                score = replace(score, flow_px=_flow_px(picture, at, known))
            scores[name] = score
        x, y, z = pose[at].tolist()
        yield Look(number, example.subject, (x, y, z), scores)


def _flow_px(made: Made, at: int, known: tuple[F32Array, F32Array]) -> float:
    truth, visible = known
    if made.flow is None:
        return flow_error_px(np.zeros_like(truth), truth, visible)
    return flow_error_px(made.flow[at].permute(1, 2, 0).numpy(), truth, visible)


def _flow_of(example: Example, size: int, reopen: Reopen) -> tuple[F32Array, F32Array] | None:
    subject = reopen(example.subject)
    if subject is None:
        return None
    source = example.pose.copy()
    source[list(HEAD)] = 0
    return subject.flow(example.pose, source, size=size)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
