"""A pose held by hand is shown to the bit, and comes and goes without a jump."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtbridge.app.manual_pose import FADE_S, ManualPose
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, Pose
from vtbridge.pose_params import POSE_SIZE, PoseParam

BEAT_NS = NS_PER_S // 60
FADE_BEATS = int(FADE_S * 60) + 2


def full(value: float) -> F32Array:
    return np.full(POSE_SIZE, value, np.float32)


class Show:
    """Beats of a render loop whose face stays as it is."""

    def __init__(self, face: float = 0.0) -> None:
        self.manual = ManualPose()
        self.face = full(face)
        self.now_ns = 0

    def beat(self, count: int = 1) -> F32Array:
        for _ in range(count):
            self.now_ns += BEAT_NS
            shown = self.manual.apply(Pose(self.face.copy(), t_ns=7), self.now_ns)
            assert shown.t_ns == 7
        return shown.values


def test_held_pose_is_shown_to_the_bit_once_it_has_faded_in() -> None:
    show = Show(face=0.5)
    show.beat()
    held = full(1 / 3)
    show.manual.hold(held, "page")
    held[:] = 9  # what the caller does with its array later is its own business
    assert show.manual.held
    assert (show.beat(FADE_BEATS) == full(1 / 3)).all()


def test_released_pose_leaves_the_face_as_it_is() -> None:
    show = Show(face=0.25)
    show.manual.hold(full(1.0), "page")
    show.beat(FADE_BEATS)
    show.manual.release("page")
    assert not show.manual.held
    assert 0.25 < show.beat(FADE_BEATS // 2).max() < 1.0
    assert (show.beat(FADE_BEATS) == show.face).all()


def test_only_who_holds_it_or_an_order_to_everybody_releases_a_pose() -> None:
    manual = ManualPose()
    manual.hold(full(1.0), "second page")
    manual.release("first page")
    assert manual.held
    manual.release()
    assert not manual.held


def test_values_beyond_their_range_are_clamped() -> None:
    show = Show()
    show.manual.hold(full(-1.0), "page")
    shown = show.beat(FADE_BEATS)
    assert shown[PoseParam.MOUTH_AAA] == 0.0
    assert shown[PoseParam.HEAD_X] == -1.0


@given(st.lists(st.sampled_from(["hold", "release", "beat", "beat"]), max_size=80))
def test_shown_pose_never_jumps(steps: list[str]) -> None:
    show = Show()
    show.beat()
    last = 0.0
    for step in steps:
        match step:
            case "hold":
                show.manual.hold(full(1.0), "page")
            case "release":
                show.manual.release()
            case _:
                now = float(show.beat()[PoseParam.MOUTH_AAA])
                # An eased step is at most 1.5 times the even one.
                assert abs(now - last) <= 1.5 / (FADE_S * 60) + 1e-6
                last = now
