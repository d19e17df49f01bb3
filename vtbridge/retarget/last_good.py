"""Drop values that no face can have, and keep the last that one could."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import itemgetter

from vtbridge.datatypes import Gaze, HeadPose

_SHAPE_LIMIT = 2.0
"""Some senders overshoot 1 a little; more than this is no blendshape."""
_ANGLE_LIMIT_RAD = math.tau
_STRAIGHT = Gaze()


class _Choice:
    """Which of some names a sender sends; nearly always the same from face to face."""

    def __init__(self, sent: Mapping[str, float], names: tuple[str, ...]) -> None:
        self.names = tuple(name for name in names if name in sent)
        self._absent = tuple(name for name in names if name not in sent)
        # With fewer than two names an itemgetter returns no tuple.
        self._values: Callable[[Mapping[str, float]], tuple[float, ...]] | None = None
        if len(self.names) > 1:
            self._values = itemgetter(*self.names)

    def values(self, sent: Mapping[str, float]) -> tuple[float, ...] | None:
        """Return what ``sent`` says of ``names``, None unless just those are in it."""
        if not sent.keys().isdisjoint(self._absent):
            return None
        try:
            if self._values is None:
                return tuple([sent[name] for name in self.names])
            return self._values(sent)
        except KeyError:
            return None


class LastGood:
    """Remember the last believable value of everything that is used.

    Attributes:
        dropped: how many values were refused so far.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._values: dict[str, float] = {}
        self._head = HeadPose()
        self._eyes: dict[str, Gaze] = {}
        self._choices: dict[tuple[str, ...], _Choice] = {}  # each caller has its one tuple

    def forget(self) -> None:
        """Forget the remembered values, as after a long silence."""
        self._values.clear()
        self._head = HeadPose()
        self._eyes.clear()

    def shapes(self, sent: Mapping[str, float], names: tuple[str, ...]) -> dict[str, float]:
        """Return those of ``names`` that were sent, clamped to 0..1.

        A value that is not finite or beyond +-2 is replaced by the last good one, or left out.
        """
        choice = self._choices.get(names)
        values = None if choice is None else choice.values(sent)
        if choice is None or values is None:
            choice = self._choices[names] = _Choice(sent, names)
            values = tuple([sent[name] for name in choice.names])
        good = dict(zip(choice.names, values, strict=True))
        if values:
            # One look at all of them; the sum is for NaN, which hides from min and max.
            if not (min(values) >= 0.0 and max(values) <= 1.0 and math.isfinite(sum(values))):
                good = self._believable(good)
            self._values.update(good)
        return good

    def head(self, sent: HeadPose | None) -> HeadPose | None:
        """Return ``sent`` with unbelievable angles replaced, None if it was not sent."""
        if sent is None:
            return None
        pitch_rad, yaw_rad, roll_rad = sent.pitch_rad, sent.yaw_rad, sent.roll_rad
        if not (_can_be(pitch_rad) and _can_be(yaw_rad) and _can_be(roll_rad)):
            last = self._head
            sent = HeadPose(
                self._angle(pitch_rad, last.pitch_rad),
                self._angle(yaw_rad, last.yaw_rad),
                self._angle(roll_rad, last.roll_rad),
            )
        self._head = sent
        return sent

    def eye(self, side: str, sent: Gaze | None) -> Gaze | None:
        """Return ``sent`` with unbelievable angles replaced, None if it was not sent."""
        if sent is None:
            return None
        pitch_rad, yaw_rad = sent.pitch_rad, sent.yaw_rad
        if not (_can_be(pitch_rad) and _can_be(yaw_rad)):
            last = self._eyes.get(side, _STRAIGHT)
            sent = Gaze(self._angle(pitch_rad, last.pitch_rad), self._angle(yaw_rad, last.yaw_rad))
        self._eyes[side] = sent
        return sent

    def _believable(self, sent: dict[str, float]) -> dict[str, float]:
        good: dict[str, float] = {}
        for name, value in sent.items():
            if -_SHAPE_LIMIT <= value <= _SHAPE_LIMIT:  # false for NaN
                good[name] = min(max(value, 0.0), 1.0)
            else:
                self.dropped += 1
                if name in self._values:
                    good[name] = self._values[name]
        return good

    def _angle(self, angle_rad: float, last_rad: float) -> float:
        if _can_be(angle_rad):
            return angle_rad
        self.dropped += 1
        return last_rad


def _can_be(angle_rad: float) -> bool:
    return -_ANGLE_LIMIT_RAD <= angle_rad <= _ANGLE_LIMIT_RAD  # false for NaN
