"""What a run trains, in which order and how: a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vtbridge.errors import TrainingError
from vtbridge.render.models.variants import NetworkShape
from vtbridge.training.recipe_files import names_in, parsed, recipe_text

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]

RECIPES = resources.files("vtbridge.training.learn") / "recipes"


class NetworkName(StrEnum):
    """The three networks of version 1."""

    MORPHER = "morpher"
    ROTATOR = "rotator"
    COMBINER = "combiner"


class LossName(StrEnum):
    """What a stage makes small."""

    L1 = "l1"
    PERCEPTUAL = "perceptual"


class StageName(StrEnum):
    """The stages there are; a combiner's name tells its rotator's loss, then its own."""

    MORPHER = "morpher"
    ROTATOR_L1 = "rotator-l1"
    ROTATOR_PERCEPTUAL = "rotator-perceptual"
    COMBINER_L1_L1 = "combiner-l1-l1"
    COMBINER_L1_PERCEPTUAL = "combiner-l1-perceptual"
    COMBINER_PERCEPTUAL_L1 = "combiner-perceptual-l1"
    COMBINER_PERCEPTUAL_PERCEPTUAL = "combiner-perceptual-perceptual"

    @property
    def network(self) -> NetworkName:
        """Which network it trains."""
        return NetworkName(self.value.split("-")[0])

    @property
    def loss(self) -> LossName:
        """What it makes small; the morpher knows L1 alone."""
        return LossName(self.value.split("-")[-1]) if "-" in self.value else LossName.L1

    @property
    def rotator(self) -> StageName | None:
        """The stage whose pictures a combiner combines."""
        if self.network is not NetworkName.COMBINER:
            return None
        return StageName(f"rotator-{self.value.split('-')[1]}")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkRecipe(_Table):
    """Sizes of a network; see ``NetworkShape``. The paper's are the defaults."""

    image_size: Literal[32, 64, 128, 256] = 256
    start_channels: Annotated[int, Field(ge=1, le=256)] = 64
    bottleneck_size: Annotated[int, Field(ge=4, le=128)] = 32
    bottleneck_blocks: Annotated[int, Field(ge=1, le=32)] = 6
    max_channels: Annotated[int, Field(ge=1, le=4096)] = 512

    @model_validator(mode="after")
    def _halves(self) -> NetworkRecipe:
        ratio, rest = divmod(self.image_size, self.bottleneck_size)
        if rest or ratio < 2 or ratio & (ratio - 1):
            raise ValueError(
                f"bottleneck_size = {self.bottleneck_size} is not image_size = "
                f"{self.image_size} halved once or more"
            )
        return self

    @property
    def shape(self) -> NetworkShape:
        """The same as a shape."""
        return NetworkShape(**self.model_dump())


class StageRecipe(_Table):
    """How one network is trained.

    Attributes:
        name: which.
        examples: how many are learnt from, repetitions counted.
        batch: examples a step, over all processes.
        accumulate: parts that a batch is computed in, to save memory.
        rate: Adam's learning rate.
        schedule: ``cosine`` lets it fall to nothing.
        warmup: examples over which it rises at first.
        start: the stage whose weights it starts from; none starts anew.
        weight: of what a perceptual loss adds to L1.
        focus: weight of the same L1 over the pixels that the pose changes alone. Small networks
            otherwise rest content with changing nothing (THA2 masks its losses likewise).
        flow: weight of how far a rotator samples from where pixels truly come from, where the
            drawer of a character knows that. From pictures alone a flow learns to take any place
            of like colour.
        pose_gain: how much larger than the others the first weights of the pose are drawn. What
            is the same all over a picture, the first normalisation removes but for what the
            borders leave of it.
        ema: share of the past in the averaged weights that are kept, 0 keeps the last ones.
    """

    name: StageName
    examples: Count
    batch: Count = 25
    accumulate: Count = 1
    rate: Rate = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0
    start: StageName | None = None
    weight: Annotated[float, Field(gt=0)] = 0.2
    focus: Annotated[float, Field(ge=0)] = 0.0
    flow: Annotated[float, Field(ge=0)] = 0.0
    pose_gain: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _fits(self) -> StageRecipe:
        if self.batch % self.accumulate:
            raise ValueError(f"batch = {self.batch} cannot be split into {self.accumulate} parts")
        if self.start is not None and self.start.network is not self.name.network:
            raise ValueError(f"a {self.name.network} cannot start from {self.start}")
        if self.flow and self.name.network is not NetworkName.ROTATOR:
            raise ValueError(f"a {self.name.network} samples nothing: flow is for rotators")
        return self


class Recipe(_Table):
    """A run.

    Attributes:
        name: what to call it.
        seed: of weights and order.
        precision: what is computed in, as Lightning Fabric calls it.
        mirror: whether every second example is seen in a mirror.
        validate_every: examples between two looks at the validation split.
        validate_on: how many of its examples are looked at.
        checkpoint_every: examples between two checkpoints.
        networks: sizes.
        stages: in their order.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    mirror: bool = False
    validate_every: Count = 10_000
    validate_on: Count = 200
    checkpoint_every: Count = 5_000
    networks: Mapping[NetworkName, NetworkRecipe] = Field(default_factory=dict)
    stages: Annotated[tuple[StageRecipe, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Recipe:
        known: set[StageName] = set()
        for stage in self.stages:
            if stage.name in known:
                raise ValueError(f"the stage {stage.name} is there twice")
            for needed in (stage.start, stage.name.rotator):
                if needed is not None and needed not in known:
                    raise ValueError(f"{stage.name} needs {needed}, which has to come before it")
            known.add(stage.name)
        return self

    def shape(self, network: NetworkName) -> NetworkShape:
        """Return the sizes of a network."""
        return self.networks.get(network, NetworkRecipe()).shape


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with vtbridge."""
    return names_in(RECIPES)


def load_recipe(name_or_path: str) -> tuple[Recipe, str]:
    """Return a recipe by its name, or by the path of a TOML file, and its text.

    Raises:
        TrainingError: there is none, or it is wrong; the message tells where.
    """
    text = recipe_text(name_or_path, RECIPES, TrainingError)
    return parse_recipe(text, name_or_path), text


def parse_recipe(text: str, name: str) -> Recipe:
    """Return the recipe that ``text`` is; ``name`` appears in errors.

    Raises:
        TrainingError: it is wrong.
    """
    return parsed(text, name, Recipe, TrainingError)


def stage_called(name: str, recipe: Recipe) -> StageName:
    """Return the stage of ``recipe`` that is called ``name``.

    Raises:
        TrainingError: it has none; the message tells which it has.
    """
    for stage in recipe.stages:
        if stage.name == name:
            return stage.name
    known = ", ".join(stage.name for stage in recipe.stages)
    raise TrainingError(f"the recipe {recipe.name} has no stage {name!r}, only {known}")
