"""Voices that nobody synthesised here, a microphone that PortAudio really opens, the daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import find_peaks  # type: ignore[import-untyped]  # scipy ships no types

from tests.conftest import REPOSITORY
from tests.support.cli import run_isolated
from tests.support.daemon import run_vtbridge, running, wait_until
from tests.support.voices import PHONEMES, silence, speak, synthetic_vowel, write_wav
from vtbridge.clock import ManualClock
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.pose_params import PoseParam
from vtbridge.publish.vtbf import FrameReader
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.microphone.sound import SoundBlock
from vtbridge.tracking.microphone.sound_file import blocks_of_file, read_sound
from vtbridge.tracking.microphone.source import MicrophoneSource
from vtbridge.tracking.microphone.voice import Voice
from vtbridge.tracking.microphone.vowels import Vowel, VowelProfile
from vtbridge.tracking.settings import MicrophoneSettings, MouthShapes

VOICES = ("en-us+f2", "de+m3", "es+f3")
MOUTH_PARAMS = (
    PoseParam.MOUTH_AAA,
    PoseParam.MOUTH_III,
    PoseParam.MOUTH_UUU,
    PoseParam.MOUTH_EEE,
    PoseParam.MOUTH_OOO,
)
MOUTH = np.s_[163:188, 240:272]
"""Where the built-in character's mouth is, in every pose without a turned head."""
MANY_PIXELS = 60
"""An A said wide changes 108."""


def calibrated(folder: Path, voice: str) -> VowelProfile:
    """Calibrate with ``voice`` as a user would, and return what was saved."""
    recordings: list[str] = []
    for vowel, phoneme in PHONEMES.items():
        path = folder / f"{vowel.name}.wav"
        speak(path, f"[[{phoneme}]]", voice=voice, speed=80)
        recordings += ["--wav", f"{vowel.name}={path}"]
    result = run_isolated(folder, "calibrate", "--vowels", *recordings)
    assert result.returncode == 0, result.stderr
    assert "told apart:" in result.stderr
    saved = folder / "state" / "vtbridge" / "vowels.json"
    return VowelProfile.from_dict(json.loads(saved.read_text("utf-8")))


def faces_of(path: Path, voice: Voice) -> list[FaceFrame]:
    """Return what ``voice`` makes of a file, without waiting for its pace."""
    return [
        voice.hear(SoundBlock(samples, 20_000_000 * number))
        for number, samples in enumerate(blocks_of_file(path), 1)
    ]


@pytest.mark.parametrize("voice", VOICES)
def test_calibrated_voice_is_recognised_at_another_speed_and_pitch(
    tmp_path: Path, voice: str
) -> None:
    profile = calibrated(tmp_path, voice)
    settings = MicrophoneSettings(shapes=MouthShapes.VOWELS)
    for speed, pitch in ((150, 50), (110, 62)):
        right = spoken = 0
        for vowel, phoneme in PHONEMES.items():
            path = speak(
                tmp_path / "said.wav", f"[[{phoneme}]]", voice=voice, speed=speed, pitch=pitch
            )
            said = [
                face.presets
                for face in faces_of(path, Voice(settings, "", profile))
                if sum(face.presets.values()) > 0.2
            ]
            assert said, f"{vowel.name} is heard"
            spoken += len(said)
            right += sum(max(presets, key=presets.__getitem__) == vowel for presets in said)
        assert right / spoken >= 0.8, f"at speed {speed}, pitch {pitch}"


@pytest.mark.parametrize("voice", VOICES)
def test_mouth_opens_once_for_every_word(tmp_path: Path, voice: str) -> None:
    path = speak(tmp_path / "count.wav", "ta, ta, ta, ta", voice=voice, speed=140)
    faces = faces_of(path, Voice(MicrophoneSettings(), "", None))
    opening = np.array([face.presets["aa"] for face in faces])
    peaks, _ = find_peaks(np.pad(opening, 1), prominence=0.4)
    assert len(peaks) == 4
    loudness = np.abs(np.concatenate(list(read_sound(path))))[: len(faces) * 320]
    envelope = loudness.reshape(-1, 320).max(axis=1)
    assert np.corrcoef(envelope, opening)[0, 1] > 0.7


def test_spoken_file_moves_the_characters_mouth_and_silence_closes_it(tmp_path: Path) -> None:
    spoken = np.concatenate(
        list(read_sound(speak(tmp_path / "o.wav", "[[o:]]", voice="en-us+f2", speed=80)))
    )
    said = spoken[np.abs(spoken).cumsum() > 0]
    path = write_wav(tmp_path / "o_and_silence.wav", np.concatenate((said, silence(1.5))))
    retargeter = Retargeter(RetargetSettings())
    openings: list[float] = []

    def take(face: FaceFrame) -> None:
        retargeter.feed(face)
        values = retargeter.pose_at(face.t_ns).values
        openings.append(float(sum(values[param] for param in MOUTH_PARAMS)))
        if face.t_ns > 60_000_000_000 or len(openings) * 320 > len(said) + 1.4 * 16_000:
            source.stopping.set()

    settings = MicrophoneSettings(device=str(path))
    source = MicrophoneSource(settings, take, Telemetry(), ManualClock())
    source.serve()
    assert max(openings) > 0.7
    assert openings[-1] < 0.02


ASOUND = """
pcm.null {{ type null }}
pcm.voice {{
  type file
  slave.pcm "null"
  file "/dev/null"
  infile "{sound}"
  format raw
  hint {{ show on description "A voice" }}
}}
pcm.!default {{ type plug slave.pcm "voice" hint {{ show on description "Default" }} }}
"""
LISTEN = """
import json, sys, time
from vtbridge.clock import MonotonicClock
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.microphone.source import MicrophoneSource
from vtbridge.tracking.settings import MicrophoneSettings

faces = []
settings = MicrophoneSettings(device=sys.argv[1])
source = MicrophoneSource(settings, faces.append, Telemetry(), MonotonicClock())
source.start()
deadline = time.monotonic() + 30
while not any(face.presets["aa"] > 0.9 for face in list(faces)) and time.monotonic() < deadline:
    time.sleep(0.01)
status = source.status()
stopped = source.stop()
widest = max(face.presets["aa"] for face in faces)
json.dump([len(faces), widest, status.place, stopped], sys.stdout)
"""


@pytest.mark.parametrize("device", ["", "voice"])
def test_microphone_of_alsa_is_opened_and_heard(tmp_path: Path, device: str) -> None:
    sound = tmp_path / "voice.raw"
    # The device of a file gives it as fast as it is read: one vowel, the same everywhere.
    np.repeat(synthetic_vowel(Vowel.A, 120.0), 2).tofile(sound)
    config = tmp_path / "asound.conf"
    config.write_text(ASOUND.format(sound=sound), "utf-8")
    result = subprocess.run(
        [sys.executable, "-c", LISTEN, device],
        capture_output=True,
        text=True,
        env={**os.environ, "ALSA_CONFIG_PATH": str(config)},
        cwd=REPOSITORY,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    faces, widest, place, stopped = json.loads(result.stdout)
    assert faces >= 1
    assert widest > 0.9
    assert place == (device or "default")
    assert stopped


def test_computer_without_a_microphone_is_told_so(tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    config.write_text("pcm.gone { type plug slave.pcm nothing }\n", "utf-8")
    result = run_vtbridge(tmp_path, "calibrate", "--vowels", ALSA_CONFIG_PATH=str(config))
    assert result.returncode == 1
    assert "the system's default microphone cannot be opened" in result.stderr
    assert "no microphone is plugged in" in result.stderr


STILL = """
[idle]
sway = 0.0
gaze_shift = 0.0
breathing_depth = 0.0
"""


def test_voice_moves_the_mouth_of_a_running_avatar(tmp_path: Path, prepared_michi: Path) -> None:
    sound = np.concatenate((synthetic_vowel(Vowel.A, 4.0), silence(4.0)))
    path = write_wav(tmp_path / "voice.wav", sound)
    microphone = f'[tracking.microphone]\nenabled = true\ndevice = "{path}"\n'
    frames: list[U8Array] = []
    with (
        running(
            tmp_path, "run", fps=10.0, extra=STILL + microphone, package=prepared_michi
        ) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):

        def mouth_moved() -> bool:
            received = reader.read_newer(0, timeout_s=5)
            if received is not None:
                frames.append(received.rgba[MOUTH].copy())
            return changed_pixels(frames[0], frames[-1]) > MANY_PIXELS

        wait_until(mouth_moved, 60, "the mouth opens or closes")
        first, moved = frames[0], frames[-1]

        def mouth_came_back() -> bool:
            received = reader.read_newer(0, timeout_s=5)
            return received is not None and (
                changed_pixels(moved, received.rgba[MOUTH]) > MANY_PIXELS
                and changed_pixels(first, received.rgba[MOUTH]) < MANY_PIXELS / 4
            )

        wait_until(mouth_came_back, 60, "the mouth goes back")


def changed_pixels(before: U8Array, after: U8Array) -> int:
    return int((np.abs(before.astype(int) - after).max(axis=-1) > 24).sum())
