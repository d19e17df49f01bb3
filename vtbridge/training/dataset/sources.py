"""Open the source that a recipe names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vtbridge.training.dataset.recipe import DatasetRecipe, SourceRecipe
from vtbridge.training.figures.annotation import read_annotations
from vtbridge.training.sources.figures import FigureSource
from vtbridge.training.sources.procedural import ProceduralSource
from vtbridge.training.sources.subject import LabelledSubject, Source


def open_source(recipe: SourceRecipe) -> Source:
    """Return the source of a recipe.

    Raises:
        DatasetError: it cannot be opened.
    """
    if recipe.kind == "procedural":
        return ProceduralSource(recipe.subjects, recipe.first, supersample=recipe.supersample)
    annotations = read_annotations(Path(recipe.annotations)) if recipe.annotations else {}
    return FigureSource(Path(recipe.folder), annotations)


def labelled(recipe: Mapping[str, Any]) -> Callable[[str], LabelledSubject | None]:
    """Return what opens a subject of a data set again, None where its truth is not known.

    Args:
        recipe: the data set's, as its manifest has it.
    """
    source = DatasetRecipe.model_validate(recipe).source
    if source.kind != "procedural":
        return lambda name: None
    return ProceduralSource(source.subjects, source.first, supersample=source.supersample).open
