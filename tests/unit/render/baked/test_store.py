"""Which model belongs to which picture and weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.support.baking import manifest_of, picture_of
from vtbridge.errors import WeightsError
from vtbridge.render.baked.model_file import write_model
from vtbridge.render.baked.store import (
    MODEL_FILE,
    ROOT_VARIABLE,
    characters_root,
    find_model,
    open_model,
    weights_sha256,
)
from vtbridge.render.weights.store import WeightStore

PICTURE = picture_of()


def store_of(**sha256: str) -> WeightStore:
    files = {name: SimpleNamespace(source_sha256=digest) for name, digest in sha256.items()}
    store = SimpleNamespace(
        is_ready=lambda name: bool(files), record=lambda name: SimpleNamespace(files=files)
    )
    return cast("WeightStore", store)


def package(root: Path, name: str, **about: object) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    write_model(
        folder / MODEL_FILE, manifest_of(PICTURE, **about), {"body.x": np.ones(2, np.float32)}
    )
    return folder


def test_packages_lie_among_the_users_data_unless_moved(tmp_path: Path) -> None:
    assert characters_root({}).parts[-2:] == ("vtbridge", "characters")
    assert characters_root({ROOT_VARIABLE: str(tmp_path)}) == tmp_path


def test_the_best_model_of_a_picture_is_found(tmp_path: Path) -> None:
    package(tmp_path, "a", psnr_db=35.0)
    best = package(tmp_path, "b", psnr_db=37.0)
    package(tmp_path, "c", psnr_db=36.0)
    package(tmp_path, "other", psnr_db=40.0, picture_sha256="9" * 64)
    assert find_model(PICTURE, tmp_path) == best
    assert find_model(picture_of(3), tmp_path) is None


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (package(tmp_path, "a") / MODEL_FILE).write_bytes(b"damaged")
    good = package(tmp_path, "b")
    assert find_model(PICTURE, tmp_path) == good
    assert find_model(PICTURE, tmp_path / "nowhere") is None


def test_the_hash_of_weights_is_that_of_all_networks_in_any_order() -> None:
    one = weights_sha256(store_of(a="1", b="2"), "some")
    assert one == weights_sha256(store_of(b="2", a="1"), "some")
    assert one != weights_sha256(store_of(a="2", b="1"), "some")


def test_a_model_of_the_weights_of_today_is_opened(tmp_path: Path) -> None:
    store = store_of(a="1")
    folder = package(tmp_path, "a", weights_sha256=weights_sha256(store, "some"))
    assert open_model(folder, store).manifest.psnr_db == 36.5


def test_a_model_of_weights_that_have_changed_is_refused(tmp_path: Path) -> None:
    folder = package(tmp_path, "a", weights_sha256=weights_sha256(store_of(a="1"), "some"))
    with pytest.raises(WeightsError, match=r"have changed since .* `vtbridge character bake"):
        open_model(folder, store_of(a="2"))


def test_weights_that_are_gone_tell_nothing(tmp_path: Path) -> None:
    open_model(package(tmp_path, "a"), store_of())


def test_weights_of_a_hostile_name_tell_nothing(tmp_path: Path) -> None:
    open_model(package(tmp_path, "a", weights="../../etc"), WeightStore(tmp_path / "store"))


def test_a_package_without_a_model_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"`vtbridge character bake {tmp_path}`"):
        open_model(tmp_path, store_of())
