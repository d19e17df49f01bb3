"""The files that ``vtbridge pose`` writes: there whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from vtbridge.cli.pose import check_targets, write_whole
from vtbridge.errors import ConfigError


@pytest.mark.parametrize(
    ("failure", "told"), [(OSError("disk full"), ConfigError), (KeyboardInterrupt(), None)]
)
def test_a_file_that_failed_leaves_nothing_behind(
    failure: BaseException, told: type[BaseException] | None, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"before")

    def write(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise failure

    with pytest.raises(told or type(failure)):
        write_whole(file, write)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert file.read_bytes() == b"before"


def test_a_folder_in_the_way_of_a_file_is_told_of_in_time(tmp_path: Path) -> None:
    (tmp_path / "a.npy").mkdir()
    check_targets([tmp_path / "a.png"], as_float=False)
    with pytest.raises(ConfigError, match=r"a\.npy is a folder"):
        check_targets([tmp_path / "a.png"], as_float=True)


def test_a_file_in_the_way_of_the_folder_is_told_of_in_time(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="out is a file"):
        check_targets([tmp_path / "out" / "0000.png"], as_float=False)
