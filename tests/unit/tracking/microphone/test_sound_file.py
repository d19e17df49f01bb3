from __future__ import annotations

import math
import threading
import wave
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.voices import silence, synthetic_vowel, write_wav
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import F32Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.sound import BLOCK_SAMPLES
from vtbridge.tracking.microphone.sound_file import (
    blocks_of_file,
    is_sound_file,
    played,
    read_sound,
)
from vtbridge.tracking.microphone.vowels import Vowel


def rms_db(sound: F32Array) -> float:
    return 20 * math.log10(float(sound.std()))


@pytest.fixture
def vowel_wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "a.wav", synthetic_vowel(Vowel.A, 0.5))


def test_wav_comes_back(vowel_wav: Path) -> None:
    sound = np.concatenate(list(read_sound(vowel_wav)))
    np.testing.assert_allclose(sound, synthetic_vowel(Vowel.A, 0.5), atol=1e-4)


def test_stereo_of_another_rate_is_mixed_and_resampled(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000) * 0.5
    both = (np.stack((tone, tone), axis=1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(both.tobytes())
    sound = np.concatenate(list(blocks_of_file(path)))
    assert len(sound) == 16_000
    assert rms_db(sound) == pytest.approx(-6.0, abs=0.2)  # two voices of -9 dB


def test_sound_of_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    vowel = (synthetic_vowel(Vowel.A, 0.5) * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(vowel[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    assert is_sound_file(str(path))
    assert rms_db(np.concatenate(list(read_sound(path)))) == pytest.approx(-20, abs=0.1)


def test_file_is_played_at_its_own_pace_and_again(vowel_wav: Path) -> None:
    clock = ManualClock(NS_PER_S)
    blocks = list(islice(played(vowel_wav, clock, threading.Event()), 60))
    assert [block.t_ns for block in blocks] == [
        NS_PER_S + 20_000_000 * number for number in range(1, 61)
    ]
    assert all(len(block.samples) == BLOCK_SAMPLES for block in blocks)
    np.testing.assert_array_equal(blocks[25].samples, blocks[0].samples)


def test_player_that_was_held_up_does_not_hurry_for_long(vowel_wav: Path) -> None:
    clock = ManualClock(NS_PER_S)
    blocks = played(vowel_wav, clock, threading.Event())
    next(blocks)
    clock.advance(60.0)
    times = [block.t_ns for block in islice(blocks, 50)]
    assert times.count(times[0]) <= 26
    assert times[-1] > times[0]


def test_player_stops_when_asked(vowel_wav: Path) -> None:
    stopping = threading.Event()
    blocks = played(vowel_wav, ManualClock(), stopping)
    next(blocks)
    stopping.set()
    assert list(blocks) == []


def test_file_shorter_than_a_block_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "click.wav", silence(0.01))
    with pytest.raises(VtbridgeError, match=r"click\.wav holds no sound"):
        next(played(path, ManualClock(), threading.Event()))


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"no sound at all" * 99])
def test_what_is_no_sound_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VtbridgeError, match=r"broken\.wav .*(check the path|holds no sound)"):
        list(read_sound(path))


def test_picture_has_no_sound(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(VtbridgeError, match="holds no sound"):
        list(read_sound(path))


@pytest.mark.parametrize(
    ("device", "is_file"),
    [(0, False), ("", False), ("USB Microphone", False), ("hw:1,0", False), ("missing.WAV", True)],
)
def test_files_are_told_from_microphones(device: int | str, is_file: bool) -> None:
    assert is_sound_file(device) is is_file
