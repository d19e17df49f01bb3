"""A run: its folder, and the stages of its recipe one after the other.

::

    RUN/recipe.toml            what is trained, as it was given
    RUN/data.json              on what: the data set's digest
    RUN/STAGE.safetensors      a finished network
    RUN/checkpoints/STAGE.pt   where an unfinished one stands
    RUN/tensorboard/STAGE/     figures and pictures
"""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import cast

import torch
from lightning.fabric import Fabric
from torch import Tensor

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import TrainingError
from vtbridge.render.models.he_init import initialise
from vtbridge.render.models.tha1 import HeadRotator, RotatedHead
from vtbridge.training.dataset.true_flow import Reopen
from vtbridge.training.learn.batches import ExampleList
from vtbridge.training.learn.journal import Journal
from vtbridge.training.learn.lessons import Lesson
from vtbridge.training.learn.losses import PictureLoss, StructuralLoss, l1
from vtbridge.training.learn.network_file import (
    Tha1Network,
    build_network,
    load_network,
    save_network,
)
from vtbridge.training.learn.perceptual import PerceptualLoss, load_vgg16
from vtbridge.training.learn.recipe import LossName, Recipe, StageName, StageRecipe
from vtbridge.training.learn.stage import Classroom, Told, Validation, train_stage

RECIPE_FILE = "recipe.toml"
DATA_FILE = "data.json"


@dataclass(frozen=True, eq=False)
class Data:
    """What is learnt from.

    Attributes:
        digest: of the data set: the same bytes, the same digest.
        train: the examples.
        validation: those of other characters.
        reopen: opens characters anew, for the truth behind their pixels.
    """

    digest: str
    train: ExampleList
    validation: ExampleList
    reopen: Reopen | None = None


@dataclass(frozen=True, slots=True)
class StageResult:
    """A finished stage; ``validation`` is None where an earlier run had finished it."""

    stage: StageName
    path: Path
    validation: Validation | None


class Run:
    """Train a recipe in a folder; what is finished there is not trained again.

    Args:
        folder: of the run; made if it is missing.
        recipe: what to train.
        text: the recipe as its author wrote it.
        fabric: launched; which devices, how many processes, which precision.
        vgg16: weights for the perceptual loss; None takes edges and structure instead.
        told: hears how far each stage is.

    Raises:
        TrainingError: ``vgg16`` cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        text: str,
        *,
        fabric: Fabric,
        vgg16: Path | None,
        told: Told,
    ) -> None:
        self._folder, self._recipe, self._fabric, self._told = folder, recipe, fabric, told
        self._features = None if vgg16 is None else load_vgg16(vgg16)
        if self._features is not None:
            fabric.to_device(self._features)
        folder.mkdir(parents=True, exist_ok=True)
        if fabric.is_global_zero:
            write_atomically(folder / RECIPE_FILE, text.encode())
        fabric.barrier()

    def train(self, data: Data, only: Sequence[StageName] = ()) -> Iterator[StageResult]:
        """Train what is not finished, and yield each stage when it is.

        Args:
            data: what to learn from.
            only: the stages to train, all where it is empty; others may be trained elsewhere at
                the same time.

        Raises:
            TrainingError: the run began on other data, or a stage cannot be trained.
            KeyboardInterrupt: it was interrupted, and can be gone on with.
        """
        self._same_data(data)
        with _interruptions() as interrupted:
            for stage in self._recipe.stages:
                path = self._path(stage.name)
                if only and stage.name not in only:
                    continue
                if path.is_file():
                    self._same_stage(stage, path, data)
                    yield StageResult(stage.name, path, None)
                    continue
                validation = self._train(stage, data, interrupted)
                yield StageResult(stage.name, path, validation)

    def _train(self, stage: StageRecipe, data: Data, interrupted: Callable[[], bool]) -> Validation:
        name = stage.name
        shape = self._recipe.shape(name.network)
        network = self._first(stage)
        lesson = Lesson(
            kind=name.network,
            size=shape.image_size,
            network=network,
            loss=self._loss(stage),
            focus=stage.focus,
            flow=stage.flow,
            rotator=self._rotator(name),
        )
        writes = self._fabric.is_global_zero
        with Journal(self._folder / "tensorboard" / name if writes else None) as journal:
            validation = train_stage(
                self._recipe,
                stage,
                lesson,
                Classroom(
                    fabric=self._fabric,
                    train=data.train,
                    validation=data.validation,
                    checkpoints=self._folder / "checkpoints",
                    identity=self._identity(stage, data),
                    journal=journal,
                    told=self._told,
                    interrupted=interrupted,
                    reopen=data.reopen,
                ),
            )
        if writes:
            about = {
                "stage": name.value,
                "identity": self._identity(stage, data),
                "examples": str(stage.examples),
                "loss": self._loss_told(name.loss),
                "recipe": self._recipe.name,
                "data": data.digest,
                "validation_psnr_db": f"{validation.psnr_db:.2f}",
            }
            save_network(self._path(name), name.network, shape, network, about)
        self._fabric.barrier()
        return validation

    def _first(self, stage: StageRecipe) -> Tha1Network:
        """Return the network of a stage with the weights that it starts from."""
        if stage.start is not None:
            network, _ = load_network(self._path(stage.start))
            return network.train().requires_grad_()
        network = build_network(stage.name.network, self._recipe.shape(stage.name.network))
        number = list(StageName).index(stage.name)
        generator = torch.Generator().manual_seed(self._recipe.seed * len(StageName) + number)
        initialise(network, generator, pose_gain=stage.pose_gain)
        return network

    def _loss(self, stage: StageRecipe) -> PictureLoss:
        if stage.name.loss is LossName.L1:
            return l1
        if self._features is None:
            return StructuralLoss(stage.weight)
        return PerceptualLoss(self._features, stage.weight)

    def _loss_told(self, loss: LossName) -> str:
        if loss is LossName.L1:
            return "L1"
        return "L1 + Sobel + SSIM" if self._features is None else "L1 + VGG16"

    def _rotator(self, name: StageName) -> Callable[[Tensor, Tensor], RotatedHead] | None:
        if name.rotator is None:
            return None
        network, _ = load_network(self._path(name.rotator))
        rotator = cast(HeadRotator, self._fabric.to_device(network))

        def rotated(image: Tensor, pose: Tensor) -> RotatedHead:
            with self._fabric.autocast():
                return cast(RotatedHead, rotator(image, pose))

        return rotated

    def _path(self, name: StageName) -> Path:
        return self._folder / f"{name}.safetensors"

    def _identity(self, stage: StageRecipe, data: Data) -> str:
        """Return what tells a stage from one that would learn something else, hexadecimal.

        Other stages of the recipe may be changed meanwhile, but for those that it builds on.
        """
        recipe, network = self._recipe, stage.name.network
        told = [
            stage.model_dump_json(exclude_defaults=True),
            str(recipe.shape(network)),
            f"{recipe.seed} {recipe.precision} {recipe.mirror}",
            self._loss_told(stage.name.loss),
            data.digest,
        ]
        for needed in (stage.start, stage.name.rotator):
            below = next((each for each in recipe.stages if each.name is needed), None)
            if below is not None:
                told.append(self._identity(below, data))
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def _same_stage(self, stage: StageRecipe, path: Path, data: Data) -> None:
        _, about = load_network(path)
        if about.get("identity") != self._identity(stage, data):
            raise TrainingError(
                f"{path} was trained by other settings than the recipe {self._recipe.name} has "
                "now: delete it to train it anew, or name another folder with -o"
            )

    def _same_data(self, data: Data) -> None:
        path = self._folder / DATA_FILE
        if path.is_file():
            known = json.loads(path.read_text("utf-8"))["digest"]
            if known != data.digest:
                raise TrainingError(
                    f"{self._folder} was begun on another data set ({known[:12]}, this one is "
                    f"{data.digest[:12]}): name another folder with -o"
                )
        elif self._fabric.is_global_zero:
            write_atomically(path, (json.dumps({"digest": data.digest}) + "\n").encode())
        self._fabric.barrier()


@contextmanager
def _interruptions() -> Iterator[Callable[[], bool]]:
    """Give what tells whether Ctrl-C or SIGTERM came; a second Ctrl-C ends it at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    kept = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
