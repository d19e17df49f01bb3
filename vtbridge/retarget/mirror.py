"""A pose as its mirror image."""

from __future__ import annotations

from vtbridge.pose_params import PoseParam

_SOURCE = tuple(
    PoseParam[
        param.name.replace("_LEFT", "_RIGHT")
        if param.name.endswith("_LEFT")
        else param.name.replace("_RIGHT", "_LEFT")
    ]
    for param in PoseParam
)
"""Which parameter of the original each parameter of the mirror image shows."""

_TURNED = (
    PoseParam.IRIS_ROTATION_Y,
    PoseParam.HEAD_Y,
    PoseParam.NECK_Z,
    PoseParam.BODY_Y,
    PoseParam.BODY_Z,
)


def mirror_pose(values: list[float]) -> list[float]:
    """Return the 45 ``values`` with left and right exchanged and sideways turns reversed."""
    mirrored = [values[source] for source in _SOURCE]
    for param in _TURNED:
        mirrored[param] = -mirrored[param]
    return mirrored
