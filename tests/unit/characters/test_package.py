"""A character's folder: its picture as it was given, and what to call it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbridge.characters import (
    BUILTIN,
    find_picture,
    is_package,
    load_from_folder,
    load_picture,
    picture_in,
    write_package,
)
from vtbridge.errors import PictureError

MICHI = BUILTIN["michi"]


def test_a_package_keeps_the_drawing_byte_for_byte_and_what_to_show_with_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "me"
    made = write_package(folder, MICHI, name="Michi", credit="(c) somebody")
    assert (folder / "picture.png").read_bytes() == MICHI.read_bytes()
    assert is_package(folder)
    found = find_picture(str(folder))
    assert (found.name, found.credit) == ("Michi", "(c) somebody")
    assert found.digest == made.digest == load_picture(MICHI).digest


def test_another_kind_of_picture_is_kept_as_png_without_loss(tmp_path: Path) -> None:
    drawing = tmp_path / "me.webp"
    Image.open(MICHI).convert("RGBA").save(drawing, lossless=True, exact=True)
    made = write_package(tmp_path / "me", drawing)
    assert made.digest == load_picture(drawing).digest
    with Image.open(tmp_path / "me" / "picture.png") as kept:
        assert kept.format == "PNG"


def test_a_package_without_a_record_is_called_as_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "me"
    write_package(folder, MICHI)
    (folder / "character.json").unlink()
    assert load_from_folder(folder).name == "me"


def test_a_picture_put_in_place_of_another_is_the_packages_then(tmp_path: Path) -> None:
    before = write_package(tmp_path / "me", MICHI, name="me")
    rgba = np.array(Image.open(MICHI).convert("RGBA"))
    rgba[..., 0] //= 2
    Image.fromarray(rgba).save(tmp_path / "other.png")
    after = write_package(tmp_path / "me", tmp_path / "other.png", name="me")
    assert after.digest != before.digest
    assert load_from_folder(tmp_path / "me").digest == after.digest


def test_a_folder_of_other_things_is_not_made_a_package(tmp_path: Path) -> None:
    (tmp_path / "taxes.ods").write_bytes(b"")
    with pytest.raises(PictureError, match="holds other files"):
        write_package(tmp_path, MICHI)
    assert [path.name for path in tmp_path.iterdir()] == ["taxes.ods"]


def test_a_picture_that_cannot_be_posed_changes_nothing(tmp_path: Path) -> None:
    opaque = tmp_path / "opaque.png"
    Image.new("RGB", (512, 512), "red").save(opaque)
    with pytest.raises(PictureError):
        write_package(tmp_path / "me", opaque)
    assert not (tmp_path / "me").exists()


def test_any_other_folder_stands_for_its_only_picture(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(MICHI.read_bytes())
    assert picture_in(tmp_path) == tmp_path / "one.png"
    assert find_picture(str(tmp_path)).name == "one.png"
    (tmp_path / "two.png").write_bytes(MICHI.read_bytes())
    with pytest.raises(PictureError, match=r"must hold one picture, not one\.png, two\.png"):
        find_picture(str(tmp_path))
    # A package's own picture is the one, whatever else lies beside it.
    (tmp_path / "picture.png").write_bytes(MICHI.read_bytes())
    assert picture_in(tmp_path) == tmp_path / "picture.png"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"name": 3}', b'{"name": "a\\u0007"}', b'{"more": 1}', b" " * 70_000],
)
def test_a_damaged_record_is_told_with_its_remedy(tmp_path: Path, content: bytes) -> None:
    write_package(tmp_path / "me", MICHI)
    (tmp_path / "me" / "character.json").write_bytes(content)
    with pytest.raises(PictureError, match=r"character\.json .*: delete it"):
        load_from_folder(tmp_path / "me")
