"""The THA3 poser: nothing is computed twice, and nothing wrong is shown."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from tests.support.recording_runtime import FlatCompositor, RecordingRuntime, picture, pose
from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.render.compositor import Compositor
from vtbridge.render.models.signatures import Stage
from vtbridge.render.settings import Quality
from vtbridge.render.tha3 import Tha3Poser
from vtbridge.telemetry import Telemetry

BROWS, FACE, ROTATE, EDIT = Stage.BROWS, Stage.FACE, Stage.ROTATE, Stage.EDIT


@pytest.fixture
def runtime() -> RecordingRuntime:
    return RecordingRuntime()


@pytest.fixture
def poser(runtime: RecordingRuntime) -> Tha3Poser[F32Array]:
    poser = new_poser(runtime, cache_bytes=16 << 20)
    poser.set_picture(picture(100))
    assert runtime.taken() == [Stage.DECOMPOSE]
    return poser


def new_poser(
    runtime: RecordingRuntime, telemetry: Telemetry | None = None, cache_bytes: int = 0
) -> Tha3Poser[F32Array]:
    compositor = cast(Compositor, FlatCompositor())
    return Tha3Poser(
        runtime, telemetry or Telemetry(runtime.clock), compositor, cache_bytes=cache_bytes
    )


def fresh_frame(values: F32Array) -> F32Array:
    """Return what a poser gives that has never seen another pose."""
    poser = new_poser(RecordingRuntime())
    poser.set_picture(picture(100))
    return poser.render_float(values).copy()


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        ({"eyebrow_happy_left": 0.3}, [BROWS, FACE, ROTATE, EDIT]),
        ({"mouth_aaa": 0.3}, [FACE, ROTATE, EDIT]),
        ({"iris_rotation_y": -0.3}, [FACE, ROTATE, EDIT]),
        ({"head_x": 0.3}, [ROTATE, EDIT]),
        ({"breathing": 0.3}, [ROTATE, EDIT]),
        ({}, []),
    ],
)
def test_only_what_depends_on_the_change_runs(
    change: dict[str, float],
    stages: list[Stage],
    poser: Tha3Poser[F32Array],
    runtime: RecordingRuntime,
) -> None:
    base = {"eyebrow_happy_left": 0.1, "mouth_aaa": 0.1, "head_x": 0.1}
    poser.render(pose(**base))
    assert runtime.taken() == [BROWS, FACE, ROTATE, EDIT]
    changed = pose(**(base | change))
    poser.render(changed)
    assert runtime.taken() == stages
    np.testing.assert_array_equal(poser.render_float(changed), fresh_frame(changed))


def test_a_repeated_frame_says_so(poser: Tha3Poser[F32Array]) -> None:
    said = []
    for head_x in (0.5, 0.5, 0.6, 0.6, 0.5):
        poser.render(pose(head_x=head_x))
        said.append(poser.repeated)
    assert said == [False, True, False, True, False]


def test_a_float_frame_between_two_others_is_not_taken_for_shown(
    poser: Tha3Poser[F32Array],
) -> None:
    first = poser.render(pose(head_x=0.5)).copy()
    poser.render_float(pose(head_x=-0.5))
    np.testing.assert_array_equal(poser.render(pose(head_x=0.5)), first)
    poser.render_float(pose(head_x=-0.5))
    second = poser.render(pose(head_x=-0.5))
    assert not poser.repeated
    assert not np.array_equal(second, first)


def test_a_caller_may_reuse_its_array(poser: Tha3Poser[F32Array]) -> None:
    values = pose(head_x=0.5)
    poser.render(values)
    values[PoseParam.HEAD_X] = -0.5
    poser.render(values)
    assert not poser.repeated


def test_values_beyond_their_range_are_clamped(
    poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    poser.render(pose(mouth_aaa=1, head_y=-1))
    runtime.taken()
    poser.render(pose(mouth_aaa=7, head_y=-3, eye_wink_left=-2))
    assert poser.repeated
    assert runtime.taken() == []


@pytest.mark.parametrize(
    "values",
    [np.zeros(44, np.float32), np.zeros(POSE_SIZE), pose(head_x=np.nan), pose(mouth_aaa=np.inf)],
    ids=["short", "float64", "nan", "inf"],
)
def test_what_is_no_pose_is_refused(values: F32Array, poser: Tha3Poser[F32Array]) -> None:
    with pytest.raises(ValueError, match="pose"):
        poser.render(values)


def test_fields_hold_the_posed_face_where_it_belongs(poser: Tha3Poser[F32Array]) -> None:
    fields = poser.fields(pose(mouth_aaa=0.5))
    np.testing.assert_array_equal(fields.morphed[:, 32:224, 160:352], fields.face)
    around = np.ones((512, 512), bool)
    around[32:224, 160:352] = False
    assert (np.ptp(fields.morphed[:, around], axis=1) == 0).all()
    assert [field.shape for field in (fields.grid_change, fields.alpha, fields.color)] == [
        (2, 512, 512),
        (4, 512, 512),
        (4, 512, 512),
    ]


def test_a_pose_seen_before_is_not_computed_again_and_gives_the_same_bits(
    runtime: RecordingRuntime,
) -> None:
    poser = new_poser(runtime, cache_bytes=16 << 20)
    poser.set_picture(picture(100))
    poses = [
        pose(eyebrow_happy_left=brow, mouth_aaa=mouth) for brow in (0, 0.5) for mouth in (0, 0.7)
    ]
    first = [poser.render_float(values).copy() for values in poses]
    runtime.taken()
    for index in (2, 0, 3, 1, 2):
        np.testing.assert_array_equal(poser.render_float(poses[index]), first[index])
    assert not {BROWS, FACE} & set(runtime.taken())


def test_known_brows_serve_a_new_face(runtime: RecordingRuntime) -> None:
    poser = new_poser(runtime, cache_bytes=16 << 20)
    poser.set_picture(picture(100))
    poser.render(pose(eyebrow_happy_left=0.5))
    poser.render(pose())
    runtime.taken()
    wanted = pose(eyebrow_happy_left=0.5, mouth_aaa=0.2)
    np.testing.assert_array_equal(poser.render_float(wanted), fresh_frame(wanted))
    assert runtime.taken() == [FACE, ROTATE, EDIT]


def test_what_is_asked_of_the_cache_is_counted(runtime: RecordingRuntime) -> None:
    telemetry = Telemetry()
    poser = new_poser(runtime, telemetry, cache_bytes=16 << 20)
    poser.set_picture(picture(100))
    for mouth_aaa, head_x in ((0.1, 0), (0.2, 0), (0.2, 0.3), (0.1, 0)):
        poser.render(pose(mouth_aaa=mouth_aaa, head_x=head_x))
    assert telemetry.counters() == {
        "render.cache.brows.miss": 1,
        "render.cache.face.miss": 2,
        "render.cache.face.hit": 1,
    }


def test_a_new_quality_keeps_the_picture_and_what_is_known(
    poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    values = pose(mouth_aaa=0.25, head_x=0.5)
    exact = poser.render(values).copy()
    runtime.taken()
    for quality in (Quality.BALANCED, Quality.FAST, Quality.EXACT):
        poser.set_quality(quality)
        assert poser.quality is quality
    np.testing.assert_array_equal(poser.render(values), exact)
    assert poser.repeated
    assert runtime.taken() == []


@pytest.mark.parametrize("quality", [Quality.BALANCED, Quality.FAST])
def test_exact_frames_are_exact_whatever_was_shown_before(
    quality: Quality, poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    poser.set_quality(quality)
    for step in range(4):
        poser.render(pose(mouth_aaa=0.05 * step, head_x=0.01 * step))
    assert runtime.taken().count(EDIT) < 4, "nothing was left out, so this proves nothing"
    poser.set_quality(Quality.EXACT)
    wanted = pose(mouth_aaa=0.15, head_x=0.03)
    np.testing.assert_array_equal(poser.render_float(wanted), fresh_frame(wanted))


def test_automatic_quality_is_exact_without_a_governor(poser: Tha3Poser[F32Array]) -> None:
    poser.set_quality(Quality.AUTO)
    assert poser.quality is Quality.EXACT


@pytest.mark.parametrize("stage", [BROWS, FACE, ROTATE, EDIT])
def test_after_a_failure_nothing_half_done_is_used(
    stage: Stage, poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    shown = poser.render(pose(eyebrow_happy_left=0.5, mouth_aaa=0.5))
    before = shown.copy()
    wanted = pose(eyebrow_happy_left=0.7, mouth_aaa=0.7)
    runtime.fails_at = stage
    with pytest.raises(InferenceError, match=f"{stage} failed"):
        poser.render(wanted)
    np.testing.assert_array_equal(shown, before)
    runtime.fails_at = None
    poser.render(wanted)
    assert not poser.repeated
    np.testing.assert_array_equal(poser.render_float(wanted), fresh_frame(wanted))


@pytest.mark.parametrize("as_float", [False, True])
@pytest.mark.parametrize("stage", [BROWS, FACE, ROTATE, EDIT])
def test_numbers_that_are_not_finite_are_never_shown_nor_kept(
    stage: Stage, as_float: bool, poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    shown = poser.render(pose(eyebrow_happy_left=0.5))
    before = shown.copy()
    wanted = pose(eyebrow_happy_left=0.7)
    runtime.spoils = stage
    with pytest.raises(InferenceError, match="not finite"):
        (poser.render_float if as_float else poser.render)(wanted)
    np.testing.assert_array_equal(shown, before)
    runtime.spoils = None
    np.testing.assert_array_equal(poser.render_float(wanted), fresh_frame(wanted))


def test_a_new_picture_leaves_nothing_of_the_old(
    poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    values = pose(mouth_aaa=0.5)
    old = poser.render(values).copy()
    runtime.taken()
    poser.set_picture(picture(200))
    new = poser.render(values)
    assert runtime.taken() == [Stage.DECOMPOSE, BROWS, FACE, ROTATE, EDIT]
    assert not poser.repeated
    assert not np.array_equal(new, old)


def test_a_picture_that_spoils_the_decomposer_is_refused_at_once(
    poser: Tha3Poser[F32Array], runtime: RecordingRuntime
) -> None:
    runtime.spoils = Stage.DECOMPOSE
    with pytest.raises(InferenceError, match="decomposer gave numbers that are not finite"):
        poser.set_picture(picture(200))
    with pytest.raises(InferenceError, match="no picture"):
        poser.render(pose())


def test_times_of_the_stages_that_ran_are_counted(runtime: RecordingRuntime) -> None:
    telemetry = Telemetry(runtime.clock)
    poser = new_poser(runtime, telemetry)
    poser.set_picture(picture(100))
    for head_x in (0.1, 0.1, 0.2):
        poser.render(pose(head_x=head_x))
    counts = {stage: summary.count for stage, summary in telemetry.latencies().items()}
    assert counts == {
        "render.decompose": 1,
        "render.brows": 1,
        "render.face": 1,
        "render.rotate": 2,
        "render.edit": 2,
        "render.fields": 3,
        "render.composite": 2,
    }
    assert telemetry.latencies()["render.edit"].max_ms == pytest.approx(10)


def test_frames_given_out_are_not_written_through(poser: Tha3Poser[F32Array]) -> None:
    planes = poser.render_float(pose())
    with pytest.raises(ValueError, match="read-only"):
        planes[0, 0, 0] = 1


def test_closing_closes_the_runtime(poser: Tha3Poser[F32Array], runtime: RecordingRuntime) -> None:
    poser.close()
    assert runtime.closed
