"""Characters by name or path, those fetched with the weights included."""

from __future__ import annotations

from vtbridge.characters import find_picture
from vtbridge.datatypes import Picture
from vtbridge.render.weights.store import WeightStore

FETCHED = {"lambda": "character-lambda"}
"""What users call a fetched character, and its entry in the manifest."""


def open_picture(name_or_path: str) -> Picture:
    """Return a character by path, or by the name of a built-in or fetched one.

    Raises:
        PictureError: there is none of that name, or it cannot be posed.
        WeightsError: a fetched character is damaged.
    """
    name = name_or_path.lower()
    path = WeightStore().picture(FETCHED[name]) if name in FETCHED else None
    return find_picture(name_or_path, extra={name: path} if path else {})
