"""Characters by name or path, those that lie with the weights included."""

from __future__ import annotations

import logging

from vtbridge.characters import MASCOT, find_picture, load_picture
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture
from vtbridge.render.weights.store import WeightStore

log = logging.getLogger(__name__)

FETCHED = {"lambda": "character-lambda"}
"""What users call a fetched character, and its entry in the manifest."""


def open_picture(name_or_path: str) -> Picture:
    """Return a character by path, or by the name of a built-in, fetched or imported one.

    Raises:
        PictureError: there is none of that name, or it cannot be posed.
        WeightsError: a fetched or imported character is damaged.
    """
    name = name_or_path.lower()
    store = WeightStore()
    if store.is_student(name):
        return load_picture(
            store.student_picture(name), name=name, credit=store.record(name).credit
        )
    path = store.picture(FETCHED[name]) if name in FETCHED else None
    return find_picture(name_or_path, extra={name: path} if path else {})


def matched(picture: str, weights: str) -> tuple[str, str]:
    """Return picture and weights that belong together, as ``open_picture`` and the store name them.

    A student of THA4 knows one character: named as the picture it also is the weights, and
    named as the weights it also is the picture.
    """
    store = WeightStore()
    for name in (picture.lower(), weights):
        if store.is_student(name):
            return name, name
    return picture, weights


def with_character(config: Config) -> Config:
    """Return ``config`` with picture and weights that belong together; see ``matched``."""
    picture, weights = matched(config.avatar.picture, config.render.weights)
    if picture == weights and config.avatar.picture not in (MASCOT, picture):
        log.info("%s poses its own character, not %s", weights, config.avatar.picture)
    return config.model_copy(
        update={
            "avatar": config.avatar.model_copy(update={"picture": picture}),
            "render": config.render.model_copy(update={"weights": weights}),
        }
    )
