"""What the way from a face to a pose costs, in microseconds; prints, asserts nothing slow."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from scipy.optimize import lsq_linear  # type: ignore[import-untyped]  # scipy ships no types

from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.retarget.arkit_to_tha import BROW_NAMES, EYELID_NAMES, MOUTH_NAMES, SMILE_NAMES
from vtbridge.retarget.gaze import ARKIT_LOOK_NAMES
from vtbridge.retarget.mouth import MOUTH_SHAPES, solve_mouth_weights
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings

NAMES = (*BROW_NAMES, *EYELID_NAMES, *MOUTH_NAMES, *SMILE_NAMES, *ARKIT_LOOK_NAMES)


def best_us(work: Callable[[], object], number: int = 500) -> float:
    return min(timeit.repeat(work, timer=time.thread_time, number=number, repeat=7)) / number * 1e6


def test_print_cost_of_the_mouth_solver() -> None:
    measured = (0.4, 0.3, 0.2, 0.5)
    lips_from_weights = np.array(MOUTH_SHAPES).T
    ours = best_us(lambda: solve_mouth_weights(*measured))
    bvls = best_us(
        lambda: lsq_linear(lips_from_weights, measured, (0, 1), method="bvls"), number=100
    )
    print(f"\nmouth solver {ours:.1f} us, scipy's bvls {bvls:.1f} us")


def test_print_cost_of_one_frame() -> None:
    rng = np.random.default_rng(0)
    faces = [
        FaceFrame(
            10**9 + i * 16_666_667,
            blendshapes=dict(zip(NAMES, rng.random(len(NAMES)).tolist(), strict=True)),
            head=HeadPose(0.1, 0.05, 0.02),
        )
        for i in range(8 * 500)
    ]
    retargeter, idle = Retargeter(RetargetSettings()), IdleMotion(IdleSettings(), seed=1)
    retargeter.load_calibration(
        {"head_rad": [0.05, 0.0, 0.0], "iris": [0.0, 0.0], "rest": dict.fromkeys(NAMES, 0.05)}
    )
    upcoming = iter(faces)
    feed = best_us(lambda: retargeter.feed(next(upcoming)))
    now_ns = faces[-1].t_ns
    pose_at = best_us(lambda: retargeter.pose_at(now_ns))
    lost = Retargeter(RetargetSettings()).pose_at(now_ns)
    apply = best_us(lambda: idle.apply(lost, now_ns))
    print(f"\nfeed {feed:.1f} us, pose_at {pose_at:.1f} us, idle.apply {apply:.1f} us")


@pytest.mark.parametrize("preset", ["vtbridge", "reference"])
@pytest.mark.parametrize("head", [HeadPose(0.1, 0.05, 0.02), None], ids=["whole", "without head"])
def test_print_median_of_feed_and_pose_at(
    preset: Literal["vtbridge", "reference"], head: HeadPose | None
) -> None:
    """Each face is mapped and shown once, as in a daemon whose tracker is as fast as it."""
    rng = np.random.default_rng(0)
    retargeter = Retargeter(RetargetSettings(preset=preset))
    costs_us = []
    for i in range(3000):
        shapes = dict(zip(NAMES, rng.random(len(NAMES)).tolist(), strict=True))
        face = FaceFrame(10**9 + i * 16_666_667, blendshapes=shapes, head=head)
        start_ns = time.thread_time_ns()
        retargeter.feed(face)
        retargeter.pose_at(face.t_ns)
        costs_us.append((time.thread_time_ns() - start_ns) / 1000)
    p50, p99 = np.percentile(costs_us, [50, 99])
    print(f"\n{preset}, {'whole' if head else 'without head'}: {p50:.0f} us, p99 {p99:.0f} us")
