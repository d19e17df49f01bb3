"""What the blinks of a face mean: a look down, a wink, or a blink that must be seen."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S

_BLINK_PER_LOOK_DOWN = 0.45
"""eyeBlink of open eyes per unit of iris rotation downwards. Measured on 40 s of an iPhone:
eyeBlink rests at 0.6 of eyeLookDown, and a full iris rotation is 0.75 of eyeLookDown."""

_WINK_FROM, _WINK_CLEAR = 0.25, 0.5
"""Difference between both lids that may be a wink, and that is one if it lasts."""
_WINK_FADE_S = 0.1

_OPEN = 0.2
"""Blink below which a lid is not yet on its way down."""


def without_look_down(
    shapes: dict[str, float], names: tuple[str, ...], down: float, share: float
) -> dict[str, float]:
    """Return ``shapes`` with the blinks ``names`` measured from the lids of a look down.

    Args:
        shapes: 0..1.
        names: the blinks among them.
        down: how far the irises look down, 1 = full turn; 0 or less changes nothing.
        share: how much of what the look explains is taken away, 0..1.
    """
    explained = share * _BLINK_PER_LOOK_DOWN * min(down, 1.0)
    if explained <= 0.0:
        return shapes
    opened = dict(shapes)
    for name in names:
        if name in opened:
            opened[name] = max((opened[name] - explained) / (1.0 - explained), 0.0)
    return opened


class SmartWink:
    """Close both eyes together unless one stays closed alone for a while.

    Trackers see one lid fall before the other, or less far; shown as it comes, each blink
    would begin as a wink.

    Args:
        left: name of the left eye's blink.
        right: name of the right eye's.
        after_s: how long a difference must last to be a wink, seconds.
    """

    def __init__(self, left: str, right: str, after_s: float) -> None:
        self._left, self._right = left, right
        self._after_ns = round(after_s * NS_PER_S)
        self._apart_since_ns: int | None = None
        self._wink = 0.0
        self._t_ns = 0

    def reset(self) -> None:
        """Forget a wink that was going on."""
        self._apart_since_ns, self._wink = None, 0.0

    def joined(self, shapes: dict[str, float], t_ns: int) -> dict[str, float]:
        """Return ``shapes``, taken at ``t_ns``, with both blinks alike unless it is a wink.

        Where only one of the two names occurs, nothing changes.
        """
        left, right = shapes.get(self._left), shapes.get(self._right)
        if left is None or right is None:
            return shapes
        high, low = max(left, right), min(left, right)
        self._follow(high - low, t_ns)
        if high == low or self._wink == 1.0:
            return shapes
        # Nearly alike means a blink, as far as the lid that fell further; far apart means
        # that it is not decided yet, and an eye that turns out to be open stays open.
        doubt = min(max((high - low - _WINK_FROM) / (_WINK_CLEAR - _WINK_FROM), 0.0), 1.0)
        together = high - (high - low) * doubt
        return {
            **shapes,
            self._left: together + (left - together) * self._wink,
            self._right: together + (right - together) * self._wink,
        }

    def _follow(self, difference: float, t_ns: int) -> None:
        step = (t_ns - self._t_ns) / NS_PER_S / _WINK_FADE_S
        self._t_ns = t_ns
        if difference < (_WINK_FROM if self._wink else _WINK_CLEAR):
            self._apart_since_ns = None
        elif self._apart_since_ns is None:
            self._apart_since_ns = t_ns
        since_ns = self._apart_since_ns
        if since_ns is not None and t_ns - since_ns >= self._after_ns:
            self._wink = min(self._wink + step, 1.0)
        else:
            self._wink = max(self._wink - step, 0.0)


class PeakHold:
    """Hold the peaks of some blendshapes for a while, so that a slow renderer sees them.

    Only values over ``threshold`` are held: half-closed lids follow at once.

    Args:
        names: which blendshapes.
        hold_s: how long a peak is held after it could be shown, seconds.
        threshold: the least value worth holding.
        rise_s: how long the character takes to follow from 0 to 1, seconds; a peak that came
            faster is shown that much later.
    """

    def __init__(
        self, names: tuple[str, ...], hold_s: float, *, threshold: float, rise_s: float = 0.0
    ) -> None:
        self._hold_ns = round(hold_s * NS_PER_S)
        self._rise_ns = round(rise_s * NS_PER_S)
        self._threshold = threshold
        self._peaks: dict[str, tuple[float, int]] = dict.fromkeys(names, (0.0, 0))
        self._open_ns = dict.fromkeys(names, 0)

    def reset(self) -> None:
        """Forget all peaks."""
        self._peaks = dict.fromkeys(self._peaks, (0.0, 0))

    def held(self, shapes: dict[str, float], t_ns: int) -> dict[str, float]:
        """Return ``shapes``, taken at ``t_ns``, with those that were higher just now raised."""
        raised: dict[str, float] = {}
        for name, (peak, peak_ns) in self._peaks.items():
            value = shapes.get(name)
            if value is None:
                continue
            if value < _OPEN:
                self._open_ns[name] = t_ns
            if value >= peak:
                # An open lid closes at the speed of the character from here on.
                shown_ns = max(t_ns, self._open_ns[name] + self._rise_ns)
                self._peaks[name] = value, shown_ns
            elif t_ns - peak_ns > self._hold_ns:
                # Keeps the old time: an opening lid is followed down, not held at each step.
                self._peaks[name] = value, peak_ns
            elif peak >= self._threshold:
                raised[name] = peak
        return {**shapes, **raised} if raised else shapes
