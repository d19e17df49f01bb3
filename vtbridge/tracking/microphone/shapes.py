"""What a mouth that says a vowel looks like, as VRM presets and as ARKit blendshapes.

Both say the same, so that either vocabulary can be merged with what a camera saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from vtbridge.tracking.microphone.vowels import Vowel

# Jaw opening, lower lip down, funnel and pucker of each vowel said wide. The rows of A, U
# and O are those by which the ARKit mapping of talking-head-anime-3-demo tells them apart;
# I and E are spread lips, told apart by their stretch.
_LIPS: Mapping[Vowel, tuple[float, float, float, float]] = MappingProxyType(
    {
        Vowel.A: (1.0, 1.0, 0.0, 0.0),
        Vowel.I: (0.0, 1.0, 0.0, 0.0),
        Vowel.U: (0.5, 0.3, 0.25, 0.75),
        Vowel.E: (0.15, 1.0, 0.0, 0.0),
        Vowel.O: (1.0, 0.5, 0.5, 0.4),
    }
)
_JAW_CLOSED, _JAW_WIDE = 0.04, 0.5
_LIP_RESTS, _LIP_DOWN = 0.03, 0.6
"""Each blendshape where its motion begins to show and where it is a vowel said wide: a
speaking jaw, unlike a yawning one, uses half of its way."""
_SPREAD_OPENING = 0.2
"""Lips cannot be seen to spread, in a drawn mouth, unless they part this far."""
_STRETCH_I, _STRETCH_E = 0.2, 0.6
_FUNNEL_U, _FUNNEL_O = 0.25, 0.5
_SOON = 0.15
"""Rounding and spreading show the vowel, not its loudness: they are complete from here."""


class Mouth(NamedTuple):
    """One mouth in both vocabularies; names as in ``FaceFrame``, values 0..1."""

    presets: Mapping[str, float]
    blendshapes: Mapping[str, float]


def mouth_from_vowels(weights: Mapping[Vowel, float]) -> Mouth:
    """Return the mouth that says each vowel as wide as ``weights`` tell, together at most 1."""
    opening, lower_lip, funnel, pucker = (
        sum(weights[vowel] * lips[part] for vowel, lips in _LIPS.items()) for part in range(4)
    )
    spread = weights[Vowel.I] + weights[Vowel.E]
    parted = min(spread / 2, _SPREAD_OPENING)
    rounded = weights[Vowel.U] + weights[Vowel.O]
    o_share = weights[Vowel.O] / rounded if rounded else 0.0
    e_share = weights[Vowel.E] / spread if spread else 0.0
    if o_share:
        funnel = max(funnel, (_FUNNEL_U + o_share * (_FUNNEL_O - _FUNNEL_U)) * _soon(rounded))
    stretch = (_STRETCH_I + e_share * (_STRETCH_E - _STRETCH_I)) * _soon(spread)
    voiced = _soon(sum(weights.values()))
    jaw = _JAW_CLOSED * voiced + (_JAW_WIDE - _JAW_CLOSED) * min(opening + parted, 1.0)
    lowered = min(lower_lip + parted, 1.0)
    lip = _LIP_RESTS * _soon(lowered) + (_LIP_DOWN - _LIP_RESTS) * lowered
    return Mouth(
        presets=MappingProxyType({vowel.value: weights[vowel] for vowel in Vowel}),
        blendshapes=MappingProxyType(
            {
                "jawOpen": jaw,
                "mouthFunnel": funnel,
                "mouthPucker": pucker,
                "mouthLowerDownLeft": lip,
                "mouthLowerDownRight": lip,
                "mouthStretchLeft": stretch,
                "mouthStretchRight": stretch,
            }
        ),
    )


def _soon(weight: float) -> float:
    return min(weight / _SOON, 1.0)
