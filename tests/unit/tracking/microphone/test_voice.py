from __future__ import annotations

import numpy as np
import pytest

from tests.support.voices import noise, silence, synthetic_vowel
from vtbridge.datatypes import F32Array, FaceFrame
from vtbridge.tracking.microphone.loudness import LoudnessMouth
from vtbridge.tracking.microphone.recording import VOWEL_HEARD_S, VowelRecording
from vtbridge.tracking.microphone.sound import BLOCK_SAMPLES, SAMPLE_RATE, BlockCutter, SoundBlock
from vtbridge.tracking.microphone.voice import SoundWindow, Voice
from vtbridge.tracking.microphone.vowels import Vowel, VowelProfile
from vtbridge.tracking.settings import MicrophoneSettings, MouthShapes

LOUDNESS = MicrophoneSettings()
VOWELS = MicrophoneSettings(shapes=MouthShapes.VOWELS)


def blocks_of(sound: F32Array) -> list[SoundBlock]:
    return [
        SoundBlock(samples, 20_000_000 * number)
        for number, samples in enumerate(BlockCutter().cut(sound), 1)
    ]


def faces_of(voice: Voice, *sounds: F32Array) -> list[FaceFrame]:
    return [voice.hear(block) for block in blocks_of(np.concatenate(sounds))]


def recorded(sound: F32Array, *, after_pause: bool = False) -> VowelRecording:
    recording = VowelRecording(LoudnessMouth(LOUDNESS), after_pause=after_pause)
    for block in blocks_of(sound):
        recording.hear(block)
    return recording


@pytest.fixture(scope="module")
def profile() -> VowelProfile:
    return VowelProfile.from_samples(
        {vowel: recorded(synthetic_vowel(vowel, 0.6)).coefficients for vowel in Vowel}
    )


def test_every_block_is_a_face_with_a_mouth_and_nothing_else() -> None:
    faces = faces_of(Voice(LOUDNESS, "microphone:x", None), synthetic_vowel(Vowel.A, 0.2))
    assert [face.t_ns for face in faces] == [20_000_000 * number for number in range(1, 11)]
    for face in faces:
        assert face.source == "microphone:x"
        assert face.tracked
        assert face.head is None
        assert face.left_eye is face.right_eye is None
        assert not any("eye" in name or "brow" in name for name in face.blendshapes)
        assert face.presets.keys() == {vowel.value for vowel in Vowel}


def test_syllables_open_the_mouth_and_pauses_close_it() -> None:
    faces = faces_of(
        Voice(LOUDNESS, "", None),
        *(silence(0.4), synthetic_vowel(Vowel.A, 0.4), silence(0.6), synthetic_vowel(Vowel.A, 0.4)),
    )
    jaw = [face.blendshapes["jawOpen"] for face in faces]
    assert max(jaw[:20]) == 0.0
    assert min(jaw[25:40]) > 0.2
    assert max(jaw[57:70]) < 0.1  # closed as the character shows it
    assert jaw[69] == 0.0
    assert min(jaw[75:90]) > 0.2


def test_loudness_alone_says_a() -> None:
    face = faces_of(Voice(LOUDNESS, "", None), synthetic_vowel(Vowel.U, 0.5))[-1]
    assert face.presets["aa"] > 0.9
    assert sum(face.presets.values()) == face.presets["aa"]


@pytest.mark.parametrize("vowel", Vowel)
def test_vowels_shape_the_mouth(profile: VowelProfile, vowel: Vowel) -> None:
    sound = synthetic_vowel(vowel, 0.5, pitch_hz=140, level_db=-25)
    face = faces_of(Voice(VOWELS, "", profile), silence(0.5), sound)[-1]
    assert max(face.presets, key=lambda name: face.presets[name]) == vowel.value
    assert face.presets[vowel.value] > 0.5


def test_vowels_are_not_told_where_loudness_was_asked_for(profile: VowelProfile) -> None:
    face = faces_of(Voice(LOUDNESS, "", profile), synthetic_vowel(Vowel.U, 0.5))[-1]
    assert face.presets["ou"] == 0.0


def test_quiet_vowel_is_no_vowel(profile: VowelProfile) -> None:
    murmur = synthetic_vowel(Vowel.I, 0.5, level_db=-60)
    face = faces_of(Voice(VOWELS, "", profile), murmur)[-1]
    assert set(face.presets.values()) == {0.0}


def test_silence_costs_no_spectrum(profile: VowelProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = Voice(VOWELS, "", profile)
    faces_of(voice, synthetic_vowel(Vowel.A, 0.3), silence(1.0))
    monkeypatch.setattr(SoundWindow, "mfcc", pytest.fail)
    faces_of(voice, silence(0.5))


def test_noise_of_the_room_moves_nothing(profile: VowelProfile) -> None:
    faces = faces_of(Voice(VOWELS, "", profile), noise(4.0, -42))
    assert {value for face in faces[-50:] for value in face.presets.values()} == {0.0}


def test_word_begins_with_its_own_vowel(profile: VowelProfile) -> None:
    faces = faces_of(
        Voice(VOWELS, "", profile),
        *(synthetic_vowel(Vowel.A, 0.5), silence(1.0), synthetic_vowel(Vowel.I, 0.2)),
    )
    word = [face.presets for face in faces[75:] if sum(face.presets.values()) > 0.0]
    assert len(word) >= 10
    assert all(presets["ih"] > 0.7 * sum(presets.values()) for presets in word[:10])


@pytest.mark.parametrize("level", [np.nan, np.inf, -np.inf, 1e30])
def test_damaged_samples_do_not_stay(level: float) -> None:
    damaged = np.full(round(0.1 * SAMPLE_RATE), level, np.float32)
    damaged[::2] *= -1
    faces = faces_of(Voice(LOUDNESS, "", None), damaged, silence(1.0))
    values = [value for face in faces for value in face.blendshapes.values()]
    assert np.isfinite(values).all()
    assert values[-1] == 0.0


def test_pieces_of_any_length_give_the_same_blocks() -> None:
    sound = synthetic_vowel(Vowel.A, 0.3)
    cutter = BlockCutter()
    pieces = np.split(sound, [1, 7, 400, 401, 2000])
    blocks = [block for piece in pieces for block in cutter.cut(piece)]
    np.testing.assert_array_equal(np.concatenate(blocks), sound[: len(blocks) * BLOCK_SAMPLES])
    assert len(blocks) == len(sound) // BLOCK_SAMPLES


def test_recording_counts_only_the_voice() -> None:
    vowel = synthetic_vowel(Vowel.E, 1.0, level_db=-30)
    recording = recorded(np.concatenate((silence(1.0), vowel, silence(1.0))))
    assert recording.heard_s == pytest.approx(0.96, abs=0.05)
    assert recording.voice_db == pytest.approx(-30, abs=1)
    assert recording.level_db < -100


def test_recording_waits_for_the_vowel_before_to_end() -> None:
    before, wanted = synthetic_vowel(Vowel.A, 1.0), synthetic_vowel(Vowel.I, 1.0)
    recording = recorded(np.concatenate((before, silence(0.3), wanted)), after_pause=True)
    assert recording.heard_s == pytest.approx(0.94, abs=0.03)
    assert recorded(before, after_pause=True).heard_s == 0.0
    assert VOWEL_HEARD_S > 1.0
