"""Where prepared characters lie, and which model belongs to which picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import platformdirs

from vtbridge.datatypes import Picture
from vtbridge.errors import WeightsError
from vtbridge.render.baked.model_file import BakedManifest, BakedModel, read_manifest, read_model
from vtbridge.render.weights.store import WeightStore

ROOT_VARIABLE: Final = "VTBRIDGE_CHARACTERS_DIR"
"""Environment variable that moves the folder of packages."""

MODEL_FILE: Final = "baked.safetensors"
"""The model in a character package."""

SHEET_FILE: Final = "baked.png"
"""Teacher, model and their difference side by side, in a character package."""

BAKE_FOLDER: Final = "bake"
"""What baking goes on from, in a character package."""


def characters_root(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of packages: the variable's, else one in the user's data folder."""
    chosen = (os.environ if environ is None else environ).get(ROOT_VARIABLE, "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir("vtbridge")) / "characters"


def weights_sha256(store: WeightStore, name: str) -> str:
    """Return one hash for all networks of an entry.

    Raises:
        WeightsError: it is not in the store in full.
    """
    files = store.record(name).files
    lines = sorted(f"{key} {stored.source_sha256}\n" for key, stored in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_model(picture: Picture, root: Path | None = None) -> Path | None:
    """Return the package below ``root`` whose model was made of ``picture``, the best one.

    Models that cannot be read are passed over.

    Args:
        picture: whose model is wanted.
        root: of packages; None takes ``characters_root()``.
    """
    best: tuple[float, Path] | None = None
    root = characters_root() if root is None else root
    for path in sorted(root.glob(f"*/{MODEL_FILE}")):
        try:
            manifest = read_manifest(path)
        except WeightsError:
            continue
        if manifest.picture_sha256 != picture.digest:
            continue
        if best is None or manifest.psnr_db > best[0]:
            best = manifest.psnr_db, path.parent
    return None if best is None else best[1]


def open_model(package: Path, store: WeightStore) -> BakedModel:
    """Return the model of a package.

    Args:
        package: its folder.
        store: of weights; a model of other weights than it holds now is refused.

    Raises:
        WeightsError: it is missing, damaged or out of date.
    """
    path = package / MODEL_FILE
    if not path.is_file():
        raise WeightsError(
            f"{package} has no {MODEL_FILE}: make it with `vtbridge character bake {package}`"
        )
    model = read_model(path)
    refuse_other_weights(model.manifest, store, package)
    return model


def refuse_other_weights(manifest: BakedManifest, store: WeightStore, package: Path) -> None:
    """Refuse a model whose weights have changed since; weights that are gone tell nothing.

    Raises:
        WeightsError: they have.
    """
    name = manifest.weights
    try:
        known = store.is_ready(name)
    except WeightsError:  # a hostile manifest may name what no entry can be called
        known = False
    if known and weights_sha256(store, name) != manifest.weights_sha256:
        raise WeightsError(
            f"the weights {name} have changed since {package} was baked with them: run "
            f"`vtbridge character bake {package}` once more"
        )
