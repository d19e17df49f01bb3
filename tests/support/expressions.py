"""Expressions of a few lines of TOML, and an engine driven beat by beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, FaceFrame, Pose
from vtbridge.expressions.engine import ExpressionEngine, ExpressionState
from vtbridge.expressions.library import ExpressionLibrary, condition_names, parse_library
from vtbridge.pose_params import POSE_SIZE, PoseParam

NAMES = condition_names(["jawOpen", "mouthSmileLeft"])
FPS = 100
STILL = """
[idle]
breathing_depth = 0
sway = 0
gaze_shift = 0
blink_every_min_s = 60
blink_every_max_s = 60
[render]
quality = "fast"
[expressions]
file = "expressions.toml"
"""
"""Settings of a daemon that moves by expressions alone."""
QUICK = """
[expressions.cat]
fade_in_s = 0
fade_out_s = 0
values = { mouth_aaa = 1, eye_wink = 1 }
"""
"""An expression that is seen on the next frame."""


def library_of(text: str) -> ExpressionLibrary:
    """Return only the expressions of ``text``."""
    return parse_library("builtin = false\n" + text, "test.toml", NAMES)


def pose_of(**values: float) -> Pose:
    """Return a pose that a live face drives."""
    vector = np.zeros(POSE_SIZE, np.float32)
    for label, value in values.items():
        vector[PoseParam[label.upper()]] = value
    return Pose(vector, 5)


def face_of(**shapes: float) -> FaceFrame:
    """Return a tracked face."""
    return FaceFrame(5, blendshapes=shapes)


class Stage:
    """An engine, a face that stays as it is, and a clock that goes on by beats.

    Attributes:
        pose: what the face drives.
        face: what the tracker says, None = lost.
    """

    def __init__(self, text: str = "", *, seed: int = 1) -> None:
        self.engine = ExpressionEngine(library_of(text), seed=seed)
        self.pose = pose_of()
        self.face: FaceFrame | None = face_of()
        self.beat = 0

    @property
    def now_ns(self) -> int:
        return NS_PER_S + self.beat * NS_PER_S // FPS

    def step(self) -> Pose:
        """Go on by one beat."""
        shown = self.engine.apply(self.pose, self.face, self.now_ns)
        self.beat += 1
        return shown

    def film(self, seconds: float) -> F32Array:
        """Return the values of so many seconds, float32 [beats, 45]."""
        return np.array([self.step().values for _ in range(round(seconds * FPS))])

    def settle(self, seconds: float = 2.0) -> Pose:
        """Return the last pose of so many seconds."""
        for _ in range(round(seconds * FPS) - 1):
            self.step()
        return self.step()

    def value(self, label: str) -> float:
        """Return one parameter of the next pose."""
        return float(self.step().values[PoseParam[label.upper()]])

    @property
    def states(self) -> Mapping[str, ExpressionState]:
        return {state.name: state for state in self.engine.state()}

    def active(self) -> set[str]:
        """Return what is on."""
        return {name for name, state in self.states.items() if state.active}
