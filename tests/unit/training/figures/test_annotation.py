from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation, read_annotations, write_annotations

SAID = {
    "miku-1": Annotation(15.5, 18.25, {"mouth_aaa": ("あ２", "口"), "iris_small_left": ()}),
    "rin-2": Annotation(excluded=True, licence_ok=False),
}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.json", SAID)
    assert read_annotations(tmp_path / "a.json") == SAID


def test_japanese_names_stay_readable_in_an_editor(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.json", SAID)
    assert "あ２" in (tmp_path / "a.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ('{"version": 2}', "version"),
        ('{"version": 1, "figures": {"x": {"chin": 3}}}', "figures.x.chin"),
        ('{"version": 1, "figures": {"x": {"chin_y": 1e300}}}', "figures.x.chin_y"),
        ('{"version": 1, "figures": {"x": {"chin_y": 3, "top_y": 2}}}', "not below top_y"),
        ('{"version": 1, "figures": {"x": {"morphs": {"mouth_ah": []}}}}', "mouth_aaa"),
        ('{"version": 1, "figures": {"x": {"morphs": {"mouth_aaa": [""]}}}}', "mouth_aaa.0"),
    ],
)
def test_a_wrong_file_is_refused_by_where_it_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError) as refusal:
        read_annotations(path)
    assert told in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json cannot be read"):
        read_annotations(tmp_path / "none.json")


def test_a_failed_write_leaves_the_old_annotations(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_annotations(path, SAID)
    with pytest.raises(TypeError):
        write_annotations(path, {"x": Annotation(licence_ok=object())})  # type: ignore[arg-type]
    assert read_annotations(path) == SAID
