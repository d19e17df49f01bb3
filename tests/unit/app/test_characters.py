"""Characters by the names that users type, and what was prepared of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.baking import manifest_of
from vtbridge.app.characters import (
    open_picture,
    package_folder,
    package_of,
    picture_file,
    with_character,
    with_package,
)
from vtbridge.characters import BUILTIN, write_package
from vtbridge.config.schema import AvatarSettings, Config
from vtbridge.errors import WeightsError
from vtbridge.render.baked.model_file import write_model
from vtbridge.render.baked.store import MODEL_FILE, ROOT_VARIABLE
from vtbridge.render.settings import Quality, RenderSettings

BAKED = RenderSettings(quality=Quality.BAKED)


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "store"))
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "characters"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def package(folder: Path) -> Path:
    picture = write_package(folder, BUILTIN["michi"], name="michi")
    write_model(folder / MODEL_FILE, manifest_of(picture), {"body.x": np.ones(1, np.float32)})
    return folder


def test_a_package_is_accepted_wherever_a_picture_is(own_folders: Path) -> None:
    folder = package(own_folders / "me")
    assert open_picture(str(folder)).digest == open_picture("michi").digest
    assert picture_file(str(folder)) == folder
    assert picture_file("michi") == BUILTIN["michi"]


def test_a_named_package_is_taken_as_it_is(own_folders: Path) -> None:
    package(own_folders / "characters" / "michi")
    folder = package(own_folders / "me")
    assert package_of(str(folder)) == folder
    assert package_of("me") == folder


def test_a_picture_finds_the_package_that_was_made_of_it(own_folders: Path) -> None:
    assert package_of("michi") is None
    folder = package(own_folders / "characters" / "anything")
    assert package_of("michi") == folder
    assert package_of(str(BUILTIN["michi"])) == folder


def test_pictures_that_are_called_the_same_are_prepared_in_folders_of_their_own(
    own_folders: Path,
) -> None:
    mine, yours = own_folders / "mine" / "me.png", own_folders / "yours" / "me.png"
    for path, source in ((mine, BUILTIN["michi"]), (yours, BUILTIN["sumi"])):
        path.parent.mkdir()
        path.write_bytes(source.read_bytes())
    folders = []
    for path in (mine, yours, mine, yours):
        folders.append(package_folder(str(path), open_picture(str(path))))
        write_package(folders[-1], path)
    assert folders[0] == folders[2] == own_folders / "characters" / "me"
    assert folders[1] == folders[3] != folders[0]
    assert folders[1].parent == own_folders / "characters"


def test_a_package_is_prepared_in_its_place(own_folders: Path) -> None:
    write_package(own_folders / "bare", BUILTIN["michi"])
    assert package_folder("bare", open_picture("bare")) == own_folders / "bare"


def test_baked_without_a_model_names_the_command(own_folders: Path) -> None:
    with pytest.raises(WeightsError, match="run `vtbridge character bake michi` first"):
        with_package(BAKED, "michi")
    write_package(own_folders / "bare", BUILTIN["michi"])
    with pytest.raises(WeightsError, match="run `vtbridge character bake bare` first"):
        with_package(BAKED, "bare")


def test_other_qualities_need_no_model() -> None:
    settings = RenderSettings(quality=Quality.FAST)
    assert with_package(settings, "michi") is settings


def test_a_package_that_was_set_stays() -> None:
    settings = RenderSettings(quality=Quality.BAKED, package="elsewhere")
    assert with_package(settings, "michi") is settings


def test_settings_are_completed_by_the_package_of_the_avatar(own_folders: Path) -> None:
    folder = package(own_folders / "characters" / "michi")
    config = with_character(Config(avatar=AvatarSettings(picture="michi"), render=BAKED))
    assert config.render.package == str(folder)
    assert with_character(Config()).render.package == ""
