"""Writing is all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtbridge.render.weights.record import read_bounded, read_record, write_atomically


def test_interrupted_write_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old")

    def interrupt(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_absent_record_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4"):
        read_bounded(path, 4)
