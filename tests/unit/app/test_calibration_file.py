"""Neutral faces come back in the next run, each person's own."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from vtbridge.app.calibration_file import calibration_path, load_calibration, save_calibration
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings

NEUTRAL = {"head_rad": [0.1, 0.0, 0.0], "iris": [0.0, 0.1], "rest": {"jawOpen": 0.1}}
SAVED = {"version": 2, "trackers": {"vmc": NEUTRAL, "webcam": NEUTRAL}}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for the user's state in this test."""
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *_, **__: str(tmp_path))
    return tmp_path


def retargeter(saved: object = None) -> Retargeter:
    made = Retargeter(RetargetSettings())
    if saved is not None:
        made.load_calibration(saved)
    return made


def test_all_trackers_of_a_person_come_back_from_one_file() -> None:
    save_calibration(retargeter(SAVED), "Ann B")
    back = retargeter()
    load_calibration(back, "Ann B")
    assert back.save_calibration() == SAVED


def test_another_person_starts_uncalibrated() -> None:
    save_calibration(retargeter(SAVED), "Ann")
    back = retargeter()
    load_calibration(back, "Bob")
    assert not back.calibrated


def test_nothing_calibrated_writes_nothing() -> None:
    save_calibration(retargeter(), "Ann")
    assert not calibration_path("Ann").exists()


def test_the_neutral_face_once_kept_for_an_avatar_is_read_until_there_is_a_newer(
    state: Path,
) -> None:
    (state / "vtbridge.calibration.json").write_text(json.dumps(NEUTRAL))
    back = retargeter()
    load_calibration(back, "default", avatar="vtbridge")
    assert back.save_calibration() == {"version": 2, "trackers": {"*": NEUTRAL}}
    save_calibration(retargeter(SAVED), "default")
    load_calibration(back, "default", avatar="vtbridge")
    assert back.save_calibration() == SAVED


@pytest.mark.parametrize(
    "content", [b"{", b"[1]", b'{"version": 9}', b"\xff\xfe", b"null", b"[" * 100_000]
)
def test_a_damaged_file_is_told_and_costs_only_the_calibration(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = calibration_path("Ann")
    path.parent.mkdir()
    path.write_bytes(content)
    back = retargeter(SAVED)
    with caplog.at_level(logging.WARNING):
        load_calibration(back, "Ann")
    assert "calibrate again" in caplog.text
    assert str(path) in caplog.text
    assert back.save_calibration() == SAVED


def test_a_folder_that_cannot_be_written_is_told(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (state / "people").write_text("a file where the folder should be")
    save_calibration(retargeter(SAVED), "Ann")
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("person", ["", "../x", "a/b", ".hidden", "x" * 41, "a\n"])
def test_names_that_could_leave_the_folder_are_refused(person: str) -> None:
    with pytest.raises(ValueError, match="person"):
        RetargetSettings.model_validate({"calibration": {"person": person}})
    RetargetSettings.model_validate({"calibration": {"person": "Ann-Marie 2"}})
