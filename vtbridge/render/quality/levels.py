"""The quality levels that can be chosen, each one a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import GROUP_RANGES, POSE_SIZE, PoseGroup
from vtbridge.render.quality.body import NEVER, Reuse
from vtbridge.render.settings import Quality


@dataclass(frozen=True, slots=True)
class FaceSteps:
    """How finely a face is posed: steps of each group of parameters from 0 to 1."""

    brows: int
    eyes: int
    gaze: int
    mouth: int


@dataclass(frozen=True, slots=True)
class Level:
    """What may be left out for a frame.

    Attributes:
        reuse: how old the answers about the body may be.
        face_steps: how the pose of the face is rounded, so that the same comes again more
            often; None leaves it as it is.
    """

    reuse: Reuse
    face_steps: FaceSteps | None = None

    def rounded(self, pose: F32Array) -> F32Array:
        """Return ``pose`` [45] as this level poses the face; it may be ``pose`` itself."""
        if self.face_steps is None:
            return pose
        steps = _steps_per_unit(self.face_steps)
        # Zero is added so that -0 and 0 are the same key.
        return np.where(steps > 0, np.rint(pose * steps) / np.maximum(steps, 1) + 0, pose)


def _steps_per_unit(face_steps: FaceSteps) -> F32Array:
    steps = np.zeros(POSE_SIZE, np.float32)
    for group, count in (
        (PoseGroup.BROWS, face_steps.brows),
        (PoseGroup.EYES, face_steps.eyes),
        (PoseGroup.GAZE, face_steps.gaze),
        (PoseGroup.MOUTH, face_steps.mouth),
    ):
        steps[list(GROUP_RANGES[group])] = count
    return steps


_FINE = FaceSteps(brows=12, eyes=20, gaze=12, mouth=12)

LEVELS: Mapping[Quality, Level] = MappingProxyType(
    {
        Quality.EXACT: Level(NEVER),
        Quality.BALANCED: Level(
            Reuse(extend_px=0.2, bending=0.1, face_change=0.1), face_steps=_FINE
        ),
        Quality.FAST: Level(Reuse(extend_px=1.0, bending=0.2, face_change=0.15), face_steps=_FINE),
    }
)
"""What each level of the networks leaves out.

``AUTO`` is none of them, it means the best that load allows; nor is ``BAKED``, which runs none.
"""
