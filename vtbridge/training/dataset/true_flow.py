"""Where each pixel of a turned head comes from, of characters whose drawer knows it.

Shards seldom hold it, for it is larger than all else together; the character is opened anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.manifest import Manifest
from vtbridge.training.dataset.recipe import DatasetRecipe
from vtbridge.training.dataset.sources import open_source
from vtbridge.training.dataset.tha1 import unturned
from vtbridge.training.sources.subject import Source, Subject, labelled

Reopen = Callable[[str], Subject]
"""Open a character of the data set by its name; raises DatasetError."""


def reopening(manifest: Manifest) -> Reopen:
    """Return what opens a character of a data set anew, to ask it for the truth.

    Its models may lie elsewhere by now, so nothing is opened before it is asked for.
    """
    opened: list[Source] = []

    @lru_cache(maxsize=8)
    def reopen(name: str) -> Subject:
        try:
            if not opened:
                opened.append(open_source(DatasetRecipe.model_validate(manifest.recipe).source))
            return opened[0].open(name)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{name} cannot be opened: {error}") from error

    return reopen


def true_flow(example: Example, size: int, reopen: Reopen) -> tuple[F32Array, F32Array]:
    """Return the flow from the posed picture to the expression.

    Args:
        example: whose.
        size: side of the pictures, pixels.
        reopen: opens its character.

    Returns:
        float32 [size, size, 2], pixels to add to a pixel's own (x, y); float32 [size, size], 1
        where it is known: what is seen in both, of a character that can be opened and knows.
    """
    unknown = np.zeros((size, size, 2), np.float32), np.zeros((size, size), np.float32)
    try:
        subject = reopen(example.subject)
    except DatasetError:
        return unknown
    if not labelled(subject):
        return unknown
    return subject.flow(example.pose, unturned(example.pose), size=size)
