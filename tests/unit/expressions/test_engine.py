from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest

from tests.support.expressions import FPS, Stage, face_of, library_of, pose_of
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import Pose
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.library import ExpressionLibrary
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA1

SMILE = """
[expressions.smile]
values = { mouth_raised_corner = 1 }
fade_in_s = 0.2
fade_out_s = 0.4
"""
NOD = """
[expressions.nod]
mode = "one_shot"
blend = "add"
keyframes = [ { at_s = 0.2, values = { head_x = -0.5 } }, { at_s = 0.5, values = { head_x = 0 } } ]
"""
CORNER, HEAD_X = PoseParam.MOUTH_RAISED_CORNER_LEFT, PoseParam.HEAD_X


def test_with_nothing_on_the_pose_is_the_very_same() -> None:
    stage = Stage(SMILE)
    assert stage.step() is stage.pose
    stage.engine.trigger("smile")
    assert stage.settle() is not stage.pose
    stage.engine.trigger("smile")
    assert stage.settle() is stage.pose


def test_toggle_stays_until_it_is_triggered_again() -> None:
    stage = Stage(SMILE)
    stage.engine.trigger("smile", by="osc")
    rising = stage.film(0.4)[:, CORNER]
    assert (np.diff(rising) >= 0).all()
    assert rising[-1] == 1.0
    assert 0.45 < rising[round(0.1 * FPS)] < 0.55, "halfway after half of fade_in_s"
    state = stage.states["smile"]
    assert (state.active, state.amount, state.triggers) == (True, 1.0, ("osc",))
    stage.engine.trigger("smile")
    falling = stage.film(0.6)[:, CORNER]
    assert 0.45 < falling[round(0.2 * FPS)] < 0.55
    assert falling[-1] == 0.0
    assert not stage.active()


def test_explicit_positions_can_be_repeated() -> None:
    stage = Stage(SMILE)
    for _ in range(3):
        stage.engine.trigger("smile", True)
    stage.settle()
    assert stage.active() == {"smile"}
    for _ in range(3):
        stage.engine.trigger("smile", False)
    stage.settle()
    assert stage.active() == set()


def test_hold_ends_when_its_key_is_let_go() -> None:
    stage = Stage(SMILE + 'mode = "hold"')
    stage.engine.trigger("smile", True)
    stage.settle(10.0)
    assert stage.active() == {"smile"}
    stage.engine.trigger("smile", False)
    stage.settle()
    assert stage.active() == set()


def test_timed_ends_by_itself_and_counts_anew_when_triggered_again() -> None:
    stage = Stage(SMILE + 'mode = "timed"\nduration_s = 1')
    stage.engine.trigger("smile")
    stage.engine.trigger("smile", False)  # the key is let go at once
    stage.settle(0.8)
    stage.engine.trigger("smile")
    stage.settle(0.8)
    assert stage.active() == {"smile"}
    stage.settle(0.3)
    assert stage.active() == set()
    assert stage.settle(0.5) is stage.pose


def test_one_shot_plays_once_and_once_more_if_asked_meanwhile() -> None:
    stage = Stage(NOD)
    stage.engine.trigger("nod")
    stage.film(0.2)
    for _ in range(5):
        stage.engine.trigger("nod", True)
        stage.engine.trigger("nod", False)
    head = stage.film(4.0)[:, HEAD_X]
    lowest = np.flatnonzero(
        (head[1:-1] < head[:-2]) & (head[1:-1] <= head[2:]) & (head[1:-1] < -0.4)
    )
    assert len(lowest) == 2, "the rest of the first, and one more"
    assert np.abs(np.diff(head)).max() < 0.06
    assert head[-1] == 0.0


def test_release_cuts_short_what_plays_and_what_waits() -> None:
    stage = Stage(NOD)
    stage.engine.trigger("nod")
    stage.engine.trigger("nod")
    stage.film(0.2)
    stage.engine.release("nod")
    head = stage.film(2.0)[:, HEAD_X]
    assert (head[round(0.4 * FPS) :] == 0.0).all()


def test_clear_ends_everything() -> None:
    stage = Stage(SMILE + NOD)
    stage.engine.trigger("smile")
    stage.engine.trigger("nod")
    stage.film(0.1)
    stage.engine.clear()
    assert stage.settle() is stage.pose


def test_a_fade_that_turns_back_goes_on_from_where_it_is() -> None:
    stage = Stage(SMILE + 'easing = "ease_out"\neasing_out = "ease_in"')
    corner = []
    for _ in range(12):
        stage.engine.trigger("smile")
        corner += stage.film(0.07)[:, CORNER].tolist()
    assert np.abs(np.diff(corner)).max() <= 2.0 / (0.2 * FPS) * 1.01


def test_unknown_name_is_refused_with_near_ones() -> None:
    stage = Stage(SMILE)
    with pytest.raises(KeyError, match="did you mean smile"):
        stage.engine.trigger("smiel")
    with pytest.raises(KeyError, match="no expression is called"):
        stage.engine.release("x" * 1000)


BLENDS = """
[expressions.face]
priority = {priority}
blend = "{blend}"
fade_in_s = 0
values = {{ mouth_aaa = 0.5, head_x = -0.4 }}
weights = {{ mouth_aaa = {weight} }}
"""


@pytest.mark.parametrize(
    ("blend", "weight", "face", "shown"),
    [
        ("override", 1, 0.9, 0.5),
        ("override", 0.5, 0.9, 0.7),
        ("override", 0, 0.9, 0.9),
        ("add", 1, 0.2, 0.7),
        ("add", 0.5, 0.2, 0.45),
        ("add", 1, 0.9, 1.0),
        ("max", 1, 0.2, 0.5),
        ("max", 1, 0.9, 0.9),
        ("max", 0.5, 0.1, 0.3),
    ],
)
def test_each_blend_follows_its_law(blend: str, weight: float, face: float, shown: float) -> None:
    stage = Stage(BLENDS.format(priority=0, blend=blend, weight=weight))
    stage.pose = pose_of(mouth_aaa=face)
    stage.engine.trigger("face")
    stage.step()
    assert stage.value("mouth_aaa") == pytest.approx(shown)


@pytest.mark.parametrize(("face", "shown"), [(0.3, -0.4), (-0.2, -0.4), (-0.8, -0.8)])
def test_max_of_a_signed_parameter_is_on_the_expressions_side(face: float, shown: float) -> None:
    stage = Stage(BLENDS.format(priority=0, blend="max", weight=1))
    stage.pose = pose_of(head_x=face)
    stage.engine.trigger("face")
    stage.step()
    assert stage.value("head_x") == pytest.approx(shown)


@pytest.mark.parametrize("order", [("low", "high"), ("high", "low")])
def test_the_higher_priority_wins_whatever_came_last(order: tuple[str, str]) -> None:
    stage = Stage(
        "[expressions.low]\npriority = -3\nvalues = { mouth_aaa = 0.25 }\n"
        "[expressions.high]\npriority = 3\nvalues = { mouth_aaa = 0.75 }"
    )
    for name in order:
        stage.engine.trigger(name)
        stage.settle()
    assert stage.value("mouth_aaa") == 0.75
    stage.engine.trigger("high", False)
    stage.settle()
    assert stage.value("mouth_aaa") == 0.25


def test_among_equals_the_later_one_wins() -> None:
    stage = Stage(
        "[expressions.a]\nvalues = { mouth_aaa = 0.25 }\n"
        "[expressions.b]\nvalues = { mouth_aaa = 0.75 }"
    )
    for name in ("b", "a"):
        stage.engine.trigger(name)
        stage.settle()
    assert stage.value("mouth_aaa") == 0.25


def test_of_a_group_one_is_on_at_a_time() -> None:
    stage = Stage(
        "".join(f"[expressions.{n}]\ngroup = 'mood'\nvalues = {{ head_x = 1 }}\n" for n in "abc")
        + "[expressions.free]\nvalues = { head_y = 1 }"
    )
    for name in ("free", "a", "b"):
        stage.engine.trigger(name)
        stage.step()
    assert stage.active() == {"free", "b"}


def test_rest_lays_the_other_parameters_of_a_part_to_rest() -> None:
    stage = Stage("[expressions.a]\nrest = ['mouth']\nvalues = { mouth_uuu = 0.5 }")
    stage.pose = pose_of(mouth_aaa=0.9, mouth_uuu=0.1, head_x=0.3)
    stage.engine.trigger("a")
    shown = stage.settle().values
    assert shown[PoseParam.MOUTH_AAA] == 0.0
    assert shown[PoseParam.MOUTH_UUU] == 0.5
    assert shown[PoseParam.HEAD_X] == np.float32(0.3)


def test_a_blink_makes_room_for_the_lids_of_an_expression() -> None:
    stage = Stage("[expressions.joy]\nvalues = { eye_happy_wink = 0.75 }")
    stage.pose = pose_of(eye_wink_left=1.0)
    stage.engine.trigger("joy")
    shown = stage.settle().values
    assert shown[PoseParam.EYE_HAPPY_WINK_LEFT] == 0.75
    assert shown[PoseParam.EYE_WINK_LEFT] == 0.25
    assert shown[PoseParam.EYE_WINK_RIGHT] == 0.0


WHEN = SMILE + 'when = "mouth_aaa > 0.6"\n'


def test_condition_switches_on_and_off() -> None:
    stage = Stage(WHEN)
    stage.pose = pose_of(mouth_aaa=0.8)
    stage.settle(0.05)
    assert not stage.active(), "not before it has held for a while"
    stage.settle(0.2)
    assert stage.states["smile"].triggers == ("condition",)
    stage.pose = pose_of(mouth_aaa=0.1)
    stage.settle(0.2)
    assert stage.active()
    stage.settle(0.3)
    assert not stage.active()


def test_a_trembling_face_does_not_make_it_flicker() -> None:
    stage = Stage(WHEN)
    switched = 0
    rng = np.random.default_rng(1)
    was = stage.active()
    for _ in range(1000):
        stage.pose = pose_of(mouth_aaa=0.6 + float(rng.choice([-0.02, 0.02])))
        stage.step()
        switched += stage.active() != was
        was = stage.active()
    assert switched <= 1


def test_until_is_a_threshold_of_its_own() -> None:
    stage = Stage(WHEN + 'until = "mouth_aaa < 0.2"')
    stage.pose = pose_of(mouth_aaa=0.8)
    stage.settle(1.0)
    stage.pose = pose_of(mouth_aaa=0.3)
    stage.settle(1.0)
    assert stage.active()
    stage.pose = pose_of(mouth_aaa=0.1)
    stage.settle(1.0)
    assert not stage.active()


def test_condition_sees_the_trackers_own_shapes() -> None:
    stage = Stage(SMILE + 'when = "jawOpen > 0.5"')
    stage.face = face_of(jawOpen=0.9)
    stage.settle(0.5)
    assert stage.active() == {"smile"}


def test_condition_does_not_mistake_idle_motion_for_the_face() -> None:
    stage = Stage(WHEN + '[expressions.alone]\nvalues = { head_y = 1 }\nwhen = "not tracked"')
    stage.pose, stage.face = pose_of(mouth_aaa=0.9), None
    stage.settle(1.0)
    assert stage.active() == {"alone"}
    coverage = np.ones(POSE_SIZE, np.float32)
    coverage[PoseParam.MOUTH_AAA] = 0.0
    stage.face = face_of()
    stage.pose = Pose(stage.pose.values, 5, 1.0, coverage)
    stage.settle(1.0)
    assert stage.active() == set(), "what no tracker covers is idle motion too"


def test_condition_that_is_silent_about_tracking_wants_a_face() -> None:
    stage = Stage(SMILE + 'when = "mouth_aaa < 0.1"')
    stage.face = None
    stage.settle(1.0)
    assert stage.active() == set()
    stage.face = face_of()
    stage.settle(1.0)
    assert stage.active() == {"smile"}


def test_who_is_switched_off_by_hand_stays_off_until_the_condition_comes_again() -> None:
    stage = Stage(WHEN)
    stage.pose = pose_of(mouth_aaa=0.8)
    stage.settle(1.0)
    stage.engine.trigger("smile")
    stage.settle(3.0)
    assert not stage.active()
    stage.pose = pose_of()
    stage.settle(1.0)
    stage.pose = pose_of(mouth_aaa=0.8)
    stage.settle(1.0)
    assert stage.active()


def test_the_end_of_a_condition_does_not_end_what_was_switched_on_by_hand() -> None:
    stage = Stage(WHEN)
    stage.engine.trigger("smile", by="osc")
    stage.pose = pose_of(mouth_aaa=0.8)
    stage.settle(1.0)
    assert set(stage.states["smile"].triggers) == {"osc", "condition"}
    stage.pose = pose_of()
    stage.settle(1.0)
    assert stage.states["smile"].triggers == ("osc",)


def test_condition_fires_a_one_shot_once() -> None:
    stage = Stage(NOD + 'when = "mouth_aaa > 0.6"')
    stage.pose = pose_of(mouth_aaa=0.8)
    head = stage.film(5.0)[:, HEAD_X]
    assert head.min() < -0.4
    assert (head[-300:] == 0.0).all()


RANDOM = NOD + NOD.replace("nod", "bow") + "[random.r]\nevery_s = [1, 3]\nchoose = {nod=3, bow=1}\n"


def test_chance_keeps_its_pauses_and_its_weights() -> None:
    stage = Stage(RANDOM, seed=3)
    starts: list[tuple[int, str]] = []
    before: set[str] = set()
    for _ in range(400 * FPS):
        stage.step()
        active = stage.active()
        starts += [(stage.beat, name) for name in active - before]
        before = active
    pauses = np.diff([beat for beat, _ in starts]) / FPS
    assert pauses.min() >= 0.99
    assert pauses.max() <= 3.02
    share = sum(name == "nod" for _, name in starts) / len(starts)
    assert 0.65 < share < 0.85


def test_the_same_seed_gives_the_same_chance() -> None:
    films = [Stage(RANDOM, seed=seed).film(20.0) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(films[0], films[1])
    assert (films[0] != films[2]).any()


def test_chance_begins_nothing_while_one_of_its_choices_plays() -> None:
    slow = NOD.replace("at_s = 0.5", "at_s = 2.5")
    table = "[random.r]\nevery_s = [1, 1]\nchoose = { nod = 1, bow = 1 }"
    stage = Stage(slow + slow.replace("nod", "bow") + table)
    most = 0
    for _ in range(60 * FPS):
        stage.step()
        most = max(most, len(stage.active()))
    assert most == 1


def test_chance_waits_for_its_condition() -> None:
    stage = Stage(RANDOM + 'when = "not tracked"')
    assert (stage.film(20.0) == 0.0).all()
    stage.face = None
    assert (stage.film(10.0) != 0.0).any()


def test_timeline_loops_without_a_seam() -> None:
    stage = Stage(
        "[expressions.sway]\nblend = 'add'\nloop = true\nlength_s = 1\nfade_in_s = 0\n"
        "keyframes = [{at_s = 0.3, values = {head_y = 0.4}},\n"
        "{at_s = 0.7, values = {head_y = -0.4}}]"
    )
    stage.engine.trigger("sway")
    yaw = stage.film(5.0)[:, PoseParam.HEAD_Y]
    assert np.abs(np.diff(yaw)).max() < 1.5 * 0.8 / (0.4 * FPS) * 1.01
    np.testing.assert_allclose(yaw[1:100], yaw[101:200], atol=1e-6)
    assert yaw.max() == pytest.approx(0.4, abs=0.01)


def test_keyframes_arrive_at_their_moments_each_parameter_on_its_own_way() -> None:
    stage = Stage(
        "[expressions.a]\nmode = 'one_shot'\nfade_in_s = 0\nvalues = {mouth_aaa = 1}\n"
        "keyframes = [\n"
        "{at_s = 0.5, values = {head_y = 0.5}},\n"
        "{at_s = 1.0, values = {head_x = 1}, easing = 'linear'},\n"
        "{at_s = 2.0, values = {head_y = 0.25}, easing = 'linear'}]"
    )
    stage.engine.trigger("a")
    film = stage.film(2.0)
    at = {label: film[:, PoseParam[label]] for label in ("HEAD_X", "HEAD_Y", "MOUTH_AAA")}
    assert at["HEAD_Y"][50] == pytest.approx(0.5)
    assert at["HEAD_Y"][125] == pytest.approx(0.375)
    assert at["HEAD_X"][50] == pytest.approx(0.5, abs=0.01)
    assert at["HEAD_X"][100] == at["HEAD_X"][150] == 1.0
    assert (at["MOUTH_AAA"] == 1.0).all()


def test_another_set_keeps_what_is_unchanged_and_fades_over_the_rest() -> None:
    stage = Stage(SMILE + "[expressions.sad]\nvalues = { mouth_lowered_corner = 1 }")
    for name in ("smile", "sad"):
        stage.engine.trigger(name)
    stage.settle()
    order = stage.states
    changed = SMILE + "[expressions.sad]\nvalues = { mouth_lowered_corner = 0.5 }"
    stage.engine.use(library_of(changed))
    film = stage.film(1.0)
    assert order["smile"] == stage.states["smile"]
    assert (film[:, CORNER] == 1.0).all()
    lowered = film[:, PoseParam.MOUTH_LOWERED_CORNER_LEFT]
    assert (lowered[0], lowered[-1]) == (1.0, 0.5)
    assert np.abs(np.diff(lowered)).max() < 0.12
    assert stage.active() == {"smile", "sad"}
    stage.engine.use(library_of(""))
    film = stage.film(1.0)
    assert np.abs(np.diff(film, axis=0)).max() < 0.08
    assert stage.step() is stage.pose
    assert stage.engine.names() == ()


def test_a_flood_of_triggers_takes_no_memory_and_names_that_went_do_no_harm() -> None:
    stage = Stage(SMILE)
    for _ in range(100_000):
        stage.engine.trigger("smile", True)
    stage.engine.use(library_of(NOD))
    stage.settle()
    assert stage.active() == set()


def test_changes_are_told_once_each() -> None:
    stage = Stage(SMILE)
    stage.settle(0.1)
    first = stage.engine.changes.peek()
    assert first is not None
    stage.engine.trigger("smile")
    stage.settle(1.0)
    second = stage.engine.changes.peek()
    assert second is not None
    assert second.seq == first.seq + 1, "though the amount changed all the time"
    assert [state.active for state in second.value] == [True]


def test_triggers_from_many_threads_never_disturb_the_pose() -> None:
    stage = Stage(SMILE + NOD)
    done = threading.Event()

    def press(name: str) -> None:
        while not done.is_set():
            with contextlib.suppress(KeyError):  # just now there is none of that name
                stage.engine.trigger(name)
            stage.engine.state()

    threads = [threading.Thread(target=press, args=(name,)) for name in ("smile", "nod") * 2]
    for thread in threads:
        thread.start()
    try:
        film = stage.film(2.0)
        for text in (SMILE, NOD, SMILE + NOD):
            stage.engine.use(library_of(text))
            film = np.concatenate([film, stage.film(0.2)])
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert np.isfinite(film).all()


def test_suspend_leaves_no_trace() -> None:
    stage = Stage(SMILE + NOD)
    stage.engine.trigger("nod")
    stage.film(0.1)
    stage.beat += 7200 * FPS
    assert stage.settle(0.5) is stage.pose


def test_time_that_stands_still_or_turns_back_changes_nothing() -> None:
    engine = ExpressionEngine(library_of(SMILE))
    engine.trigger("smile")
    pose = pose_of()
    for t_s in (1.0, 1.1, 1.1, 1.05):
        shown = engine.apply(pose, None, round(t_s * NS_PER_S)).values
        assert 0.0 <= shown[CORNER] <= 1.0


def test_what_is_told_beside_the_values_stays() -> None:
    stage = Stage(SMILE)
    stage.pose = Pose(stage.pose.values, 7, 0.5, np.ones(POSE_SIZE, np.float32))
    stage.engine.trigger("smile")
    shown = stage.settle()
    assert (shown.t_ns, shown.presence, shown.coverage) == (7, 0.5, stage.pose.coverage)
    assert not stage.pose.values.any()


def test_another_character_systems_pose_is_refused() -> None:
    engine = ExpressionEngine(ExpressionLibrary({}))
    with pytest.raises(ValueError, match="not THA1"):
        engine.apply(Pose(np.zeros(6, np.float32), schema=THA1), None, 1)
