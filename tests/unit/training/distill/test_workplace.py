"""Samples are used for the picture and the weights that they are of, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.errors import AlreadyBaking
from vtbridge.training.distill.workplace import Identity, Workplace

ONE = Identity(picture_sha256="1" * 64, weights="some", weights_sha256="2" * 64)


def begun(package: Path, identity: Identity = ONE) -> tuple[Workplace, str]:
    place = Workplace(package)
    with place.claimed():
        return place, place.begin(identity)


def test_the_first_time_there_is_nothing_to_tell(tmp_path: Path) -> None:
    place, reason = begun(tmp_path)
    assert reason == ""
    assert place.baked_s == 0
    assert place.body.is_dir()
    assert place.face.is_dir()


def test_what_is_of_the_same_stays_and_time_goes_on(tmp_path: Path) -> None:
    place, _ = begun(tmp_path)
    (place.body / "sample").touch()
    place.note(61.5)
    again, reason = begun(tmp_path)
    assert reason == ""
    assert again.baked_s == 61.5
    assert (again.body / "sample").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"picture_sha256": "3" * 64}, "the picture has changed"),
        ({"weights": "others"}, "the weights are others now, and were some"),
        ({"weights_sha256": "3" * 64}, "the weights some have changed"),
    ],
)
def test_what_is_of_another_is_cleared_away_and_told(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    place, _ = begun(tmp_path)
    (place.body / "sample").touch()
    place.held_out.touch()
    place.note(61.5)
    again, told = begun(tmp_path, ONE.model_copy(update=changes))
    assert told == reason
    assert again.baked_s == 0
    assert not (again.body / "sample").exists()
    assert not again.held_out.exists()


def test_nothing_outside_the_folder_is_cleared_away_through_a_link(tmp_path: Path) -> None:
    place, _ = begun(tmp_path / "me")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").touch()
    (place.folder / "link").symlink_to(tmp_path / "mine")
    begun(tmp_path / "me", ONE.model_copy(update={"weights": "others"}))
    assert (tmp_path / "mine" / "kept").exists()
    assert not (place.folder / "link").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"baked_s": -1}', b'{"baked_s": 1e999}'])
def test_a_damaged_clock_begins_at_nothing_and_samples_stay(tmp_path: Path, content: bytes) -> None:
    place, _ = begun(tmp_path)
    (place.body / "sample").touch()
    (place.folder / "clock.json").write_bytes(content)
    again, _ = begun(tmp_path)
    assert again.baked_s == 0
    assert (again.body / "sample").exists()


def test_folders_that_were_deleted_are_made_again(tmp_path: Path) -> None:
    place, _ = begun(tmp_path)
    place.body.rmdir()
    place.face.rmdir()
    again, _ = begun(tmp_path)
    assert again.body.is_dir()
    assert again.face.is_dir()


def test_one_at_a_time(tmp_path: Path) -> None:
    with (
        Workplace(tmp_path).claimed(),
        pytest.raises(AlreadyBaking, match=r"another vtbridge \(pid \d+\) is baking"),
        Workplace(tmp_path).claimed(),
    ):
        pass
    with Workplace(tmp_path).claimed():
        pass
