"""Hostile archives are refused before a byte leaves them."""

from __future__ import annotations

import stat
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.weights import sha256
from vtbridge.errors import WeightsError
from vtbridge.render.weights.archive import (
    MAX_ARCHIVE_MEMBERS,
    copy_bounded,
    copy_member,
    open_archive,
)

LIMIT = 1 << 16


def zipped(path: Path, *members: str | zipfile.ZipInfo, content: bytes = b"x" * 100) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, content)
    return path


def test_member_arrives_whole(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "models/", "models/editor.pt", content=b"weights" * 999)
    reached: list[int] = []
    with open_archive(path) as archive:
        target = tmp_path / "editor.pt"
        copied = copy_member(
            archive, "models/editor.pt", target, limit=LIMIT, advanced=reached.append
        )
    assert target.read_bytes() == b"weights" * 999
    assert (copied.size, copied.sha256) == (6993, sha256(target.read_bytes()))
    assert reached == [6993]


@pytest.mark.parametrize(
    "name", ["../editor.pt", "models/../../editor.pt", "/etc/editor.pt", "C:/editor.pt"]
)
def test_member_that_leads_outside_refuses_the_archive(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", "models/face_morpher.pt", name)
    with pytest.raises(WeightsError, match="leads outside"), open_archive(path):
        pytest.fail("it was opened")


def test_backslashes_refuse_the_archive(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("harmless")
    info.filename = "..\\editor.pt"
    path = zipped(tmp_path / "a.zip", info)
    with pytest.raises(WeightsError, match="leads outside"), open_archive(path):
        pytest.fail("it was opened")


def test_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("editor.pt")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "a.zip", info, content=b"/etc/passwd")
    target = tmp_path / "out"
    with (
        open_archive(path) as archive,
        pytest.raises(
            WeightsError,
            match=r"a\.zip: editor\.pt is refused, not a regular file: download it again",
        ),
    ):
        copy_member(archive, "editor.pt", target, limit=LIMIT)
    assert not target.exists()


def test_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "editor.pt", content=bytes(LIMIT + 1))
    assert path.stat().st_size < 1000
    with (
        open_archive(path) as archive,
        pytest.raises(WeightsError, match=f"{LIMIT + 1} bytes.*download it again"),
    ):
        copy_member(archive, "editor.pt", tmp_path / "out", limit=LIMIT)


def test_bomb_with_a_lying_header_writes_no_more_than_the_limit(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "editor.pt", content=bytes(50 * LIMIT))
    content = path.read_bytes()
    honest = (50 * LIMIT).to_bytes(4, "little")
    assert content.count(honest) == 2
    path.write_bytes(content.replace(honest, (100).to_bytes(4, "little")))
    target = tmp_path / "out"
    with open_archive(path) as archive, pytest.raises(WeightsError):
        copy_member(archive, "editor.pt", target, limit=LIMIT)
    assert not target.exists()


def test_stream_above_the_limit_is_refused_and_removed(tmp_path: Path) -> None:
    target = tmp_path / "out"
    copied = copy_bounded(BytesIO(bytes(LIMIT)), target, limit=LIMIT, where="here")
    assert copied.size == LIMIT
    with pytest.raises(WeightsError, match="here is refused"):
        copy_bounded(BytesIO(bytes(LIMIT + 1)), target, limit=LIMIT, where="here")
    assert not target.exists()


def test_second_member_of_the_same_name_refuses_the_archive(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "a.zip", "editor.pt", "editor.pt")
    with pytest.raises(WeightsError, match="twice"), open_archive(path):
        pytest.fail("it was opened")


def test_too_many_members_refuse_the_archive(tmp_path: Path) -> None:
    names = (str(number) for number in range(MAX_ARCHIVE_MEMBERS + 1))
    path = zipped(tmp_path / "a.zip", *names, content=b"")
    with pytest.raises(WeightsError, match="members"), open_archive(path):
        pytest.fail("it was opened")


def test_encrypted_member_refuses_the_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "editor.pt")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="encrypted"), open_archive(path):
        pytest.fail("it was opened")


def test_flipped_bit_inside_a_member_is_found(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "editor.pt", content=b"weights" * 999)
    content = bytearray(path.read_bytes())
    content[60] ^= 4
    path.write_bytes(content)
    with (
        open_archive(path) as archive,
        pytest.raises(WeightsError, match=r"editor\.pt is damaged.*download it again"),
    ):
        copy_member(archive, "editor.pt", tmp_path / "out", limit=LIMIT)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(18) + b"x", b"not a zip" * 99])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.zip"), open_archive(path) as archive:
        copy_member(archive, "editor.pt", tmp_path / "out", limit=LIMIT)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_damage_is_named_whatever_packed_the_member(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.bin", b"red " * 500)
    whole = path.read_bytes()
    head, out = 30 + len("a.bin"), tmp_path / "out"
    refusals = []
    for place in range(head, head + 12):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            with open_archive(path) as archive:
                copy_member(archive, "a.bin", out, limit=10_000)
        except WeightsError as error:
            refusals.append(str(error))
            assert not out.exists()
        else:  # a byte that means nothing, such as that of the packer's version
            assert out.read_bytes() == b"red " * 500
            out.unlink()
    assert len(refusals) > 5
    assert all("a.bin is damaged" in refusal for refusal in refusals)


def test_member_that_is_said_to_lie_before_the_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.bin", b"red " * 50)
    whole = path.read_bytes()
    path.write_bytes(whole[100:])
    with pytest.raises(WeightsError, match=r"a\.bin is damaged"), open_archive(path) as archive:
        copy_member(archive, "a.bin", tmp_path / "out", limit=10_000)


def test_member_without_a_name_refuses_the_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "x")
    whole = path.read_bytes()
    entry = whole.rindex(b"PK\1\2")
    unnamed = bytearray(whole)
    unnamed[entry + 28] = 0  # its length
    unnamed[entry + 32] = 1  # what was the name is a comment then
    path.write_bytes(unnamed)
    with pytest.raises(WeightsError, match="without a name"), open_archive(path):
        pass
