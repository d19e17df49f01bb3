"""A built-in face performance: somebody greets, chats, thinks, laughs and winks, in a loop.

It stands in for a tracker in ``vtbridge demo`` and ``vtbridge send``. Gestures are
keyframed, the mouth follows spoken syllables, and seeded small motion keeps what is
not gesturing alive. Everything is a function of time, so two runs agree.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.senders.keyframes import LoopedCurve, LoopedNoise, ease

PERIOD_S = 36.0
"""Length of the loop."""
SOURCE = "performance"
GAZE_RAD_PER_LOOK = math.radians(35.0)
"""Angle of an eye whose eyeLook blendshape is 1."""

# What is said, and when: one utterance a line, its syllables as vowels, ``.`` a short
# pause, capitals stressed.
_UTTERANCES: tuple[tuple[float, str], ...] = (
    (1.2, "eOu.eIio.Aoa"),
    (4.6, "aIe.uOai.eAoui.Ea"),
    (10.4, "oEi.aU"),
    (12.6, "iAoe.uEai.oAie.aO"),
    (19.0, "AaEi.oUae"),
    (21.9, "eIao.uAe.iOeaUi.Ae"),
    (29.4, "aEi.oAu.eIoa"),
    (33.0, "aIaI"),
)
_SYLLABLE_S = 0.17
_PAUSE_S = 0.26
_STRESS = 1.3

_VOWEL_SHAPES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "a": {"jawOpen": 0.46, "mouthLowerDown": 0.32, "mouthUpperUp": 0.22},
        "i": {"jawOpen": 0.15, "mouthLowerDown": 0.42, "mouthStretch": 0.35, "mouthSmile": 0.18},
        "u": {"jawOpen": 0.17, "mouthPucker": 0.62, "mouthFunnel": 0.22},
        "e": {"jawOpen": 0.28, "mouthLowerDown": 0.38, "mouthStretch": 0.2, "mouthSmile": 0.1},
        "o": {"jawOpen": 0.33, "mouthFunnel": 0.55, "mouthPucker": 0.28},
    }
)
_MOUTH_SHAPES = sorted({shape for shapes in _VOWEL_SHAPES.values() for shape in shapes})

# Eyelids: when both close, beside the blinks that go with changes of gaze.
_BLINKS_S = (0.5, 3.9, 6.7, 7.05, 9.7, 13.6, 16.9, 20.6, 24.1, 26.9, 30.7, 34.7)
_WINK_S = 27.9
_CLOSE_S, _SHUT_S, _REOPEN_S = 0.07, 0.05, 0.15
_WINK_CLOSE_S, _WINK_SHUT_S, _WINK_REOPEN_S = 0.11, 0.42, 0.22

# Where the eyes rest: time, yaw and pitch in units of look, yaw to the own right.
_FIXATIONS: tuple[tuple[float, float, float], ...] = (
    (0.0, 0.0, 0.0),
    (3.8, 0.35, 0.05),
    (4.7, 0.0, 0.0),
    (6.6, -0.3, -0.12),
    (7.6, 0.0, 0.02),
    (9.6, 0.5, 0.42),
    (12.4, 0.02, 0.0),
    (15.1, -0.42, 0.08),
    (16.0, 0.0, 0.0),
    (18.1, 0.0, 0.06),
    (20.5, 0.25, -0.2),
    (21.7, 0.0, 0.0),
    (24.0, -0.38, 0.25),
    (25.2, 0.0, 0.0),
    (31.2, 0.3, 0.0),
    (32.3, 0.0, 0.0),
)
_SACCADE_S = 0.06

# Gestures: named curves of (seconds, value); angles in degrees, our signs.
_GESTURES: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        "pitch": (
            *((0.0, 0.0), (1.1, 0.0), (1.45, -8.0), (1.9, 1.5), (3.4, 0.0), (5.0, -3.0)),
            *((5.4, 1.0), (7.2, -4.0), (8.4, 0.0), (9.8, 6.0), (11.6, 7.0), (12.5, -1.0)),
            *((13.3, -5.0), (13.7, 1.0), (14.8, -4.0), (15.3, 0.0), (17.9, 0.0), (18.2, 5.0)),
            *((19.4, 2.0), (20.6, -5.0), (21.8, 0.0), (22.6, -4.5), (23.0, 0.5), (25.2, 0.0)),
            *((25.6, -7.0), (25.95, -1.0), (26.3, -7.0), (26.65, -1.0), (27.1, -4.0)),
            *((28.4, 1.0), (30.0, -3.0), (30.4, 0.5), (32.9, 0.0), (33.25, -6.0), (33.6, 1.0)),
            *((33.95, -5.0), (34.4, 0.0), (35.5, 0.0)),
        ),
        "yaw": (
            *((0.0, 0.0), (2.0, 2.0), (3.7, 1.0), (4.2, 6.0), (5.2, 1.0), (6.7, -6.0)),
            *((7.9, -1.0), (9.8, 7.0), (11.7, 8.0), (12.7, 0.0), (14.2, 2.5), (15.3, -8.0)),
            *((16.4, -1.0), (18.0, 0.0), (20.6, 5.0), (22.0, 0.0), (24.2, -7.0), (25.4, 0.0)),
            *((27.6, 2.0), (29.2, 0.0), (31.4, 6.0), (32.6, 0.0), (35.0, -1.0)),
        ),
        "roll": (
            *((0.0, 0.0), (1.6, 4.0), (3.2, 1.0), (5.4, -4.0), (7.6, -1.0), (9.9, -9.0)),
            *((11.8, -10.0), (12.8, 0.0), (14.4, 4.0), (16.2, 0.0), (18.1, 0.0), (20.2, -3.0)),
            *((22.4, 5.0), (24.6, 0.0), (25.7, 4.0), (26.2, -3.0), (26.8, 3.0), (27.8, 9.0)),
            *((28.8, 7.0), (29.6, 0.0), (31.0, -5.0), (32.8, 0.0), (33.6, 4.0), (35.2, 0.0)),
        ),
        "smile": (
            *((0.0, 0.3), (1.0, 0.55), (3.0, 0.4), (5.0, 0.2), (9.2, 0.15), (10.2, 0.0)),
            *((11.8, 0.05), (12.6, 0.35), (16.0, 0.25), (17.8, 0.1), (18.2, 0.0), (19.2, 0.3)),
            *((22.0, 0.3), (24.8, 0.35), (25.4, 0.95), (27.0, 0.85), (27.8, 0.7), (28.6, 0.7)),
            *((29.6, 0.3), (32.4, 0.35), (33.2, 0.7), (34.6, 0.6)),
        ),
        "laughing": ((0.0, 0.0), (25.1, 0.0), (25.45, 1.0), (26.8, 1.0), (27.2, 0.0)),
        "surprise": ((0.0, 0.0), (17.95, 0.0), (18.12, 1.0), (18.7, 0.8), (19.3, 0.0)),
        "thinking": ((0.0, 0.0), (9.4, 0.0), (10.0, 1.0), (11.7, 1.0), (12.3, 0.0)),
        "brows": (
            *((0.0, 0.1), (1.1, 0.05), (1.4, 0.6), (2.0, 0.15), (4.9, 0.05), (5.2, 0.45)),
            *((5.7, 0.1), (7.0, 0.3), (7.7, 0.05), (13.1, 0.05), (13.4, 0.5), (14.0, 0.1)),
            *((16.6, 0.1), (20.3, 0.05), (20.6, 0.4), (21.2, 0.05), (22.5, 0.5), (23.2, 0.1)),
            *((27.7, 0.1), (28.0, 0.5), (28.5, 0.4), (29.1, 0.05), (29.9, 0.45), (30.5, 0.1)),
            *((33.0, 0.1), (33.2, 0.55), (34.2, 0.2)),
        ),
        "determined": (
            *((0.0, 0.0), (21.6, 0.0), (22.2, 0.55), (23.7, 0.5), (24.2, 0.0), (30.6, 0.0)),
            *((31.2, 0.35), (32.0, 0.0)),
        ),
    }
)


def face_at(t_s: float, t_ns: int) -> FaceFrame:
    """Return the performer's face ``t_s`` seconds into the (looping) performance.

    Args:
        t_s: time within the performance, seconds >= 0.
        t_ns: what the frame says about its arrival, monotonic nanoseconds.

    Returns:
        A tracked frame with all 52 blendshapes, head pose and both eyes.
    """
    moment = _Moment.at(t_s % PERIOD_S)
    weights = dict.fromkeys(ARKIT_NAMES, 0.0)
    _add_mouth(weights, moment)
    _add_lids_and_cheeks(weights, moment)
    _add_brows(weights, moment)
    yaw_look, pitch_look = _look_at(moment.t_s)
    _add_look(weights, yaw_look, pitch_look)
    clamped = {name: min(max(weight, 0.0), 1.0) for name, weight in weights.items()}
    gaze = Gaze(pitch_look * GAZE_RAD_PER_LOOK, yaw_look * GAZE_RAD_PER_LOOK)
    return FaceFrame(
        t_ns=t_ns,
        source=SOURCE,
        blendshapes=MappingProxyType(clamped),
        head=_head_at(moment),
        left_eye=gaze,
        right_eye=gaze,
    )


@dataclass(frozen=True, slots=True)
class _Moment:
    """The gestures at one time within the loop."""

    t_s: float
    pitch_deg: float
    yaw_deg: float
    roll_deg: float
    smile: float
    laughing: float
    surprise: float
    thinking: float
    brows: float
    determined: float

    @classmethod
    def at(cls, t_s: float) -> _Moment:
        values = {name: curve.at(t_s) for name, curve in _GESTURE_CURVES.items()}
        return cls(
            t_s,
            values["pitch"],
            values["yaw"],
            values["roll"],
            values["smile"],
            values["laughing"],
            values["surprise"],
            values["thinking"],
            values["brows"],
            values["determined"],
        )


def _head_at(moment: _Moment) -> HeadPose:
    t_s = moment.t_s
    bob = 2.2 * moment.laughing * math.sin(2.0 * math.pi * 4.5 * t_s)
    stress = 2.0 * _STRESS_CURVE.at(t_s)
    pitch = moment.pitch_deg + 1.3 * _SWAY[0].at(t_s) + 0.25 * _TREMOR[0].at(t_s) + bob - stress
    yaw = moment.yaw_deg + 2.2 * _SWAY[1].at(t_s) + 0.3 * _TREMOR[1].at(t_s)
    roll = moment.roll_deg + 1.8 * _SWAY[2].at(t_s) + 0.25 * _TREMOR[2].at(t_s)
    return HeadPose(math.radians(pitch), math.radians(yaw), math.radians(roll))


def _add_mouth(weights: dict[str, float], moment: _Moment) -> None:
    t_s = moment.t_s
    for shape, curve in _MOUTH_CURVES.items():
        _add_both(weights, shape, curve.at(t_s))
    laugh = moment.laughing * (0.34 + 0.16 * math.sin(2.0 * math.pi * 4.5 * t_s))
    weights["jawOpen"] += laugh + 0.28 * moment.surprise
    weights["mouthFunnel"] += 0.3 * moment.surprise
    _add_both(weights, "mouthUpperUp", 0.3 * moment.laughing)
    _add_both(weights, "mouthSmile", moment.smile)
    _add_both(weights, "mouthDimple", 0.3 * moment.smile)
    weights["mouthSmileRight"] += 0.06 * _TREMOR[3].at(t_s) * moment.smile
    weights["mouthPucker"] += 0.35 * moment.thinking
    weights["mouthLeft"] += 0.4 * moment.thinking
    _add_both(weights, "mouthPress", 0.25 * moment.thinking + 0.2 * moment.determined)


def _add_lids_and_cheeks(weights: dict[str, float], moment: _Moment) -> None:
    t_s = moment.t_s
    blink = max(_eyelid(t_s, start, _CLOSE_S, _SHUT_S, _REOPEN_S) for start in _BLINKS_S)
    wink = _eyelid(t_s, _WINK_S, _WINK_CLOSE_S, _WINK_SHUT_S, _WINK_REOPEN_S)
    resting = 0.05 + 0.02 * _TREMOR[4].at(t_s)
    both = max(blink, 0.92 * ease(moment.laughing), resting) * (1.0 - 0.8 * moment.surprise)
    weights["eyeBlinkLeft"] = max(both, wink)
    weights["eyeBlinkRight"] = max(both, 0.12 * wink)
    _add_both(weights, "eyeWide", 0.75 * moment.surprise + 0.12 * moment.brows)
    squint = 0.35 * moment.smile**2 + 0.2 * moment.determined + 0.3 * moment.laughing
    _add_both(weights, "eyeSquint", squint)
    _add_both(weights, "cheekSquint", 0.75 * moment.smile**2)
    weights["eyeSquintLeft"] += 0.4 * wink
    weights["cheekSquintLeft"] += 0.35 * wink
    _add_both(weights, "noseSneer", 0.15 * moment.laughing)


def _add_brows(weights: dict[str, float], moment: _Moment) -> None:
    lively = 0.05 * (1.0 + _TREMOR[5].at(moment.t_s))
    raised = moment.brows + 0.9 * moment.surprise + 0.25 * moment.laughing + lively
    weights["browInnerUp"] += 0.8 * raised + 0.35 * moment.thinking
    _add_both(weights, "browOuterUp", 0.7 * raised)
    weights["browOuterUpRight"] += 0.35 * moment.thinking
    _add_both(weights, "browDown", moment.determined)
    weights["browDownLeft"] += 0.25 * moment.thinking


def _add_look(weights: dict[str, float], yaw: float, pitch: float) -> None:
    """Add the eyeLook shapes of a gaze in units of look; yaw to the own right."""
    right, left = max(yaw, 0.0), max(-yaw, 0.0)
    weights["eyeLookInLeft"], weights["eyeLookOutRight"] = right, right
    weights["eyeLookOutLeft"], weights["eyeLookInRight"] = left, left
    _add_both(weights, "eyeLookUp", max(pitch, 0.0))
    _add_both(weights, "eyeLookDown", max(-pitch, 0.0))


def _look_at(t_s: float) -> tuple[float, float]:
    """Return yaw and pitch of the gaze: fixations joined by saccades, never quite still."""
    yaw = _LOOK_YAW.at(t_s) + 0.03 * _TREMOR[6].at(t_s)
    pitch = _LOOK_PITCH.at(t_s) + 0.02 * _TREMOR[7].at(t_s)
    return yaw, pitch


def _add_both(weights: dict[str, float], shape: str, weight: float) -> None:
    """Add to both sides of ``shape``, or to the shape itself where it has no sides."""
    if shape in weights:
        weights[shape] += weight
    else:
        weights[f"{shape}Left"] += weight
        weights[f"{shape}Right"] += weight


def _eyelid(t_s: float, start_s: float, close_s: float, shut_s: float, reopen_s: float) -> float:
    """Return how far a lid that begins to close at ``start_s`` is shut: fast down, slow up."""
    since_s = t_s - start_s
    if since_s < 0.0:
        return 0.0
    if since_s < close_s:
        return ease(since_s / close_s)
    since_s -= close_s + shut_s
    if since_s < 0.0:
        return 1.0
    return 1.0 - ease(since_s / reopen_s) if since_s < reopen_s else 0.0


def _speech_keys() -> tuple[dict[str, list[tuple[float, float]]], list[tuple[float, float]]]:
    """Return the keyframes of every mouth shape, and of the stress that nods the head."""
    source = random.Random(5)  # noqa: S311 - motion, not secrets
    mouth: dict[str, list[tuple[float, float]]] = {shape: [(0.0, 0.0)] for shape in _MOUTH_SHAPES}
    stress = [(0.0, 0.0)]

    def add_key(t_s: float, shapes: Mapping[str, float], strength: float, nod: float) -> None:
        for shape, keys in mouth.items():
            keys.append((t_s, strength * shapes.get(shape, 0.0)))
        stress.append((t_s, nod))

    for start_s, syllables in _UTTERANCES:
        t_s = start_s
        add_key(t_s, {}, 0.0, 0.0)
        for syllable in syllables:
            if syllable == ".":
                t_s += _PAUSE_S
                add_key(t_s, {}, 0.0, 0.0)
                continue
            stressed = syllable.isupper()
            length_s = _SYLLABLE_S * source.uniform(0.8, 1.25) * (_STRESS if stressed else 1.0)
            vowel = _VOWEL_SHAPES[syllable.lower()]
            strength = source.uniform(0.75, 1.0) * (_STRESS if stressed else 1.0)
            add_key(t_s + 0.45 * length_s, vowel, strength, 1.0 if stressed else 0.0)
            t_s += length_s
            # A consonant nearly closes the mouth before the next vowel.
            add_key(t_s, vowel, 0.3 * source.uniform(0.4, 1.0), 0.0)
        t_s += 0.14
        add_key(t_s, {}, 0.0, 0.0)
    return mouth, stress


def _fixation_keys(axis: int) -> list[tuple[float, float]]:
    """Return the keyframes of one axis of the gaze: hold, jump, hold."""
    keys: list[tuple[float, float]] = []
    for fixation, following in itertools.pairwise(_FIXATIONS):
        keys += [(fixation[0] + _SACCADE_S, fixation[axis]), (following[0], fixation[axis])]
    keys.append((_FIXATIONS[-1][0] + _SACCADE_S, _FIXATIONS[-1][axis]))
    return keys


_GESTURE_CURVES = {name: LoopedCurve(PERIOD_S, keys) for name, keys in _GESTURES.items()}
_mouth_keys, _stress_keys = _speech_keys()
_MOUTH_CURVES = {shape: LoopedCurve(PERIOD_S, keys) for shape, keys in _mouth_keys.items()}
_STRESS_CURVE = LoopedCurve(PERIOD_S, _stress_keys)
_LOOK_YAW = LoopedCurve(PERIOD_S, _fixation_keys(1))
_LOOK_PITCH = LoopedCurve(PERIOD_S, _fixation_keys(2))
_SWAY = tuple(LoopedNoise(PERIOD_S, knot_s=1.7, seed=seed) for seed in (11, 12, 13))
_TREMOR = tuple(LoopedNoise(PERIOD_S, knot_s=0.35, seed=seed) for seed in range(21, 29))
