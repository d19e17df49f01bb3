from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbridge.errors import DatasetError
from vtbridge.training.figures.textures import (
    MAX_COUNT,
    MAX_SIDE,
    decode_texture,
    find_texture,
    read_textures,
)


def encoded(kind: str, size: tuple[int, int] = (4, 2), mode: str = "RGB") -> bytes:
    content = io.BytesIO()
    Image.new(mode, size, (200, 100, 50, 128)[: len(mode)]).save(content, format=kind)
    return content.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "model"
    (inside / "Tex" / "顔").mkdir(parents=True)
    (inside / "Tex" / "Face.PNG").write_bytes(encoded("PNG", mode="RGBA"))
    (inside / "Tex" / "顔" / "髪.bmp").write_bytes(encoded("BMP"))
    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    return inside


@pytest.mark.parametrize(
    "name",
    ["Tex/Face.PNG", "tex\\face.png", ".\\TEX\\FACE.PNG", "Tex\\\\Face.png", "tex/顔\\髪.BMP"],
)
def test_names_made_on_windows_are_found(folder: Path, name: str) -> None:
    found = find_texture(name, folder)
    assert found is not None
    assert found.is_file()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "..\\secret.png",
        "Tex\\..\\..\\secret.png",
        "/etc/hostname",
        "\\\\server\\share\\a.png",
        "C:\\a.png",
        "link.png",
        "Tex",
        "",
        "none.png",
        "a\0b.png",
        "x" * 5000,
        "a/" * 5000 + "b.png",
    ],
)
def test_nothing_outside_the_models_folder_is_read(folder: Path, name: str) -> None:
    assert find_texture(name, folder) is None


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TGA", "JPEG", "GIF", "WEBP"])
def test_the_formats_of_models_are_decoded(kind: str) -> None:
    texture = decode_texture(encoded(kind))
    assert texture is not None
    assert texture.shape == (2, 4, 4)
    np.testing.assert_allclose(texture[0, 0], (200, 100, 50, 255), atol=4)


def test_alpha_is_straight_and_left_out_where_it_means_nothing() -> None:
    texture = decode_texture(encoded("PNG", mode="RGBA"))
    opaque = decode_texture(encoded("PNG", mode="RGBA"), opaque=True)
    assert texture is not None
    assert opaque is not None
    assert texture[0, 0].tolist() == [200, 100, 50, 128]
    assert opaque[0, 0].tolist() == [200, 100, 50, 255]


def test_a_large_texture_is_made_smaller() -> None:
    texture = decode_texture(encoded("PNG", (2 * MAX_SIDE, MAX_SIDE)))
    assert texture is not None
    assert texture.shape == (MAX_SIDE // 2, MAX_SIDE, 4)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", encoded("PNG")[:50], encoded("PNG", (9000, 1)), b"BM" * 40],
)
def test_what_cannot_be_decoded_is_missing(content: bytes) -> None:
    assert decode_texture(content) is None


def test_missing_textures_leave_the_others_in_place(folder: Path) -> None:
    none, face, same = read_textures(["none.png", "Tex/Face.PNG", "Tex/Face.PNG"], folder)
    assert none is None
    assert face is not None
    assert same is face


def test_too_many_textures_are_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="more than 128"):
        read_textures([f"{i}.png" for i in range(MAX_COUNT + 1)], folder)
