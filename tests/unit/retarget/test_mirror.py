"""A mirrored pose is the same face seen in a mirror."""

from __future__ import annotations

from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget.mirror import mirror_pose


def test_sides_change_places_and_sideways_turns_reverse() -> None:
    values = [(index + 1) / 100 for index in range(POSE_SIZE)]
    mirrored = mirror_pose(values)
    negated = {
        PoseParam.IRIS_ROTATION_Y,
        PoseParam.HEAD_Y,
        PoseParam.NECK_Z,
        PoseParam.BODY_Y,
        PoseParam.BODY_Z,
    }
    for param in PoseParam:
        if param.name.endswith("_LEFT"):
            assert mirrored[param] == values[param + 1], param.name
        elif param.name.endswith("_RIGHT"):
            assert mirrored[param] == values[param - 1], param.name
        else:
            assert mirrored[param] == values[param] * (-1 if param in negated else 1), param.name


def test_the_mirror_image_of_the_mirror_image_is_the_pose() -> None:
    values = [(index - 20) / 45 for index in range(POSE_SIZE)]
    assert mirror_pose(mirror_pose(values)) == values
