"""Open the source that a recipe names."""

from __future__ import annotations

from pathlib import Path

from vtbridge.training.dataset.recipe import SourceRecipe
from vtbridge.training.figures.annotation import read_annotations
from vtbridge.training.sources.figures import FigureSource
from vtbridge.training.sources.procedural import ProceduralSource
from vtbridge.training.sources.subject import Source


def open_source(recipe: SourceRecipe) -> Source:
    """Return the source of a recipe.

    Raises:
        DatasetError: it cannot be opened.
    """
    if recipe.kind == "procedural":
        return ProceduralSource(recipe.subjects, recipe.first, supersample=recipe.supersample)
    annotations = read_annotations(Path(recipe.annotations)) if recipe.annotations else {}
    return FigureSource(Path(recipe.folder), annotations)
