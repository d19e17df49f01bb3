"""Voices for the microphone: synthetic vowels, and those of espeak-ng."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
from scipy.signal import lfilter  # type: ignore[import-untyped]  # scipy ships no types

from tests.conftest import skip_loudly
from vtbridge.datatypes import F32Array
from vtbridge.tracking.microphone.sound import SAMPLE_RATE
from vtbridge.tracking.microphone.vowels import Vowel

# Mean formants of men, Hz (Peterson and Barney, JASA 24, 1952).
FORMANTS = {
    Vowel.A: (730, 1090, 2440),
    Vowel.I: (270, 2290, 3010),
    Vowel.U: (300, 870, 2240),
    Vowel.E: (530, 1840, 2480),
    Vowel.O: (570, 840, 2410),
}
PHONEMES = {Vowel.A: "a:", Vowel.I: "i:", Vowel.U: "u:", Vowel.E: "e:", Vowel.O: "o:"}


def synthetic_vowel(
    vowel: Vowel, seconds: float, *, pitch_hz: float = 120.0, level_db: float = -20.0, seed: int = 0
) -> F32Array:
    """Return a buzz through the formants of ``vowel``, with a little breath."""
    count = round(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(seed)
    wobble = 1.0 + 0.02 * np.sin(2 * np.pi * 5.0 * np.arange(count) / SAMPLE_RATE)
    phase = np.cumsum(pitch_hz * wobble / SAMPLE_RATE)
    sound = np.diff(np.floor(phase), prepend=0.0) + 0.01 * noise.standard_normal(count)
    for formant in FORMANTS[vowel]:
        radius = np.exp(-np.pi * 90.0 / SAMPLE_RATE)
        angle = 2 * np.pi * formant / SAMPLE_RATE
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], sound)
    return at_level(sound.astype(np.float32), level_db)


def noise(seconds: float, level_db: float, *, seed: int = 1) -> F32Array:
    """Return white noise as loud as ``level_db``."""
    source = np.random.default_rng(seed)
    return at_level(source.standard_normal(round(seconds * SAMPLE_RATE)).astype("f4"), level_db)


def silence(seconds: float) -> F32Array:
    """Return no sound at all."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def at_level(sound: F32Array, level_db: float) -> F32Array:
    """Return ``sound`` made as loud as ``level_db``."""
    louder: F32Array = (sound * (10 ** (level_db / 20) / sound.std())).astype(np.float32)
    return louder


def write_wav(path: Path, sound: F32Array) -> Path:
    """Write ``sound`` as a 16-bit .wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def speak(path: Path, text: str, *, voice: str, speed: int, pitch: int = 50) -> Path:
    """Let espeak-ng say ``text`` (phonemes in ``[[...]]``) into a .wav file."""
    if shutil.which("espeak-ng") is None:
        skip_loudly("espeak-ng is missing: sudo apt-get install espeak-ng")
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path)]
    subprocess.run([*command, text], check=True, timeout=60)
    return path
