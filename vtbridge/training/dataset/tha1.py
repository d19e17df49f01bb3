"""The six parameters of version 1 in a pose of 45.

The mouth is how far it is open, whatever the picture shows: version 1's pictures are drawn with
an open mouth, so that 1 is as drawn; one that is drawn closed is as drawn at 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam

FACE: Final = (PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT, PoseParam.MOUTH_AAA)
"""left_eye, right_eye and mouth."""
HEAD: Final = (PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z)


def face_of(pose: F32Array) -> F32Array:
    """Return left_eye, right_eye and mouth of float32 [..., 45], float32 [..., 3]."""
    return np.ascontiguousarray(pose[..., FACE], np.float32)


def unturned(pose: F32Array) -> F32Array:
    """Return ``pose``, float32 [..., 45], with the head as drawn: the expression alone."""
    still = pose.copy()
    still[..., HEAD] = 0
    return still


def head_of(pose: F32Array) -> F32Array:
    """Return head_x, head_y and neck_z of float32 [..., 45], float32 [..., 3]."""
    return np.ascontiguousarray(pose[..., HEAD], np.float32)
