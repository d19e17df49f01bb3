"""Train one network from its first example to its last, whatever comes between."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from vtbridge.errors import TrainingError
from vtbridge.training.dataset.true_flow import Reopen
from vtbridge.training.learn.average import AveragedWeights
from vtbridge.training.learn.batches import Batch, ExampleList, Order, Share, batch_of, decoded
from vtbridge.training.learn.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from vtbridge.training.learn.journal import Journal
from vtbridge.training.learn.lessons import Lesson, shrunk, signals
from vtbridge.training.learn.losses import l1
from vtbridge.training.learn.recipe import Recipe, StageName, StageRecipe

BETAS = (0.5, 0.999)
"""Of Adam, as the paper has them."""
_TELL_EVERY = 50
_SHOWN = 6

Told = Callable[[str, int, int], None]
"""Told the stage, the examples learnt from, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Validation:
    """How a network does on characters that it does not learn from.

    Attributes:
        l1: mean absolute difference of its headline picture, in signals.
        identity_l1: the same of the picture that it was shown.
        psnr_db: mean over the pictures, of signals halved to a range of 1.
    """

    l1: float
    identity_l1: float
    psnr_db: float


@dataclass(frozen=True, eq=False)
class Classroom:
    """Where a stage takes place.

    Attributes:
        fabric: launched.
        train: the examples.
        validation: those of others, to look at now and then.
        checkpoints: the folder of them.
        identity: tells apart runs that cannot go on from each other.
        journal: gets figures and pictures.
        told: hears how far it is.
        interrupted: asked after each step; a stage that is stops when it is safe.
        reopen: opens characters anew, for the truth behind their pixels.
    """

    fabric: Fabric
    train: ExampleList
    validation: ExampleList
    checkpoints: Path
    identity: str
    journal: Journal
    told: Told
    interrupted: Callable[[], bool]
    reopen: Reopen | None = None


def train_stage(recipe: Recipe, stage: StageRecipe, lesson: Lesson, room: Classroom) -> Validation:
    """Train ``lesson.network`` in place; afterwards it has the weights to keep.

    Args:
        recipe: whose stage it is.
        stage: which.
        lesson: the network with its first weights, and what it is to learn.
        room: where.

    Raises:
        TrainingError: there are no examples, a checkpoint cannot be gone on from, or the loss is
            no number any more.
        KeyboardInterrupt: it was interrupted; the checkpoint is written.
    """
    training = _Training(recipe, stage, lesson, room)
    return training.run()


class _Training:
    def __init__(self, recipe: Recipe, stage: StageRecipe, lesson: Lesson, room: Classroom) -> None:
        if not len(room.train):
            raise TrainingError("the data set has no examples to train on")
        self._recipe, self._stage, self._room, self._plain = recipe, stage, room, lesson
        optimizer = torch.optim.Adam(lesson.network.parameters(), lr=stage.rate, betas=BETAS)
        self._average = AveragedWeights(lesson.network, stage.ema) if stage.ema else None
        self._path = room.checkpoints / f"{stage.name}.pt"
        self._steps = math.ceil(stage.examples / stage.batch)
        self._step = self._resumed(lesson.network, optimizer) // stage.batch
        wrapped, self._optimizer = room.fabric.setup(lesson.network, optimizer)
        self._lesson = replace(lesson, network=wrapped)
        try:
            self._share = Share(
                stage.batch,
                rank=room.fabric.global_rank,
                world=room.fabric.world_size,
                pieces=stage.accumulate,
            )
        except ValueError as error:
            raise TrainingError(f"stage {stage.name}: {error}") from error

    @property
    def _name(self) -> StageName:
        return self._stage.name

    def run(self) -> Validation:
        order = Order(
            len(self._room.train),
            (self._recipe.seed, list(StageName).index(self._name)),
            mirror=self._recipe.mirror,
        )
        size = self._lesson.size
        last_loss = math.nan
        self._room.told(self._name, self._done, self._stage.examples)
        with decoded(
            self._room.train,
            order,
            self._share,
            self._name.network,
            size,
            self._room.reopen if self._stage.flow else None,
            first=self._step,
            last=self._steps,
        ) as steps:
            for pieces in steps:
                last_loss = self._learn(pieces)
                self._step += 1
                if self._average is not None:
                    self._average.update(self._step)
                self._after_step(last_loss)
        self._write_checkpoint()
        if self._average is not None:
            self._plain.network.load_state_dict(self._average.state())
            self._average = None
        return self._validate()

    @property
    def _done(self) -> int:
        return min(self._step * self._stage.batch, self._stage.examples)

    def _learn(self, pieces: list[Batch]) -> float:
        """Take one step and return its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        self._optimizer.zero_grad()
        total = torch.zeros(())
        for number, piece in enumerate(pieces):
            batch = self._moved(piece)
            with self._unsynced(number < len(pieces) - 1):
                loss = self._lesson.loss_of(batch) / len(pieces)
                self._room.fabric.backward(loss)
            total += loss.detach().cpu()
        value = float(total)
        if not math.isfinite(value):
            raise TrainingError(
                f"stage {self._name}: the loss is {value} after {self._done} examples; "
                "lower its rate in the recipe"
            )
        self._optimizer.step()
        return value

    def _rate(self) -> float:
        """Return the learning rate of the step to come."""
        done = self._step * self._stage.batch
        rate = self._stage.rate
        if self._stage.warmup:
            rate *= min(1.0, (done + self._stage.batch) / self._stage.warmup)
        if self._stage.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * done / self._stage.examples))
        return rate

    def _after_step(self, loss: float) -> None:
        if self._step % _TELL_EVERY == 0 or self._step == self._steps:
            self._room.told(self._name, self._done, self._stage.examples)
            self._room.journal.figure(f"{self._name}/loss", loss, self._done)
        if self._crossed(self._recipe.validate_every) and self._step < self._steps:
            with self._average.in_place() if self._average else nullcontext():
                self._validate()
        interrupted = self._room.interrupted()
        if interrupted or self._crossed(self._recipe.checkpoint_every):
            self._write_checkpoint()
        if interrupted:
            raise KeyboardInterrupt

    def _crossed(self, every: int) -> bool:
        """Return whether a multiple of ``every`` examples was passed by the last step."""
        return self._done // every > (self._done - self._stage.batch) // every

    def _unsynced(self, more: bool) -> AbstractContextManager[None]:
        network = self._lesson.network
        if more and self._room.fabric.world_size > 1:
            return self._room.fabric.no_backward_sync(network)  # type: ignore[arg-type]
        return nullcontext()

    def _moved(self, batch: Batch) -> Batch:
        to = self._room.fabric.to_device
        flow = None if batch.flow is None else to(batch.flow)
        return Batch(to(batch.before), to(batch.after), to(batch.pose), flow)

    def _validate(self) -> Validation:
        """Look at the validation split; every process looks at all of it, and one tells."""
        count = min(self._recipe.validate_on, len(self._room.validation))
        if not count:
            return Validation(math.nan, math.nan, math.nan)
        network, was = self._lesson.network, self._lesson.network.training
        network.eval()
        own = same = psnr = 0.0
        with torch.no_grad():
            for first in range(0, count, self._stage.batch):
                numbers = range(first, min(first + self._stage.batch, count))
                batch = self._moved(self._looked_at(numbers))
                truth = shrunk(signals(batch.after), self._lesson.size)
                pictures = [p.float() for p in self._lesson.pictures(batch)]
                shown = shrunk(signals(batch.before), self._lesson.size)
                own += float(l1(pictures[0], truth)) * len(numbers)
                same += float(l1(shown, truth)) * len(numbers)
                psnr += float(_psnr_db(pictures[0], truth).sum())
                if first == 0:
                    rows = [row[:_SHOWN] for row in (shown, truth, *pictures)]
                    self._room.journal.pictures(f"{self._name}/pictures", rows, self._done)
        network.train(was)
        validation = Validation(own / count, same / count, psnr / count)
        for name in Validation.__slots__:
            self._room.journal.figure(f"{self._name}/{name}", getattr(validation, name), self._done)
        return validation

    def _looked_at(self, numbers: range) -> Batch:
        examples = [(self._room.validation[number], False) for number in numbers]
        return batch_of(examples, self._name.network, self._lesson.size)

    def _resumed(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Load the checkpoint if there is one, and return the examples it had learnt from."""
        checkpoint = read_checkpoint(self._path, self._room.identity)
        if checkpoint is None:
            return 0
        network.load_state_dict(checkpoint.network)
        optimizer.load_state_dict(checkpoint.optimizer)
        if self._average is not None:
            self._average.load(checkpoint.averaged)
        return checkpoint.done

    def _write_checkpoint(self) -> None:
        if self._room.fabric.is_global_zero:
            averaged = {} if self._average is None else self._average.state()
            checkpoint = Checkpoint(
                done=self._step * self._stage.batch,
                identity=self._room.identity,
                network=self._plain.network.state_dict(),
                averaged=averaged,
                optimizer=self._optimizer.state_dict(),
            )
            write_checkpoint(self._path, checkpoint)
        self._room.fabric.barrier()


def _psnr_db(picture: Tensor, truth: Tensor) -> Tensor:
    """Return the PSNR of each picture of signals, a difference of 2 being the whole range."""
    mse = ((picture - truth) / 2).pow(2).flatten(1).mean(dim=1)
    return -10 * torch.log10(mse.clamp(min=1e-10))
