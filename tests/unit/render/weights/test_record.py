"""What is recorded is read within limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.render.weights.record import read_bounded, read_record


def test_absent_record_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4"):
        read_bounded(path, 4)
