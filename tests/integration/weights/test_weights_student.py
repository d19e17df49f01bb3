"""Students of THA4: imported from the folder that the author's tools write."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.tha4 import MODEL, figure, random_student, write_student
from vtbridge.app.characters import matched, open_picture, with_character
from vtbridge.config.schema import AvatarSettings, Config
from vtbridge.errors import WeightsError
from vtbridge.render.models.tha4_student import StudentNetwork
from vtbridge.render.settings import RenderSettings
from vtbridge.render.weights import WeightStore
from vtbridge.render.weights.by_hand import import_weights
from vtbridge.render.weights.store import ROOT_VARIABLE, EntryState
from vtbridge.render.weights.tensors import parse_tensors

NAME = "tha4-my-oc"

BY_HAND = """# quotes and comments are YAML
character_image_file_name: "character.png"  # the picture
face_morpher_file_name: 'face_morpher.pt'
body_morpher_file_name:   body_morpher.pt # body
"""


class Deed:
    """A pickle of this makes a folder when it is loaded without care."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self._canary),))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two students, one described by hand; not to be changed."""
    folder = tmp_path_factory.mktemp("character_models")
    write_student(folder / "My_OC")
    write_student(folder / "by hand", BY_HAND)
    return folder


@pytest.fixture(scope="session")
def imported(models: Path, tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    """Return a store that holds both; not to be changed."""
    store = WeightStore(tmp_path_factory.mktemp("students"))
    report = import_weights(store, models)
    assert report.imported == (NAME, "tha4-by-hand")
    assert not report.refused
    return store


def test_a_student_is_stored_with_its_picture_value_for_value(
    imported: WeightStore, models: Path
) -> None:
    weights = random_student()
    for network in StudentNetwork:
        stored = parse_tensors(imported.network_bytes(NAME, network))
        assert stored.keys() == weights[network].keys()
        for name, array in stored.items():
            assert np.array_equal(array, weights[network][name])
    picture = imported.student_picture(NAME)
    assert picture.read_bytes() == (models / "My_OC" / "character.png").read_bytes()
    assert all(not check.problem for check in imported.verify(NAME))


def test_a_student_is_listed_and_no_variant_of_tha3(imported: WeightStore) -> None:
    (row,) = [row for row in imported.status() if row.name == NAME]
    assert (row.state, row.license) == (EntryState.READY, "not stated")
    assert imported.is_student(NAME)
    with pytest.raises(WeightsError, match="no networks of a known variant"):
        imported.variant(NAME)


@pytest.mark.parametrize("name", ["tha3-separable-float", "absent", "../x", "me.png", ""])
def test_nothing_else_is_taken_for_a_student(imported: WeightStore, name: str) -> None:
    assert not imported.is_student(name)


def test_naming_a_student_as_picture_or_weights_chooses_both(
    imported: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(imported.root))
    assert matched("Tha4-My-OC", "tha3-separable-float") == (NAME, NAME)
    assert matched("me.png", NAME) == (NAME, NAME)
    assert matched("me.png", "tha3-separable-float") == ("me.png", "tha3-separable-float")
    config = with_character(
        Config(avatar=AvatarSettings(picture=NAME, fps=12), render=RenderSettings(size=256))
    )
    assert (config.avatar.picture, config.avatar.fps) == (NAME, 12)
    assert (config.render.weights, config.render.size) == (NAME, 256)
    assert np.array_equal(open_picture(config.avatar.picture).rgba, figure())


def test_one_name_does_not_fit_several_students(models: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="several students"):
        import_weights(WeightStore(tmp_path / "store"), models, "one")


def test_a_hostile_file_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = write_student(tmp_path / "hostile")
    canary = tmp_path / "canary"
    torch.save({"siren.last_linear.bias": Deed(canary)}, folder / "face_morpher.pt")
    store = WeightStore(tmp_path / "store")
    with pytest.raises(WeightsError, match=r"face_morpher\.pt: refused, not a plain state dict"):
        import_weights(store, folder)
    assert not canary.exists()
    assert not store.is_student("tha4-hostile")


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (MODEL.replace("character.png", "../secret.png"), "put that file beside it"),
        (MODEL.replace("character.png", "/etc/passwd"), "put that file beside it"),
        (MODEL.replace("character.png", r"C:\secret.png"), "put that file beside it"),
        (MODEL.replace("character.png", "absent.png"), "is not in its folder"),
        (MODEL.replace("face_morpher_file_name", "face"), "does not say face_morpher_file_name"),
        ("", "does not say character_image_file_name, face_morpher_file_name"),
        ("x" * 100_000, "cannot be read"),
    ],
)
def test_a_model_file_that_names_anything_else_is_refused(
    tmp_path: Path, model: str, why: str
) -> None:
    folder = write_student(tmp_path / "models" / "odd", model)
    (tmp_path / "models" / "secret.png").write_bytes((folder / "character.png").read_bytes())
    with pytest.raises(WeightsError, match=why):
        import_weights(WeightStore(tmp_path / "store"), folder)


def test_a_link_in_place_of_a_network_is_refused(tmp_path: Path) -> None:
    folder = write_student(tmp_path / "linked")
    target = tmp_path / "elsewhere.pt"
    (folder / "face_morpher.pt").rename(target)
    (folder / "face_morpher.pt").symlink_to(target)
    with pytest.raises(WeightsError, match="not a regular file"):
        import_weights(WeightStore(tmp_path / "store"), folder)


def test_a_student_cannot_take_the_name_of_published_weights(models: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="the name of published weights"):
        import_weights(WeightStore(tmp_path / "store"), models / "My_OC", "tha3-standard-float")


def test_a_damaged_picture_is_noticed(models: Path, tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "store")
    model = models / "My_OC" / "character_model.yaml"
    assert import_weights(store, model, "mine").imported == ("mine",)
    picture = store.student_picture("mine")
    content = bytearray(picture.read_bytes())
    content[-1] ^= 1
    picture.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged"):
        store.student_picture("mine")
    assert any(check.problem for check in store.verify("mine"))
