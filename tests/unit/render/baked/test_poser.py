"""The poser of a prepared character."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.baking import manifest_of, picture_of
from tests.support.recording_runtime import pose
from vtbridge.clock import ManualClock
from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.errors import InferenceError, WeightsError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.baked.poser import BakedPoser, open_baked_poser
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.render.tha3 import open_poser
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry

PICTURE = picture_of()
SIDE = PICTURE_SIZE


class StandInBody:
    """Moves all sideways by what the head turns, and paints nothing."""

    def __init__(self) -> None:
        self.drawn = 0
        self.fails = False
        self._compositor = Compositor()
        self._fields = np.zeros((10, SIDE, SIDE), np.float32)

    def fields(self, rotation: F32Array) -> tuple[F32Array, F32Array, F32Array]:
        self._fields[0] = rotation[1] * 0.1
        return self._fields[:2], self._fields[2:6], self._fields[6:]

    def draw(self, rotation: F32Array, morphed: F32Array, out: U8Array) -> None:
        self.drawn += 1
        out[:] = 77
        if self.fails:
            raise InferenceError("not finite")
        face = np.ascontiguousarray(morphed[:, FACE_CROP.rows, FACE_CROP.columns])
        fields = FrameFields(morphed, *self.fields(rotation), face)
        self._compositor.composite(fields, out)


class StandInFace:
    """A face as light as the mouth is open."""

    def __init__(self) -> None:
        self._face = np.zeros((4, FACE_CROP.size, FACE_CROP.size), np.float32)

    def face(self, face_pose: F32Array) -> F32Array:
        assert face_pose.shape == (39,)
        self._face[:] = face_pose[PoseParam.MOUTH_AAA]
        self._face[3] = 1.0
        return self._face


class Stage:
    def __init__(self, size: int = SIDE) -> None:
        self.body, self.face = StandInBody(), StandInFace()
        self.telemetry = Telemetry(ManualClock())
        self.poser = BakedPoser(
            self.body, self.face, manifest_of(PICTURE), self.telemetry, Compositor(size)
        )
        self.poser.set_picture(PICTURE)


def test_it_is_what_it_is() -> None:
    poser = Stage().poser
    poser.set_quality(Quality.EXACT)
    assert poser.quality is Quality.BAKED
    assert poser.describe() == "baked 36.5 dB CPU"
    assert poser.size == SIDE
    poser.recheck()
    poser.close()


def test_fields_hold_the_posed_face_and_the_turned_body() -> None:
    poser = Stage().poser
    fields = poser.fields(pose(mouth_aaa=0.5, head_y=1.0))
    assert (fields.face[:3] == 0.5).all()
    np.testing.assert_array_equal(fields.morphed[:, FACE_CROP.rows, FACE_CROP.columns], fields.face)
    outside = network_from_straight(PICTURE.rgba)
    np.testing.assert_array_equal(fields.morphed[:, 300:], outside[:, 300:])
    assert np.allclose(fields.grid_change[0], 0.1)
    assert fields.bounded
    assert not fields.premultiplied


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_a_frame_is_what_the_compositor_makes_of_the_fields(size: int) -> None:
    stage = Stage(size)
    values = pose(mouth_aaa=0.5, head_y=0.5)
    frame = stage.poser.render(values).copy()
    assert frame.shape == (size, size, 4)
    expected = np.empty((size, size, 4), np.uint8)
    compositor = Compositor(size)
    compositor.set_picture(PICTURE)
    compositor.composite(stage.poser.fields(values), expected)
    np.testing.assert_array_equal(frame, expected)
    assert stage.body.drawn == (size <= SIDE)


def test_float_frames_are_those_of_the_fields() -> None:
    poser = Stage().poser
    values = pose(mouth_aaa=0.5, head_y=0.5)
    planes = poser.render_float(values)
    assert planes.shape == (4, SIDE, SIDE)
    assert not planes.flags.writeable
    np.testing.assert_array_equal(planes, Compositor().signals(poser.fields(values)))


def test_an_unchanged_pose_costs_nothing_and_says_so() -> None:
    stage = Stage()
    zero = pose(mouth_aaa=0.5)
    zero[PoseParam.HEAD_X] = -0.0
    frames, repeated = [], []
    for values in (pose(mouth_aaa=0.5), pose(mouth_aaa=0.5), zero, pose(mouth_aaa=0.6)):
        frames.append(stage.poser.render(values))
        repeated.append(stage.poser.repeated)
    assert repeated == [False, True, True, False]
    assert frames[1] is frames[0]
    assert stage.body.drawn == 2


def test_the_face_follows_the_pose_whichever_way_it_is_asked_for() -> None:
    poser = Stage().poser
    poser.render(pose(mouth_aaa=1.0))
    fields = poser.fields(pose(mouth_aaa=0.25))
    assert (fields.face[:3] == 0.25).all()
    assert (fields.morphed[:3, FACE_CROP.rows, FACE_CROP.columns] == 0.25).all()
    frame = poser.render(pose(mouth_aaa=1.0)).copy()
    poser.fields(pose(mouth_aaa=0.25))
    np.testing.assert_array_equal(poser.render(pose(mouth_aaa=1.0, head_x=0.1)), frame)


def test_values_beyond_their_range_are_clamped_and_unfit_ones_refused() -> None:
    stage = Stage()
    stage.poser.render(pose(mouth_aaa=1.0, head_y=1.0))
    far = pose(mouth_aaa=1.0)
    far[PoseParam.HEAD_Y] = 40.0
    stage.poser.render(far)
    assert stage.poser.repeated
    with pytest.raises(ValueError, match="not finite"):
        stage.poser.render(np.full(POSE_SIZE, np.nan, np.float32))
    with pytest.raises(ValueError, match=r"float32 \[45\]"):
        stage.poser.fields(np.zeros(44, np.float32))


def test_a_frame_that_fails_leaves_the_last_one_whole() -> None:
    stage = Stage()
    first = stage.poser.render(pose(mouth_aaa=0.5))
    kept = first.copy()
    stage.body.fails = True
    with pytest.raises(InferenceError):
        stage.poser.render(pose(mouth_aaa=0.6))
    np.testing.assert_array_equal(first, kept)
    stage.body.fails = False
    stage.poser.render(pose(mouth_aaa=0.6))
    assert not stage.poser.repeated


def test_another_picture_is_refused_with_a_remedy() -> None:
    stage = Stage()
    with pytest.raises(InferenceError, match=r"another picture than nobody.*character bake"):
        stage.poser.set_picture(picture_of(3, "nobody"))
    with pytest.raises(InferenceError, match="no picture"):
        stage.poser.fields(pose())
    stage.poser.set_picture(PICTURE)
    stage.poser.render(pose())


def test_baked_without_a_package_names_the_command() -> None:
    settings = RenderSettings(quality=Quality.BAKED)
    with pytest.raises(WeightsError, match="vtbridge character bake"):
        open_poser(settings, Telemetry())


def test_a_package_whose_model_has_other_tensors_is_refused(tmp_path: Path) -> None:
    from vtbridge.render.baked.model_file import write_model
    from vtbridge.render.baked.store import MODEL_FILE

    about = manifest_of(PICTURE)
    write_model(tmp_path / MODEL_FILE, about, {"body.x": np.ones(3, np.float32)})
    settings = RenderSettings(quality=Quality.BAKED, package=str(tmp_path))
    with pytest.raises(WeightsError):
        open_baked_poser(settings, Telemetry(), WeightStore(tmp_path / "none"))


def test_live_it_never_loads_torch_or_a_runtime() -> None:
    script = (
        "import sys, vtbridge.render.baked.poser, vtbridge.render.tha3; "
        "loaded = {'torch', 'openvino', 'onnxruntime'} & set(sys.modules); "
        "sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
