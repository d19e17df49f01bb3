"""Whatever is triggered when, poses stay in range, fades stay smooth, and faces come back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.expression_tables import SHARES, in_range, tables
from tests.support.expressions import NAMES
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, FaceFrame, Pose
from vtbridge.expressions.easing import MAX_SLOPE, Easing
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.layer import expression_from_table
from vtbridge.expressions.library import ExpressionLibrary, builtin_library
from vtbridge.expressions.model import Blend, ExpressionTable
from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3

pytestmark = pytest.mark.property

LOW, HIGH = np.array(POSE_MIN, np.float32), np.array(POSE_MAX, np.float32)
LIDS = {lid for eye in THA3.eyes for lid in eye}
FREE = [param for param in PoseParam if param not in LIDS]


@st.composite
def poses(draw: st.DrawFn) -> Pose:
    shares = draw(st.lists(SHARES, min_size=POSE_SIZE, max_size=POSE_SIZE))
    values = np.array([in_range(p, s) for p, s in zip(PoseParam, shares, strict=True)])
    return Pose(THA3.share_lids(values).astype(np.float32), 5)


def library(parts: list[ExpressionTable]) -> ExpressionLibrary:
    return ExpressionLibrary(
        {f"e{i}": expression_from_table(f"e{i}", table, NAMES) for i, table in enumerate(parts)}
    )


ACTIONS = st.tuples(
    st.integers(0, 3), st.sampled_from([None, True, False, "release", "clear", "swap"])
)
STEPS = st.lists(
    st.tuples(st.floats(0, 0.4), st.lists(ACTIONS, max_size=2)), min_size=1, max_size=25
)


def act(engine: ExpressionEngine, sets: list[ExpressionLibrary], which: int, what: object) -> None:
    names = engine.names()
    name = names[which % len(names)]
    match what:
        case "release":
            engine.release(name)
        case "clear":
            engine.clear()
        case "swap":
            engine.use(sets[which % len(sets)])
        case _:
            engine.trigger(name, what if isinstance(what, bool) else None)


SETS = st.lists(st.lists(tables(), min_size=1, max_size=5), min_size=1, max_size=2)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(SETS, poses(), STEPS, st.booleans())
def test_values_stay_finite_and_in_range_and_the_face_comes_back(
    tables_: list[list[ExpressionTable]],
    pose: Pose,
    steps: list[tuple[float, list[tuple[int, object]]]],
    tracked: bool,
) -> None:
    sets = [library(parts) for parts in tables_]
    engine = ExpressionEngine(sets[0], seed=1)
    face = FaceFrame(5, blendshapes={"jawOpen": 0.4}) if tracked else None
    now_ns = NS_PER_S
    for seconds, actions in steps:
        for which, what in actions:
            act(engine, sets, which, what)
        now_ns += round(seconds * NS_PER_S)
        shown = engine.apply(pose, face, now_ns).values
        assert np.isfinite(shown).all()
        assert (shown >= LOW).all()
        assert (shown <= HIGH).all()
        for eye in THA3.eyes:
            assert sum(float(shown[lid]) for lid in eye) <= 1.0 + 1e-5
        for state in engine.state():
            assert 0.0 <= state.amount <= 1.0
    engine.use(library([ExpressionTable(values={"head_x": 1.0})]))
    engine.clear()
    for _ in range(200):
        now_ns += NS_PER_S // 50
        shown_pose = engine.apply(pose, face, now_ns)
    assert shown_pose is pose, "the very same, bit for bit"


def steepest(table: ExpressionTable, beat_s: float) -> F32Array:
    """Return how far each parameter may go in one beat: by its fades, and by its keyframes."""
    easings = (table.easing, table.easing_out or table.easing)
    fade = max(
        MAX_SLOPE[easings[0]] / table.fade_in_s, MAX_SLOPE[easings[1]] / min(table.fade_out_s, 0.3)
    )
    moments = [0.0, *(frame.at_s for frame in table.keyframes)]
    if table.length_s is not None:
        moments.append(table.length_s)
    gaps = [after - before for before, after in pairwise(moments)]
    way = 2.0 * MAX_SLOPE[Easing.SMOOTH] / min(gaps) if gaps else 0.0
    reach = np.where(LOW < 0, 2.0, 1.0)
    return ((fade * reach + way) * beat_s * 1.02 + 1e-5).astype(np.float32)


@SLOW
@given(tables(params=FREE), poses(), st.lists(st.lists(ACTIONS, max_size=1), min_size=1))
def test_no_step_is_larger_than_the_easing_allows(
    table: ExpressionTable, pose: Pose, steps: list[list[tuple[int, object]]]
) -> None:
    other = ExpressionTable(values={"iris_small_left": 0.0}, priority=-9, blend=Blend.ADD)
    sets = [library([table]), library([other])]
    engine = ExpressionEngine(sets[0], seed=1)
    now_ns, beat_s = NS_PER_S, 1 / 60
    # Two of its own, the one that fades away and the one that comes, may move at once.
    most = 2.0 * steepest(table, beat_s)
    before = pose.values
    for actions in steps:
        for which, what in actions:
            act(engine, sets, which, what)
        for _ in range(6):
            now_ns += round(beat_s * NS_PER_S)
            shown = engine.apply(pose, FaceFrame(5), now_ns).values
            step = np.abs(shown - before)
            assert (step <= most).all(), (step - most).max()
            before = shown


@SLOW
@given(
    st.lists(tables(params=FREE), min_size=1, max_size=4), poses(), st.sampled_from(FREE), SHARES
)
def test_the_highest_priority_has_the_last_word(
    lower: list[ExpressionTable], pose: Pose, param: PoseParam, share: float
) -> None:
    value = in_range(param, share)
    highest = ExpressionTable(values={param.label: value}, priority=9)
    rivals = [table.model_copy(update={"when": None, "group": ""}) for table in lower]
    engine = ExpressionEngine(library([highest, *rivals]))
    for name in engine.names():
        engine.trigger(name, True)
    for beat in range(60):
        shown = engine.apply(pose, None, NS_PER_S + beat * NS_PER_S // 60).values
    assert shown[param] == np.float32(value)


@SLOW
@given(st.sampled_from(FREE), SHARES, SHARES, st.sampled_from(Blend), poses())
def test_each_blend_follows_its_law(
    param: PoseParam, share: float, weight: float, blend: Blend, pose: Pose
) -> None:
    target, face = in_range(param, share), float(pose.values[param])
    table = ExpressionTable(
        values={param.label: target}, weights={param.label: weight}, blend=blend, fade_in_s=0
    )
    engine = ExpressionEngine(library([table]))
    engine.trigger("e0")
    engine.apply(pose, None, NS_PER_S)
    shown = float(engine.apply(pose, None, 2 * NS_PER_S).values[param])
    goal = {
        Blend.OVERRIDE: target,
        Blend.ADD: face + target,
        Blend.MAX: max(face, target) if target >= 0 else min(face, target),
    }[blend]
    expected = min(max(face + (goal - face) * weight, POSE_MIN[param]), POSE_MAX[param])
    assert shown == pytest.approx(expected, abs=1e-6)
    others = np.arange(POSE_SIZE) != param
    assert (engine.apply(pose, None, 3 * NS_PER_S).values[others] == pose.values[others]).all()


@SLOW
@given(poses(), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=1))
def test_the_built_in_set_is_smooth_over_any_face_that_holds_still(
    pose: Pose, presses: list[tuple[int, int]]
) -> None:
    engine = ExpressionEngine(builtin_library(NAMES), seed=1)
    names, now_ns, before = engine.names(), NS_PER_S, pose.values
    for which, beats in presses:
        engine.trigger(names[which % len(names)])
        for _ in range(beats):
            now_ns += NS_PER_S // 60
            shown = engine.apply(pose, FaceFrame(5), now_ns).values
            assert np.abs(shown - before).max() < 0.75, "the quickest fade takes five beats"
            before = shown
