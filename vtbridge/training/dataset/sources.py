"""Open the source that a recipe names."""

from __future__ import annotations

import hashlib
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


def characters_of(recipe: SourceRecipe) -> str:
    """Return what tells these characters from others; "" where the recipe says it all.

    Of models: which there are, their sizes, and how a person corrected them. Their bytes are not
    read, for there may be many gigabytes.

    Raises:
        DatasetError: the source cannot be opened.
    """
    source = open_source(recipe)
    if not isinstance(source, FigureSource):
        return ""
    digest = hashlib.sha256()
    for name in source.names():
        digest.update(
            f"{name} {source.work_of(name)} {source.files[name].stat().st_size} ".encode()
        )
        digest.update(f"{source.annotation_of(name).corrections}\n".encode())
    return digest.hexdigest()
