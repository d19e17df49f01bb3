"""The doctor tries webcam, microphone and face model, as far as they are enabled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.small_videos import grey_picture, write_video
from tests.support.voices import synthetic_vowel, write_wav
from vtbridge.app import doctor
from vtbridge.app.doctor import examine
from vtbridge.app.finding import Finding, Verdict
from vtbridge.app.vowel_file import vowel_path
from vtbridge.config.schema import Config
from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone import portaudio
from vtbridge.tracking.microphone.sound import BLOCK_SAMPLES, SoundBlock
from vtbridge.tracking.microphone.vowels import Vowel
from vtbridge.tracking.webcam import camera


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave the checks of inputs, with a state folder and a weight store of their own."""
    names = ("face model", "webcam", "microphone", "vowels")
    checks = {name: doctor.CHECKS[name] for name in names}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "weights"))


def found(**tracking: Any) -> dict[str, Finding]:
    config = Config.model_validate({"tracking": tracking, "publish": {"name": "no-daemon"}})
    return {finding.check: finding for finding in examine(config)}


def test_what_is_off_is_not_looked_at() -> None:
    assert found() == {}


def test_missing_face_model_is_a_failure_with_its_remedy(tmp_path: Path) -> None:
    finding = found(webcam={"enabled": True, "device": str(tmp_path / "me.mp4")})["face model"]
    assert finding.verdict is Verdict.FAILURE
    assert "vtbridge weights pull face-landmarker" in finding.seen + finding.remedy


def test_video_file_is_opened(tmp_path: Path) -> None:
    path = write_video(tmp_path / "me.mp4", [grey_picture(index) for index in range(3)])
    good = found(webcam={"enabled": True, "device": str(path)})["webcam"]
    assert good.verdict is Verdict.OK
    assert "me.mp4" in good.seen
    absent = found(webcam={"enabled": True, "device": str(tmp_path / "no.mp4")})["webcam"]
    assert absent.verdict is Verdict.FAILURE
    assert "no.mp4" in absent.seen


class OneCamera:
    """A webcam that gives what it was given."""

    def __init__(self, picture: U8Array | None) -> None:
        self.picture = picture
        self.closed = 0

    def read(self) -> U8Array | None:
        return self.picture

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("picture", "verdict", "seen"),
    [
        (np.zeros((480, 640, 3), np.uint8), Verdict.OK, "640x480"),
        (None, Verdict.FAILURE, "no picture"),
    ],
)
def test_webcam_must_give_a_picture(
    monkeypatch: pytest.MonkeyPatch, picture: U8Array | None, verdict: Verdict, seen: str
) -> None:
    opened = OneCamera(picture)
    monkeypatch.setattr(camera, "open_camera", lambda *_: opened)
    finding = found(webcam={"enabled": True})["webcam"]
    assert finding.verdict is verdict
    assert seen in finding.seen
    assert opened.closed == 1


def test_webcam_is_left_to_the_daemon_that_films_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_daemon_pid", lambda config: 1)
    finding = found(webcam={"enabled": True})["webcam"]
    assert finding.verdict is Verdict.OK
    assert "running daemon" in finding.seen


def test_sound_file_is_read(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "me.wav", synthetic_vowel(Vowel.A, 0.2))
    assert found(microphone={"enabled": True, "device": str(path)})["microphone"].verdict == "ok"
    path.write_bytes(b"RIFF")
    finding = found(microphone={"enabled": True, "device": str(path)})["microphone"]
    assert finding.verdict is Verdict.FAILURE
    assert "me.wav" in finding.seen


def hears(
    device: object, clock: object, stopping: object, on_open: Callable[[str], object]
) -> Iterator[SoundBlock]:
    on_open("USB Mic")
    yield SoundBlock(np.zeros(BLOCK_SAMPLES, np.float32), 1)
    raise AssertionError("one block is enough")


def lacks_portaudio(*_: object) -> Iterator[SoundBlock]:
    raise VtbridgeError("the microphone needs PortAudio")


@pytest.mark.parametrize(
    ("recorded", "verdict", "seen"),
    [
        (hears, Verdict.OK, "USB Mic is heard"),
        (lacks_portaudio, Verdict.FAILURE, "needs PortAudio"),
    ],
)
def test_microphone_is_listened_to(
    monkeypatch: pytest.MonkeyPatch, recorded: object, verdict: Verdict, seen: str
) -> None:
    monkeypatch.setattr(portaudio, "recorded", recorded)
    finding = found(microphone={"enabled": True})["microphone"]
    assert finding.verdict is verdict
    assert seen in finding.seen


@pytest.mark.parametrize("shapes", ["loudness", "vowels"])
def test_vowels_are_missed_only_where_they_are_wanted(tmp_path: Path, shapes: str) -> None:
    wav = write_wav(tmp_path / "me.wav", synthetic_vowel(Vowel.A, 0.2))
    told = found(microphone={"enabled": True, "device": str(wav), "shapes": shapes})
    assert not vowel_path().exists()
    assert ("vowels" in told) is (shapes == "vowels")
    if shapes == "vowels":
        assert told["vowels"].verdict is Verdict.WARNING
        assert told["vowels"].remedy == "vtbridge calibrate --vowels"
