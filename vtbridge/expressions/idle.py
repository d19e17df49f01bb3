"""Breathing always, and a life of its own while no face drives the character.

Every motion is smooth: breathing and sway are sums of sines, irises move along
minimum-jerk paths, lids along a curve that closes faster than it opens.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import Pose
from vtbridge.expressions.settings import IdleSettings
from vtbridge.pose_params import POSE_SIZE, PoseParam

F64Array = NDArray[np.float64]

_CLOSING_SHARE, _CLOSED_SHARE = 0.35, 0.1
"""Parts of a blink: lids fall in a third of it, rest, and rise in the remaining half."""
_DOUBLE_BLINK_SHARE = 0.12
"""Share of blinks that a second one follows at once."""

# Parameter, share of the sway setting, and the swings that move it: (speed, share) pairs
# whose speeds have no common period, so that the motion never repeats.
_SWAY_ROWS = (
    (PoseParam.HEAD_X, 0.7, ((1.0, 0.6), (0.437, 0.4))),
    (PoseParam.HEAD_Y, 1.0, ((0.618, 0.7), (1.414, 0.3))),
    (PoseParam.NECK_Z, 0.9, ((0.732, 0.65), (1.189, 0.35))),
    (PoseParam.BODY_Y, 0.8, ((0.618, 0.7), (0.281, 0.3))),
    (PoseParam.BODY_Z, 0.8, ((0.732, 0.6), (0.347, 0.4))),
)

# Looked up once: asking an enum for a member takes as long as one swing.
_WINKS = (PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT)
_RAISED_CORNERS = (PoseParam.MOUTH_RAISED_CORNER_LEFT, PoseParam.MOUTH_RAISED_CORNER_RIGHT)
_IRIS_X, _IRIS_Y = PoseParam.IRIS_ROTATION_X, PoseParam.IRIS_ROTATION_Y
_BREATHING = PoseParam.BREATHING.label


@dataclass(frozen=True, slots=True)
class _Saccade:
    """One movement of the irises, from one place to another, in pose units."""

    start_s: float = 0.0
    length_s: float = 0.1
    from_x: float = 0.0
    from_y: float = 0.0
    to_x: float = 0.0
    to_y: float = 0.0

    def at(self, t_s: float) -> tuple[float, float]:
        """Return iris x and y at ``t_s``: a minimum-jerk path."""
        u = min(max((t_s - self.start_s) / self.length_s, 0.0), 1.0)
        share = u * u * u * (10.0 - 15.0 * u + 6.0 * u * u)
        return (
            self.from_x + (self.to_x - self.from_x) * share,
            self.from_y + (self.to_y - self.from_y) * share,
        )


class IdleMotion:
    """Add breathing to every pose and fill in what no tracker drives.

    Args:
        settings: the table ``[idle]``.
        seed: of all chance in it; None = different each time.
    """

    def __init__(self, settings: IdleSettings, *, seed: int | None = None) -> None:
        self._settings = settings
        self._random = random.Random(seed)  # noqa: S311 - blinks are no secret
        self._sways = tuple(
            (param, share, [(*swing, self._random.uniform(0, math.tau)) for swing in swings])
            for param, share, swings in _SWAY_ROWS
        )
        """Parameter, share, and the swings: speed, weight, phase."""
        self._epoch_ns: int | None = None
        self._t_s = 0.0
        self._breath_turns = 0.0
        self._sway_turns = 0.0
        self._blink_start_s = self._random.uniform(0.5, settings.blink_every_max_s)
        self._saccade = _Saccade()
        self._next_look_s = self._random.uniform(1.0, 3.0)

    def configure(self, settings: IdleSettings) -> None:
        """Change the settings while running, without a jump in breathing or sway."""
        self._settings = settings

    def apply(self, pose: Pose, now_ns: int) -> Pose:
        """Return ``pose`` breathing, and alive where nobody drives it.

        What no tracker covers is idle motion, whatever ``when_lost`` says; what a tracker
        covers and lost becomes what ``when_lost`` says. ``now_ns`` must not run backwards.
        What nobody drives is dated ``now_ns``.
        """
        self._advance(now_ns)
        schema = pose.schema
        presence = min(max(pose.presence, 0.0), 1.0)
        if presence < 1.0 or pose.coverage is not None:
            filled = self._filled(pose.values.astype(np.float64), presence, pose)
            values = schema.clamp(filled.astype(np.float32))
        else:
            values = pose.values.copy()
        if (breathing := schema.index.get(_BREATHING)) is not None:
            breath = (1.0 - math.cos(math.tau * self._breath_turns)) / 2
            values[breathing] = breath * self._settings.breathing_depth
        t_ns = now_ns if presence <= 0.0 else pose.t_ns
        return Pose(values, t_ns, pose.presence, pose.coverage, schema)

    def _filled(self, values: F64Array, presence: float, pose: Pose) -> F64Array:
        """Return ``values`` with what nobody drives filled in, float64 [size]."""
        when_lost = self._settings.when_lost
        coverage = 1.0 if pose.coverage is None else pose.coverage.astype(np.float64)
        alive = 1.0 - coverage
        if presence == 1.0:  # nothing is lost, but something was never there
            filled = values * coverage + pose.schema.project(self._idle_face()) * alive
            return pose.schema.share_lids(filled)
        lost = (1.0 - presence) * coverage
        filled = values * (1.0 - alive - lost)
        if when_lost == "freeze":
            filled += values * lost
        elif when_lost == "idle":
            alive = alive + lost
        if pose.coverage is not None or when_lost == "idle":
            filled += pose.schema.project(self._idle_face()) * alive
        # A lid that idles may meet one that an emotion closes.
        return filled if pose.coverage is None else pose.schema.share_lids(filled)

    def _advance(self, now_ns: int) -> None:
        if self._epoch_ns is None:
            self._epoch_ns = now_ns
        t_s = (now_ns - self._epoch_ns) / NS_PER_S
        step_s = t_s - self._t_s
        if step_s <= 0.0:
            return
        self._t_s = t_s
        # Phases, not times, are kept: a changed speed then bends the motion without a jump.
        self._breath_turns = (
            self._breath_turns + step_s * self._settings.breaths_per_min / 60.0
        ) % 1.0
        self._sway_turns += step_s / self._settings.sway_period_s
        if t_s >= self._blink_start_s + self._settings.blink_length_s:
            twice = self._random.random() < _DOUBLE_BLINK_SHARE
            self._blink_start_s = t_s + (0.1 if twice else self._pause_s())
        if t_s >= self._next_look_s:
            self._look_elsewhere(t_s)

    def _pause_s(self) -> float:
        return self._random.uniform(
            self._settings.blink_every_min_s, self._settings.blink_every_max_s
        )

    def _look_elsewhere(self, t_s: float) -> None:
        reach = self._settings.gaze_shift
        from_x, from_y = self._saccade.at(t_s)
        # Eyes return to the middle half of the time, and wander sideways more than up.
        home = self._random.random() < 0.5
        to_x = 0.0 if home else self._random.uniform(-0.5, 0.5) * reach
        to_y = 0.0 if home else self._random.uniform(-1.0, 1.0) * reach
        length_s = 0.08 + 0.2 * math.hypot(to_x - from_x, to_y - from_y)
        self._saccade = _Saccade(t_s, length_s, from_x, from_y, to_x, to_y)
        self._next_look_s = t_s + length_s + self._random.uniform(0.8, 3.5)

    def _idle_face(self) -> list[float]:
        """Return the 45 parameters of a character left alone at the present moment."""
        values = [0.0] * POSE_SIZE
        settings = self._settings
        lid = lid_closure((self._t_s - self._blink_start_s) / settings.blink_length_s)
        for wink in _WINKS:
            values[wink] = lid
        for corner in _RAISED_CORNERS:
            values[corner] = settings.smile
        values[_IRIS_X], values[_IRIS_Y] = self._saccade.at(self._t_s)
        turns = math.tau * self._sway_turns
        sway = settings.sway
        for param, share, swings in self._sways:
            drift = 0.0
            for speed, weight, phase in swings:
                drift += weight * math.sin(turns * speed + phase)
            values[param] = sway * share * drift
        return values


def lid_closure(progress: float) -> float:
    """Return how far a lid is closed, 0..1, at ``progress`` of a blink (0..1, else open)."""
    if progress <= 0.0 or progress >= 1.0:
        return 0.0
    if progress < _CLOSING_SHARE:
        return _smoothstep(progress / _CLOSING_SHARE)
    opening = (progress - _CLOSING_SHARE - _CLOSED_SHARE) / (1 - _CLOSING_SHARE - _CLOSED_SHARE)
    return 1.0 - _smoothstep(max(opening, 0.0))


def _smoothstep(u: float) -> float:
    return u * u * (3.0 - 2.0 * u)
