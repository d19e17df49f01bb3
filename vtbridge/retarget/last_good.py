"""Drop values that no face can have, and keep the last that one could."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from vtbridge.datatypes import Gaze, HeadPose

_SHAPE_LIMIT = 2.0
"""Some senders overshoot 1 a little; more than this is no blendshape."""
_ANGLE_LIMIT_RAD = math.tau


class LastGood:
    """Remember the last believable value of everything that is used.

    Attributes:
        dropped: how many values were refused so far.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._values: dict[str, float] = {}

    def forget(self) -> None:
        """Forget the remembered values, as after a long silence."""
        self._values.clear()

    def shapes(self, sent: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
        """Return those of ``names`` that were sent, clamped to 0..1.

        A value that is not finite or beyond +-2 is replaced by the last good one, or left out.
        """
        good: dict[str, float] = {}
        sent_of = sent.get
        for name in names:
            value = sent_of(name)
            if value is None:
                continue
            # Each comparison is false for NaN; nearly all values take the first way.
            if 0.0 <= value <= 1.0:
                good[name] = value
            elif -_SHAPE_LIMIT <= value <= _SHAPE_LIMIT:
                good[name] = min(max(value, 0.0), 1.0)
            else:
                self.dropped += 1
                if name in self._values:
                    good[name] = self._values[name]
        self._values.update(good)
        return good

    def head(self, sent: HeadPose | None) -> HeadPose | None:
        """Return ``sent`` with unbelievable angles replaced, None if it was not sent."""
        if sent is None:
            return None
        return HeadPose(
            self._angle("head.pitch", sent.pitch_rad),
            self._angle("head.yaw", sent.yaw_rad),
            self._angle("head.roll", sent.roll_rad),
        )

    def eye(self, side: str, sent: Gaze | None) -> Gaze | None:
        """Return ``sent`` with unbelievable angles replaced, None if it was not sent."""
        if sent is None:
            return None
        return Gaze(
            self._angle(side + ".pitch", sent.pitch_rad), self._angle(side + ".yaw", sent.yaw_rad)
        )

    def _angle(self, key: str, angle_rad: float) -> float:
        if -_ANGLE_LIMIT_RAD <= angle_rad <= _ANGLE_LIMIT_RAD:
            self._values[key] = float(angle_rad)
            return float(angle_rad)
        self.dropped += 1
        return self._values.get(key, 0.0)
