"""The face's teacher says what whole frames are made of."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.characters.find import find_picture
from vtbridge.pose_params import PoseParam
from vtbridge.render.runtimes.native import open_native
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import RenderSettings, RuntimeName
from vtbridge.render.tha3 import open_poser
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.telemetry import Telemetry
from vtbridge.training.distill.face_teacher import FACE_POSE_SIZE, FaceTeacher


def test_the_teachers_face_is_that_of_an_exact_frame(weight_store: WeightStore) -> None:
    picture = find_picture("michi")
    settings = RenderSettings(runtime=RuntimeName.NATIVE, threads=1)
    poser = open_poser(
        settings,
        Telemetry(),
        store=weight_store,
        select=lambda _, request: open_native(request),
    )
    poser.set_picture(picture)
    request = RuntimeRequest(store=weight_store, weights=DEFAULT_WEIGHTS, threads=1)
    teacher = FaceTeacher(open_native(request), picture, Telemetry())
    pose = np.zeros(len(PoseParam), np.float32)
    pose[[PoseParam.MOUTH_AAA, PoseParam.EYE_WINK_LEFT, PoseParam.EYEBROW_HAPPY_RIGHT]] = 0.7
    wanted = poser.fields(pose).face
    face = teacher.face(pose[:FACE_POSE_SIZE])
    np.testing.assert_array_equal(face, wanted)
    assert np.abs(teacher.face(np.zeros(FACE_POSE_SIZE, np.float32)) - wanted).max() > 0.5
    np.testing.assert_array_equal(face, wanted)
    with pytest.raises(ValueError, match="float32"):
        teacher.face(pose)
    teacher.close()
    poser.close()
