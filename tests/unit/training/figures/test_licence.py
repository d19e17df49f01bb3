from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.training.figures.licence import MAX_CHARACTERS, decoded, licence_of

TERMS = "改変・再配布は自由です。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_terms_are_read_in_what_people_write_them_in(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "りどみ.txt").write_bytes(TERMS.encode(encoding))
    assert licence_of([], tmp_path / "a.pmx") == f"りどみ.txt:\n{TERMS}"


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_cut_through_a_character_leaves_utf_8(cut: int) -> None:
    assert decoded(TERMS.encode()[:-cut]).startswith(TERMS[:-2])


def test_the_files_own_terms_come_first_then_readmes_then_others(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("three", encoding="utf-8")
    (tmp_path / "README.TXT").write_text("two", encoding="utf-8")
    (tmp_path / "b.md").write_text("nothing", encoding="utf-8")
    found = licence_of(["one", " "], tmp_path / "a.pmx")
    assert found == "one\n\nREADME.TXT:\ntwo\n\na.txt:\nthree"


def test_long_terms_are_cut(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x" * 100_000, encoding="utf-8")
    assert len(licence_of([], tmp_path / "a.pmx")) == MAX_CHARACTERS


def test_a_link_is_no_readme(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "readme.txt").symlink_to(tmp_path / "secret")
    assert licence_of([], tmp_path / "a.pmx") == ""
