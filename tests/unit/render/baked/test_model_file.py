"""A model's file: whole, its own, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.numpy import save

from tests.support.baking import manifest_of, picture_of
from vtbridge.errors import WeightsError
from vtbridge.render.baked import model_file
from vtbridge.render.baked.model_file import (
    MAX_FILE_BYTES,
    BakedManifest,
    read_manifest,
    read_model,
    write_model,
)

TENSORS: dict[str, NDArray[Any]] = {
    "body.basis": np.arange(12, dtype=np.float16).reshape(3, 4),
    "face.neutral": np.arange(6, dtype=np.uint8),
    "face.bias": np.array([0.5, -1.0], np.float32),
}
ABOUT = manifest_of(picture_of())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "baked.safetensors"
    write_model(path, ABOUT, TENSORS)
    return path


def changed(path: Path, **changes: Any) -> None:
    """Write the file anew with another manifest around the same tensors."""
    about = json.loads(read_manifest(path).model_dump_json())
    path.write_bytes(save(TENSORS, metadata={"vtbridge": json.dumps({**about, **changes})}))


def test_what_was_written_is_read(path: Path) -> None:
    model = read_model(path)
    assert model.manifest.model_copy(update={"sha256": ""}) == ABOUT
    assert set(model.tensors) == set(TENSORS)
    for name, array in TENSORS.items():
        assert model.tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(model.tensors[name], array)
        assert not model.tensors[name].flags.writeable
    assert set(model.part("face")) == {"face.neutral", "face.bias"}
    assert read_manifest(path) == model.manifest


def test_it_is_written_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_model(path, ABOUT, {"body.basis": np.ones(3, np.float32)})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_model_too_large_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="25000000 are the most"):
        write_model(tmp_path / "m", ABOUT, {"body.x": np.zeros(MAX_FILE_BYTES, np.uint8)})
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_of_no_part_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no known part: hair\.x"):
        write_model(tmp_path / "m", ABOUT, {"hair.x": np.zeros(1, np.uint8)})


def test_any_flipped_byte_is_found(path: Path) -> None:
    whole = path.read_bytes()
    places = {*range(0, 40), *range(len(whole) - 40, len(whole)), *range(40, len(whole), 29)}
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= 0x01
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="vtbridge character bake"):
            read_model(path)


@pytest.mark.parametrize("length", [0, 7, 8, 100, -1])
def test_a_file_cut_off_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match="vtbridge character bake"):
        read_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 64,
        (2).to_bytes(8, "little") + b"[]",
        (1 << 40).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        save({"body.x": np.zeros(1, np.float32)}),
        save({"body.x": np.zeros(1, np.float32)}, metadata={"vtbridge": "[1]"}),
        save({"body.x": np.zeros(1, np.float32)}, metadata={"vtbridge": "[" * 100_000}),
    ],
)
def test_what_is_no_model_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for read in (read_model, read_manifest):
        with pytest.raises(WeightsError, match="vtbridge character bake"):
            read(path)


def test_a_model_of_another_format_is_told_as_such(path: Path) -> None:
    changed(path, format=2)
    with pytest.raises(WeightsError, match=r"has format 2, this vtbridge reads 1"):
        read_model(path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"psnr_db": "good"}, "psnr_db"),
        ({"picture_sha256": "../../etc"}, "picture_sha256"),
        ({"baked_s": 1e300}, "baked_s"),
        ({"more": 1}, "more"),
        ({"body_samples": -1}, "body_samples"),
    ],
)
def test_a_manifest_with_something_wrong_names_it(
    path: Path, changes: dict[str, Any], complaint: str
) -> None:
    changed(path, **changes)
    with pytest.raises(WeightsError, match=complaint):
        read_model(path)


def test_tensors_of_another_program_are_refused(path: Path) -> None:
    about = read_manifest(path).model_dump_json()
    path.write_bytes(save({"layer.0": np.zeros(1, np.float32)}, metadata={"vtbridge": about}))
    with pytest.raises(WeightsError, match="another program"):
        read_model(path)


def test_a_missing_model_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model at .*m: make it with `vtbridge character"):
        read_model(tmp_path / "m")


def test_a_file_larger_than_any_model_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "MAX_FILE_BYTES", 100)
    with pytest.raises(WeightsError, match="larger than 100 bytes"):
        read_model(path)


def test_numbers_that_are_not_finite_make_no_manifest() -> None:
    with pytest.raises(ValidationError):
        BakedManifest.model_validate({**ABOUT.model_dump(), "psnr_db": float("nan")})
