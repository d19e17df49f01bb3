"""What a data set is made of: a TOML file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.split import Split
from vtbridge.training.dataset.tha1 import FACE, HEAD
from vtbridge.training.recipe_files import names_in, parsed, recipe_text
from vtbridge.training.sources.subject import Shading

RECIPES = resources.files("vtbridge.training.dataset") / "recipes"

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Span = tuple[Annotated[float, Field(ge=0, le=4)], Annotated[float, Field(ge=0, le=4)]]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceRecipe(_Table):
    """Where the characters come from.

    Attributes:
        kind: ``procedural``, or ``figures``: 3D models below a folder.
        subjects: how many, procedural.
        first: the first seed, procedural.
        supersample: procedural ones are drawn larger by this factor.
        folder: of the models.
        annotations: corrections to them, a file of ``vtbridge dataset scan``.
    """

    kind: Literal["procedural", "figures"]
    subjects: Count = 1000
    first: Annotated[int, Field(ge=0)] = 0
    supersample: Annotated[int, Field(ge=1, le=4)] = 2
    folder: str = ""
    annotations: str = ""

    @model_validator(mode="after")
    def _has_folder(self) -> SourceRecipe:
        if self.kind == "figures" and not self.folder:
            raise ValueError("models come from a folder: name it with folder = ... or --models")
        return self


class LightRecipe(_Table):
    """How models are lit; each subject's light is drawn anew.

    Attributes:
        directional: strength of the light along the view.
        ambient: least and greatest strength of the rest.
        shading: of surfaces.
    """

    directional: Annotated[float, Field(ge=0, le=4)] = 0.5
    ambient: Span = (0.5, 1.2)
    shading: tuple[Shading, ...] = (Shading.PHONG,)


class DatasetRecipe(_Table):
    """A data set.

    Attributes:
        name: what to call it.
        poses: of each subject.
        size: side of the pictures, pixels.
        parameters: ``tha1``, ``tha3``, or labels of those that move.
        rest_mouth: how far the mouth of a subject's rest picture is open; one of them each.
        extremes: share of values that are at an end of their range.
        truth: whether landmarks, flow and layers are kept too, of characters whose drawer knows.
        shares: of the sides of the split.
        shard: subjects a file.
        source: of the characters.
        light: on them.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    poses: Annotated[int, Field(ge=1, le=1000)] = 8
    size: Annotated[int, Field(ge=32, le=2048, multiple_of=4)] = 256
    parameters: Literal["tha1", "tha3"] | tuple[str, ...] = "tha1"
    rest_mouth: Annotated[tuple[Share, ...], Field(min_length=1)] = (1.0,)
    extremes: Share = 0.0
    truth: bool = False
    shares: Mapping[Split, Share] = Field(
        default_factory=lambda: {Split.TRAIN: 0.98, Split.VALIDATION: 0.01, Split.TEST: 0.01}
    )
    shard: Count = 100
    source: SourceRecipe
    light: LightRecipe = LightRecipe()

    @model_validator(mode="after")
    def _whole(self) -> DatasetRecipe:
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares sum to {sum(self.shares.values()):g} instead of 1")
        known = {param.label for param in PoseParam}
        for label in () if isinstance(self.parameters, str) else self.parameters:
            if label not in known:
                raise ValueError(f"there is no parameter {label}")
        return self

    @property
    def moves(self) -> frozenset[PoseParam]:
        """The parameters that are drawn at random."""
        if self.parameters == "tha1":
            return frozenset((*FACE, *HEAD))
        if self.parameters == "tha3":
            return frozenset(PoseParam)
        return frozenset(PoseParam[label.upper()] for label in self.parameters)

    def digest(self, seed: int) -> str:
        """Return what tells this recipe with this seed from all others, hexadecimal."""
        return hashlib.sha256(f"{seed}\n{self.model_dump_json()}".encode()).hexdigest()


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with vtbridge."""
    return names_in(RECIPES)


def load_recipe(
    name_or_path: str, source: Mapping[str, object] = MappingProxyType({})
) -> DatasetRecipe:
    """Return a recipe by its name, or by the path of a TOML file.

    Args:
        name_or_path: of the recipe.
        source: what to change of its source.

    Raises:
        DatasetError: there is none, or it is wrong; the message tells where.
    """
    text = recipe_text(name_or_path, RECIPES, DatasetError)
    changes = {"source": source} if source else {}
    return parsed(text, name_or_path, DatasetRecipe, DatasetError, changes)
