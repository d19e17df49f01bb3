"""Faces in, poses out: what the tests of the retargeter share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, FaceFrame, HeadPose, Pose
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings

SETTINGS = RetargetSettings()
MOUTH_ONLY = {"jawOpen": 0.4, "mouthFunnel": 0.1}
WHOLE = {"browInnerUp": 0.2, "eyeBlinkLeft": 0.1, "eyeLookUpLeft": 0.3, **MOUTH_ONLY}


def ns(seconds: float) -> int:
    """Return nanoseconds."""
    return round(seconds * NS_PER_S)


def degrees(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> HeadPose:
    """Return a turned head, from degrees."""
    return HeadPose(math.radians(pitch), math.radians(yaw), math.radians(roll))


def first_pose(face: FaceFrame, settings: RetargetSettings = SETTINGS) -> F32Array:
    """Return what one face alone becomes; the first sample passes the filter unchanged."""
    retargeter = Retargeter(settings)
    retargeter.feed(face)
    return retargeter.pose_at(face.t_ns).values


def moved(values: F32Array) -> dict[str, float]:
    """Return the parameters that are not 0, by their labels."""
    return {param.label: round(float(values[param]), 4) for param in PoseParam if values[param]}


def belief(pose: Pose, param: PoseParam) -> float:
    """Return how far ``param`` is driven by the face, 0..1."""
    return pose.presence * (1.0 if pose.coverage is None else float(pose.coverage[param]))


def watch(
    retargeter: Retargeter,
    shapes: Mapping[str, float],
    start_s: float,
    seconds: float,
    **parts: Any,
) -> list[Pose]:
    """Return the pose after each of the same faces, 60 a second."""
    poses = []
    for i in range(round(seconds * 60)):
        t_ns = ns(start_s + i / 60)
        retargeter.feed(FaceFrame(t_ns, blendshapes=shapes, **parts))
        poses.append(retargeter.pose_at(t_ns))
    return poses
