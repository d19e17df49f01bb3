"""``vtbridge calibrate --vowels`` on synthetic voices."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.support.voices import noise, silence, synthetic_vowel, write_wav
from vtbridge.app.vowel_file import load_vowels, vowel_path
from vtbridge.cli.calibrate import level_meter, listen_to_vowels
from vtbridge.cli.commands import app
from vtbridge.datatypes import F32Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.sound import BlockCutter, SoundBlock
from vtbridge.tracking.microphone.vowels import Vowel, VowelProfile, separation
from vtbridge.tracking.settings import MicrophoneSettings


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")


def wav_options(folder: Path, sounds: dict[Vowel, F32Array]) -> list[str]:
    options = []
    for vowel, sound in sounds.items():
        path = write_wav(folder / f"{vowel.name}.wav", sound)
        options += ["--wav", f"{vowel.name.lower()}={path}"]
    return options


def test_five_recordings_become_a_profile(tmp_path: Path) -> None:
    sounds = {vowel: synthetic_vowel(vowel, 1.0) for vowel in Vowel}
    result = CliRunner().invoke(app, ["calibrate", "--vowels", *wav_options(tmp_path, sounds)])
    assert result.exit_code == 0, result.output
    assert "told apart: 100%" in result.output
    assert 'shapes = "vowels"' in result.output
    assert load_vowels() is not None


def test_quiet_voice_is_told_what_to_set(tmp_path: Path) -> None:
    sounds = {vowel: synthetic_vowel(vowel, 1.0, level_db=-42) for vowel in Vowel}
    result = CliRunner().invoke(app, ["calibrate", "--vowels", *wav_options(tmp_path, sounds)])
    assert "loud_db = -42" in result.output
    assert "quiet_db = -67" in result.output


def test_same_sound_five_times_is_not_saved(tmp_path: Path) -> None:
    sounds = {vowel: synthetic_vowel(Vowel.A, 1.0, seed=n) for n, vowel in enumerate(Vowel)}
    result = CliRunner().invoke(app, ["calibrate", "--vowels", *wav_options(tmp_path, sounds)])
    assert isinstance(result.exception, VtbridgeError)
    assert "do not sound like five vowels" in str(result.exception)
    assert not vowel_path().exists()


def test_recording_of_silence_names_the_vowel(tmp_path: Path) -> None:
    sounds = {vowel: synthetic_vowel(vowel, 1.0) for vowel in Vowel} | {Vowel.U: silence(1.0)}
    result = CliRunner().invoke(app, ["calibrate", "--vowels", *wav_options(tmp_path, sounds)])
    assert isinstance(result.exception, VtbridgeError)
    assert "vowel U was heard for 0.0 s" in str(result.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vowels", "--wav", "a=x.wav"], "--wav is missing for I, U, E, O"),
        (["--vowels", "--wav", "y=x.wav"], "write it as a=FILE"),
        (["--vowels", "--wav", "a="], "write it as a=FILE"),
        (["--device", "1"], "--device and --wav belong to --vowels"),
        (["--wav", "a=x.wav"], "--device and --wav belong to --vowels"),
    ],
)
def test_wrong_options_are_explained(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["calibrate", *options])
    assert result.exit_code == 2
    assert message in result.output


def blocks_of(*sounds: F32Array) -> Iterator[SoundBlock]:
    for number, samples in enumerate(BlockCutter().cut(np.concatenate(sounds))):
        yield SoundBlock(samples, number * 20_000_000)


def test_vowels_are_asked_for_one_after_the_other() -> None:
    said = [sound for vowel in Vowel for sound in (noise(0.5, -60), synthetic_vowel(vowel, 2.3))]
    shown = StringIO()
    console = Console(file=shown, width=120, force_terminal=True)
    recordings = listen_to_vowels(blocks_of(*said), MicrophoneSettings(), console)
    samples = {vowel: recording.coefficients for vowel, recording in recordings.items()}
    assert all(len(heard) == 200 for heard in samples.values())
    assert separation(samples).recognised > 0.98
    profile = VowelProfile.from_samples(samples)
    for vowel, heard in samples.items():
        assert profile.nearest(heard.mean(axis=0)) is vowel
    for asked in ("A", "I", "U", "E", "O"):
        assert f"{asked}\x1b[0m as in" in shown.getvalue()


def test_vowel_that_never_comes_ends_the_calibration() -> None:
    with pytest.raises(VtbridgeError, match=r"no A was heard for 20 s, only -7\d dB"):
        listen_to_vowels(
            blocks_of(noise(30.0, -70)), MicrophoneSettings(), Console(file=StringIO())
        )


def test_meter_has_one_width() -> None:
    meters = [level_meter(db) for db in (-120.0, -70.0, -35.0, -20.0, 0.0, 6.0)]
    assert {len(meter) for meter in meters} == {28}
    assert [meter.count("▮") for meter in meters] == [0, 0, 10, 14, 20, 20]
