"""Characters by name or path, those that lie with the weights included."""

from __future__ import annotations

import logging
from pathlib import Path

from vtbridge.characters import (
    BUILTIN,
    MASCOT,
    find_picture,
    is_package,
    load_from_folder,
    load_picture,
)
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture
from vtbridge.errors import PictureError, WeightsError
from vtbridge.pose_schema import THA3, PoseSchema
from vtbridge.render.baked.store import MODEL_FILE, characters_root, find_model
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.render.weights.store import WeightStore

log = logging.getLogger(__name__)

FETCHED = {"lambda": "character-lambda"}
"""What users call a fetched character, and its entry in the manifest."""


def open_picture(name_or_path: str) -> Picture:
    """Return a character by path, or by the name of a built-in, fetched or imported one.

    A path is that of a picture, of a character package, or of a folder with one picture.

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


def picture_file(name_or_path: str) -> Path:
    """Return the file behind what ``open_picture`` opens; a folder stands for itself.

    Raises:
        WeightsError: a fetched or imported character is damaged.
    """
    name = name_or_path.lower()
    store = WeightStore()
    if store.is_student(name):
        return store.student_picture(name)
    fetched = store.picture(FETCHED[name]) if name in FETCHED else None
    return fetched or BUILTIN.get(name) or Path(name_or_path)


def package_of(name_or_path: str) -> Path | None:
    """Return the folder with the model of a character, None if it was never prepared.

    A package that is named is taken as it is; else the one made of the same picture.

    Raises:
        PictureError: there is no such character.
        WeightsError: a fetched or imported character is damaged.
    """
    folder = Path(name_or_path)
    if name_or_path.lower() not in {*BUILTIN, *FETCHED} and (folder / MODEL_FILE).is_file():
        return folder.absolute()
    return find_model(open_picture(name_or_path))


def package_folder(name_or_path: str, picture: Picture) -> Path:
    """Return the folder to prepare a character in where its user named none.

    A package is prepared in its place, anything else among the user's characters, never in the
    folder of another picture that happens to be called the same.

    Args:
        name_or_path: of the character.
        picture: it.

    Raises:
        WeightsError: a fetched or imported character is damaged.
    """
    source = picture_file(name_or_path)
    if is_package(source):
        return source.absolute()
    usual = characters_root() / folder_name(Path(picture.name).stem)
    if not usual.exists() or _holds(usual, picture):
        return usual
    return usual.with_name(f"{usual.name}-{picture.digest[:8]}")


def known_characters() -> list[tuple[str, str]]:
    """Return the characters on this computer, each as ``open_picture`` names it, and its kind.

    The kinds are "built-in", "fetched", "imported", and of a package among the user's characters
    "prepared", or "own" if it is not yet. One that is damaged is among them: opening it tells
    what to do.
    """
    store, root = WeightStore(), characters_root()
    packages = sorted(path for path in root.glob("*/") if is_package(path)) if root.is_dir() else ()
    return [
        *((name, "built-in") for name in BUILTIN),
        *((name, "fetched") for name, entry in FETCHED.items() if store.is_ready(entry)),
        *((name, "imported") for name in store.names() if store.is_student(name)),
        *((str(path), "prepared" if (path / MODEL_FILE).is_file() else "own") for path in packages),
    ]


def folder_name(name: str) -> str:
    """Return ``name`` as a folder can be called everywhere."""
    kept = "".join(letter if letter.isalnum() or letter in "-_ " else "-" for letter in name)
    return kept.strip(" -")[:64] or "character"


def _holds(folder: Path, picture: Picture) -> bool:
    try:
        return load_from_folder(folder).digest == picture.digest
    except PictureError:
        return False


def with_package(settings: RenderSettings, picture: str) -> RenderSettings:
    """Return ``settings`` with the package of ``picture`` where they show a prepared character.

    Raises:
        PictureError: there is no such character.
        WeightsError: it is not prepared.
    """
    if settings.quality is not Quality.BAKED or settings.package:
        return settings
    package = package_of(picture)
    if package is None:
        raise WeightsError(
            f'quality = "baked" shows a prepared character, and {picture} is not: run `vtbridge '
            f"character bake {picture}` first, or choose another quality"
        )
    return settings.model_copy(update={"package": str(package)})


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


def schema_of(settings: RenderSettings) -> PoseSchema:
    """Return what a character can be posed with; absent weights are told when they are opened."""
    if settings.quality is Quality.BAKED:  # as characters of THA3 are
        return THA3
    try:
        return WeightStore().schema(settings.weights)
    except WeightsError:
        return THA3


def with_character(config: Config) -> Config:
    """Return ``config`` with picture, weights and package that belong together.

    See ``matched`` and ``with_package``.

    Raises:
        PictureError: a character to be shown prepared is not there.
        WeightsError: it is not prepared.
    """
    picture, weights = matched(config.avatar.picture, config.render.weights)
    if picture == weights and config.avatar.picture not in (MASCOT, picture):
        log.info("%s poses its own character, not %s", weights, config.avatar.picture)
    return config.model_copy(
        update={
            "avatar": config.avatar.model_copy(update={"picture": picture}),
            "render": with_package(config.render.model_copy(update={"weights": weights}), picture),
        }
    )
