"""The mouth means the same in both vocabularies, measured by what the character shows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from vtbridge.datatypes import FaceFrame
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.arkit import ARKIT_NAMES, PRESET_NAMES
from vtbridge.tracking.microphone.shapes import Mouth, mouth_from_vowels
from vtbridge.tracking.microphone.vowels import Vowel

SHOWN = {
    Vowel.A: PoseParam.MOUTH_AAA,
    Vowel.I: PoseParam.MOUTH_III,
    Vowel.U: PoseParam.MOUTH_UUU,
    Vowel.E: PoseParam.MOUTH_EEE,
    Vowel.O: PoseParam.MOUTH_OOO,
}
DEFAULT = RetargetSettings()


def mouth_of(**weights: float) -> Mouth:
    return mouth_from_vowels({vowel: weights.get(vowel.name, 0.0) for vowel in Vowel})


def shown(face: FaceFrame, settings: RetargetSettings = DEFAULT) -> dict[Vowel, float]:
    """Return how far each of the character's mouths opens."""
    retargeter = Retargeter(settings)
    retargeter.feed(face)
    values = retargeter.pose_at(face.t_ns).values
    return {vowel: float(values[param]) for vowel, param in SHOWN.items()}


def arkit_shown(mouth: Mouth, settings: RetargetSettings = DEFAULT) -> dict[Vowel, float]:
    everything = {**dict.fromkeys(ARKIT_NAMES, 0.0), **mouth.blendshapes}
    return shown(FaceFrame(t_ns=1, blendshapes=everything), settings)


def preset_shown(mouth: Mouth) -> dict[Vowel, float]:
    return shown(FaceFrame(t_ns=1, presets=mouth.presets))


def largest(weights: Mapping[Vowel, float]) -> Vowel:
    return max(weights, key=lambda vowel: weights[vowel])


@pytest.mark.parametrize("vowel", Vowel)
@pytest.mark.parametrize("opening", [0.2, 0.5, 1.0])
def test_pure_vowel_comes_out_as_itself(vowel: Vowel, opening: float) -> None:
    mouth = mouth_of(**{vowel.name: opening})
    assert preset_shown(mouth)[vowel] == pytest.approx(opening)
    through_arkit = arkit_shown(mouth)
    assert largest(through_arkit) is vowel
    assert through_arkit[vowel] == pytest.approx(opening, abs=0.36)
    assert sum(through_arkit.values()) - through_arkit[vowel] <= 0.36


@pytest.mark.parametrize("vowel", [Vowel.A, Vowel.U, Vowel.O])
def test_full_vowel_reaches_its_whole_shape_through_arkit(vowel: Vowel) -> None:
    through_arkit = arkit_shown(mouth_of(**{vowel.name: 1.0}))
    assert through_arkit == pytest.approx(
        {other: float(other is vowel) for other in Vowel}, abs=0.01
    )


@pytest.mark.parametrize("vowel", Vowel)
@pytest.mark.parametrize("opening", [0.5, 1.0])
def test_mapping_of_the_reference_shows_it_too(vowel: Vowel, opening: float) -> None:
    through_arkit = arkit_shown(
        mouth_of(**{vowel.name: opening}), RetargetSettings(preset="reference")
    )
    # The reference has no mouth_eee; its spread mouth is mouth_iii.
    assert largest(through_arkit) is (Vowel.I if vowel is Vowel.E else vowel)


@pytest.mark.parametrize("vowel", Vowel)
def test_microphone_alone_shows_its_presets_once(vowel: Vowel) -> None:
    mouth = mouth_of(**{vowel.name: 0.7})
    both = FaceFrame(t_ns=1, presets=mouth.presets, blendshapes=mouth.blendshapes)
    assert shown(both) == preset_shown(mouth)


@pytest.mark.parametrize("vowel", Vowel)
def test_louder_never_closes_the_mouth(vowel: Vowel) -> None:
    steps = [sum(arkit_shown(mouth_of(**{vowel.name: step / 20})).values()) for step in range(21)]
    assert steps[0] == 0.0
    for quieter, louder in itertools.pairwise(steps):
        assert louder >= quieter - 0.02
        assert louder - quieter < 0.35  # nor does it jump


def test_silence_is_a_closed_mouth() -> None:
    mouth = mouth_of()
    assert set(mouth.presets.values()) == {0.0}
    assert set(mouth.blendshapes.values()) == {0.0}


def test_every_mixture_stays_in_range_and_in_the_vocabulary() -> None:
    shares = (0.0, 0.1, 0.5, 1.0)
    for weights in itertools.product(shares, repeat=5):
        if sum(weights) > 1.0:
            continue
        mouth = mouth_from_vowels(dict(zip(Vowel, weights, strict=True)))
        assert mouth.presets.keys() <= set(PRESET_NAMES)
        assert mouth.blendshapes.keys() <= set(ARKIT_NAMES)
        values = [*mouth.presets.values(), *mouth.blendshapes.values()]
        assert min(values) >= 0.0
        assert max(values) <= 1.0
