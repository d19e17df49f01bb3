from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.true_flow import true_flow
from vtbridge.training.sources.procedural import ProceduralSource
from vtbridge.training.sources.subject import Subject

SOURCE = ProceduralSource(4, supersample=1)
SIZE = 32


def turned(**values: float) -> Example:
    pose: F32Array = np.zeros(POSE_SIZE, np.float32)
    for name, value in values.items():
        pose[PoseParam[name.upper()]] = value
    nothing = np.zeros((SIZE, SIZE, 4), np.uint8)
    name = SOURCE.names()[1]
    rest: F32Array = np.zeros(POSE_SIZE, np.float32)
    return Example(name, nothing, nothing, nothing, rest, pose, frozenset())


def test_what_the_face_does_is_no_flow_of_the_head() -> None:
    flow, known = true_flow(turned(eye_wink_left=1, mouth_aaa=1), SIZE, SOURCE.open)
    assert not flow.any()
    assert known.mean() > 0.1


def test_a_head_that_tilts_comes_from_beside_its_top_from_farthest() -> None:
    flow, known = true_flow(turned(neck_z=1), SIZE, SOURCE.open)
    top, chin = (flow[rows][known[rows] > 0][:, 0].mean() for rows in (slice(8, 12), slice(20, 24)))
    assert abs(top) > abs(chin) + 0.5
    assert top * turned_the_other_way() < 0


def turned_the_other_way() -> float:
    flow, known = true_flow(turned(neck_z=-1), SIZE, SOURCE.open)
    return float(flow[8:12][known[8:12] > 0][:, 0].mean())


@pytest.mark.parametrize("why", ["gone", "unlabelled"])
def test_of_a_character_that_cannot_tell_nothing_is_known(why: str) -> None:
    def reopen(name: str) -> Subject:
        if why == "gone":
            raise DatasetError(f"{name} is not there")
        return object()  # type: ignore[return-value]

    flow, known = true_flow(turned(neck_z=1), SIZE, reopen)
    assert flow.shape == (SIZE, SIZE, 2)
    assert not known.any()
