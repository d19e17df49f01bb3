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
    store = WeightStore()
    found = {name: store.picture(entry) for name, entry in FETCHED.items()}
    return find_picture(name_or_path, extra={n: path for n, path in found.items() if path})
