"""VRM 1 expression presets to THA3's brows, eyes and mouth.

Vowels, lids and brows serve senders without ARKit's 52; emotions serve every sender.
"""

from __future__ import annotations

from collections.abc import Mapping

from vtbridge.pose_params import PoseParam
from vtbridge.retarget.arkit_to_tha import LID_PARAMS
from vtbridge.retarget.settings import RetargetSettings

VOWEL_NAMES = ("aa", "ih", "ou", "ee", "oh")
VISEME_NAMES = ("sil", "pp", "ff", "th", "dd", "kk", "ch", "ss", "nn", "rr")
"""Consonants and silence, which some senders give beside the vowels."""
MOUTH_NAMES = (*VOWEL_NAMES, *VISEME_NAMES)
BLINK_NAMES = ("blink", "blinkLeft", "blinkRight")
BROW_NAMES = ("browsUp", "browsDown")
EMOTION_NAMES = ("happy", "relaxed", "angry", "sad", "surprised")

# How far each sound moves a vowel's shape; a closed mouth moves none.
_MOUTH_ROWS = (
    ("aa", PoseParam.MOUTH_AAA, 1.0),
    ("ih", PoseParam.MOUTH_III, 1.0),
    ("ou", PoseParam.MOUTH_UUU, 1.0),
    ("ee", PoseParam.MOUTH_EEE, 1.0),
    ("oh", PoseParam.MOUTH_OOO, 1.0),
    ("ff", PoseParam.MOUTH_III, 0.3),
    ("th", PoseParam.MOUTH_III, 0.4),
    ("dd", PoseParam.MOUTH_III, 0.5),
    ("ss", PoseParam.MOUTH_III, 0.5),
    ("nn", PoseParam.MOUTH_III, 0.4),
    ("kk", PoseParam.MOUTH_AAA, 0.4),
    ("ch", PoseParam.MOUTH_UUU, 0.5),
    ("rr", PoseParam.MOUTH_OOO, 0.4),
)
# Name, left parameter, weight of both sides; where several meet, the largest wins.
_EMOTION_ROWS = (
    ("happy", PoseParam.EYEBROW_HAPPY_LEFT, 1.0),
    ("happy", PoseParam.MOUTH_RAISED_CORNER_LEFT, 1.0),
    ("relaxed", PoseParam.EYEBROW_HAPPY_LEFT, 0.5),
    ("relaxed", PoseParam.MOUTH_RAISED_CORNER_LEFT, 1.0),
    ("relaxed", PoseParam.EYE_RELAXED_LEFT, 0.3),
    ("angry", PoseParam.EYEBROW_ANGRY_LEFT, 1.0),
    ("angry", PoseParam.MOUTH_LOWERED_CORNER_LEFT, 0.5),
    ("sad", PoseParam.EYEBROW_TROUBLED_LEFT, 1.0),
    ("sad", PoseParam.MOUTH_LOWERED_CORNER_LEFT, 1.0),
    ("surprised", PoseParam.EYE_SURPRISED_LEFT, 1.0),
    ("surprised", PoseParam.EYEBROW_RAISED_LEFT, 1.0),
)
_BROW_ROWS = (
    ("browsUp", PoseParam.EYEBROW_RAISED_LEFT, 1.0),
    ("browsDown", PoseParam.EYEBROW_LOWERED_LEFT, 1.0),
)


def write_face_from_presets(
    values: list[float], presets: Mapping[str, float], settings: RetargetSettings
) -> None:
    """Add brows, eyelids and mouth to the 45 ``values``.

    Args:
        values: pose in the making; what ARKit's blendshapes wrote stays where no preset says more.
        presets: VRM 1 preset name to 0..1, measured from the neutral face; absent = 0.
        settings: how lids are shown.
    """
    get = presets.get
    lid = LID_PARAMS[settings.wink_as]
    values[lid] = max(values[lid], get("blinkLeft", 0.0), get("blink", 0.0))
    values[lid + 1] = max(values[lid + 1], get("blinkRight", 0.0), get("blink", 0.0))

    shares = [weight * get(name, 0.0) for name, _, weight in _MOUTH_ROWS]
    scale = 1.0 / max(sum(shares), 1.0)
    for (_, param, _), share in zip(_MOUTH_ROWS, shares, strict=True):
        values[param] += share * scale
    _raise_rows(values, presets, _BROW_ROWS)


def add_emotions(
    values: list[float], presets: Mapping[str, float], settings: RetargetSettings
) -> None:
    """Lay the emotions among ``presets`` over a face in the 45 ``values``.

    Users switch emotions on by hand, also beside the 52 blendshapes of ARKit.
    """
    happy = presets.get("happy", 0.0)
    if happy:
        lid = LID_PARAMS[settings.wink_as]
        for offset in (0, 1):
            happy_lid = PoseParam.EYE_HAPPY_WINK_LEFT + offset
            values[happy_lid] = max(values[happy_lid], happy * values[lid + offset])
            values[lid + offset] *= 1.0 - happy
    _raise_rows(values, presets, _EMOTION_ROWS)


def _raise_rows(
    values: list[float],
    presets: Mapping[str, float],
    rows: tuple[tuple[str, PoseParam, float], ...],
) -> None:
    for name, left, weight in rows:
        level = weight * presets.get(name, 0.0)
        if level:
            values[left] = max(values[left], level)
            values[left + 1] = max(values[left + 1], level)
