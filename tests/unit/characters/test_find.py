"""find_picture: names win over paths, and what is unknown is explained."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import skip_loudly
from vtbridge.characters import BUILTIN, CREDITS, MASCOT, find_picture, inspect_picture
from vtbridge.datatypes import U8Array
from vtbridge.errors import PictureError


@pytest.fixture
def file(character: U8Array, tmp_path: Path) -> Path:
    path = tmp_path / "mine.png"
    Image.fromarray(character, "RGBA").save(path)
    return path


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_builtin_character_fits_the_specification_without_a_finding(name: str) -> None:
    picture, findings = inspect_picture(BUILTIN[name])
    assert findings == []
    assert picture.rgba.shape == (512, 512, 4)
    assert not picture.rgba[picture.rgba[..., 3] == 0].any()
    assert find_picture(name).name == name


def test_builtin_characters_are_different_pictures_of_a_modest_size() -> None:
    assert len({find_picture(name).digest for name in BUILTIN}) == len(BUILTIN) == 5
    assert max(path.stat().st_size for path in BUILTIN.values()) <= 250_000


def test_larger_drawing_of_a_builtin_character_is_kept_for_large_output() -> None:
    original = find_picture("sumi").original
    assert original is not None
    assert original.shape == (1024, 1024, 4)


def test_every_builtin_character_has_a_credit() -> None:
    for name in BUILTIN:
        assert find_picture(name).credit == CREDITS[name] != ""


def test_fetched_character_is_found_with_its_credit(file: Path) -> None:
    picture = find_picture("lambda", extra={"lambda": file})
    assert picture.name == "lambda"
    assert "Pramook Khungurn" in picture.credit
    assert "CC BY-NC 4.0" in picture.credit


def test_case_of_a_name_does_not_matter() -> None:
    assert find_picture("Michi").digest == find_picture("michi").digest


def test_path_is_loaded(file: Path) -> None:
    assert find_picture(str(file)).name == "mine.png"


def test_name_wins_over_a_file_in_the_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.link(file, file.parent / MASCOT)
    monkeypatch.chdir(file.parent)
    assert find_picture(MASCOT).name == MASCOT
    assert find_picture(f"./{MASCOT}").digest == find_picture(str(file)).digest


def test_unknown_name_lists_the_known_ones(file: Path) -> None:
    with pytest.raises(PictureError, match=r"'lamda'.*mean 'lambda'.*lambda, michi"):
        find_picture("lamda", extra={"lambda": file})


def test_fetched_picture_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"'lambda' is missing at .*gone\.png"):
        find_picture("lambda", extra={"lambda": tmp_path / "gone.png"})


def test_missing_path_is_told_as_a_path() -> None:
    with pytest.raises(PictureError, match=r"absent\.png cannot be read"):
        find_picture("absent.png")


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_builtin_character_is_the_rendering_of_its_drawing(name: str) -> None:
    try:
        import resvg_py
    except ImportError:
        skip_loudly(f"resvg_py of the dev extra is not installed, so {name} cannot be drawn")
    drawing = BUILTIN[name].with_suffix(".svg")
    data = bytes(resvg_py.svg_to_bytes(svg_path=str(drawing), width=2048, height=2048))
    large = Image.open(io.BytesIO(data)).convert("RGBA")
    shipped = np.array(Image.open(BUILTIN[name]))
    side = len(shipped)
    rendered = np.array(large.resize((side, side), Image.Resampling.BOX)).astype(np.int64)
    rendered[rendered[..., 3] == 0] = 0
    difference = np.abs(rendered - shipped).max(axis=2)
    # Another version of the renderer may round an edge differently, but moves nothing.
    assert difference.mean() < 0.5, f"render {name}.svg again, see builtin/README.md"
    assert (difference > 32).mean() < 0.001
