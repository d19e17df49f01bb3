"""The poser of THA4's students: its quality levels, what it keeps, what it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.recording_runtime import pose
from tests.support.tha4 import figure, random_student, silhouette
from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array, Picture
from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.alpha import network_from_straight, premultiplied_signals
from vtbridge.render.compositor import Compositor
from vtbridge.render.models.crops import FACE_CROP
from vtbridge.render.models.tha4_student import STUDENT_FACE_CROP, StudentNetwork
from vtbridge.render.settings import Quality
from vtbridge.render.tha4 import StudentPoser
from vtbridge.render.tha4_networks import Student
from vtbridge.telemetry import Telemetry

POSE = pose(head_y=0.4, mouth_aaa=0.7, breathing=0.3)


def quiet_student() -> dict[StudentNetwork, dict[str, F32Array]]:
    """Return weights that bend and paint little, so that the figure stays where it is."""
    weights = random_student()
    body = weights[StudentNetwork.BODY]
    body["last.weight"] *= 0.02
    body["last.bias"] *= 0.02
    return weights


def character(*, shade: int = 0) -> Picture:
    rgba = figure()
    rgba[..., 0] -= np.uint8(shade) * (rgba[..., 3] > 0)
    return Picture(rgba=rgba, name="figure", digest=f"{shade}")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(ManualClock())


@pytest.fixture(scope="module")
def student() -> Iterator[Student]:
    student = Student(quiet_student(), threads=2)
    yield student
    student.close()


@pytest.fixture
def poser(student: Student, telemetry: Telemetry) -> StudentPoser:
    poser = StudentPoser(student, telemetry, Compositor(), cache_bytes=1 << 20)
    poser.set_picture(character())
    return poser


def test_fields_are_the_networks_and_the_face_is_in_its_place(poser: StudentPoser) -> None:
    fields = poser.fields(POSE)
    student = Student(quiet_student(), threads=1)
    face, body = student.face(POSE), student.body(POSE, Quality.EXACT)
    expected = premultiplied_signals(network_from_straight(figure()))
    expected[:, STUDENT_FACE_CROP.rows, STUDENT_FACE_CROP.columns] = face
    np.testing.assert_array_equal(fields.morphed, expected)
    np.testing.assert_array_equal(fields.face, expected[:, FACE_CROP.rows, FACE_CROP.columns])
    np.testing.assert_array_equal(fields.grid_change, body.grid_change)
    np.testing.assert_array_equal(fields.alpha, body.alpha)
    np.testing.assert_array_equal(fields.color, body.color)
    assert not fields.bounded
    assert fields.premultiplied
    for array in (fields.morphed, fields.grid_change, fields.alpha, fields.color, fields.face):
        assert array.flags.c_contiguous
        assert array.dtype == np.float32
    student.close()


def test_a_repeated_frame_says_so_and_costs_nothing(
    poser: StudentPoser, telemetry: Telemetry
) -> None:
    said = []
    for head_x in (0.5, 0.5, 0.6, 0.5):
        poser.render(pose(head_x=head_x))
        said.append(poser.repeated)
    assert said == [False, True, False, False]
    latencies = telemetry.latencies()
    assert latencies["render.body"].count == 3
    assert latencies["render.face"].count == 1


def test_a_face_seen_before_is_not_computed_again(
    poser: StudentPoser, telemetry: Telemetry
) -> None:
    first = poser.render(pose(mouth_aaa=0.2)).copy()
    poser.render(pose(mouth_aaa=0.9))
    again = poser.render(pose(mouth_aaa=0.2))
    np.testing.assert_array_equal(again, first)
    assert telemetry.latencies()["render.face"].count == 2
    assert telemetry.counters()["render.cache.face.hit"] == 1


def test_balanced_gives_the_exact_frame_where_the_character_is(poser: StudentPoser) -> None:
    exact = poser.render_float(POSE).copy()
    poser.set_quality(Quality.BALANCED)
    assert poser.quality is Quality.BALANCED
    balanced = poser.fields(POSE)
    assert not balanced.alpha[:, :40, :40].any()  # nothing is computed in an empty corner
    shown = poser.render_float(POSE)
    seen = silhouette()
    np.testing.assert_allclose(shown[:, seen], exact[:, seen], atol=1e-5)
    poser.set_quality(Quality.EXACT)
    np.testing.assert_allclose(poser.render_float(POSE), exact, atol=1e-5)


def test_fast_is_near_the_exact_frame(poser: StudentPoser) -> None:
    exact = poser.render_float(POSE).copy()
    poser.set_quality(Quality.FAST)
    fast = poser.render_float(POSE)
    error = np.square(fast - exact)[:, silhouette()].mean()
    assert 0 < error < 0.01
    assert poser.fields(POSE).grid_change.shape == (2, 512, 512)


def test_another_picture_is_shown_from_then_on(poser: StudentPoser) -> None:
    before = poser.render(POSE).copy()
    poser.set_picture(character(shade=60))
    after = poser.render(POSE)
    assert not poser.repeated
    assert not np.array_equal(before, after)


def test_auto_is_exact(poser: StudentPoser) -> None:
    poser.set_quality(Quality.AUTO)
    assert poser.quality is Quality.EXACT


@pytest.mark.parametrize(
    "values",
    [np.zeros(44, np.float32), np.zeros(POSE_SIZE), pose(head_x=np.nan)],
    ids=["short", "float64", "nan"],
)
def test_a_pose_that_is_none_is_refused_and_the_frame_stays(
    poser: StudentPoser, values: F32Array
) -> None:
    before = poser.render(POSE).copy()
    with pytest.raises(ValueError, match="pose"):
        poser.render(values)
    np.testing.assert_array_equal(poser.render(POSE), before)


def test_without_a_picture_nothing_is_posed(telemetry: Telemetry) -> None:
    poser = StudentPoser(Student(quiet_student(), threads=1), telemetry, Compositor())
    with pytest.raises(InferenceError, match="set_picture"):
        poser.render(POSE)
    poser.close()


def test_a_character_is_reached_wherever_it_can_turn() -> None:
    student = Student(quiet_student(), threads=2)
    student.set_picture(network_from_straight(figure()))
    computed = np.asarray(student.body(POSE, Quality.BALANCED).alpha.any(axis=0))
    seen = silhouette()
    near = seen | np.roll(seen, 12, axis=0) | np.roll(seen, 12, axis=1)
    near[:20] = False  # what was rolled around
    assert computed[near].all()
    assert not computed.all()
    student.close()
