"""Which quality and rate the machine can bear now: down quickly, up again slowly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from vtbridge.clock import NS_PER_S
from vtbridge.render.live.load import Load, LoadMeter
from vtbridge.render.settings import Quality

LEVELS = (Quality.EXACT, Quality.BALANCED, Quality.FAST)
"""Of the networks, from the best down."""

BAKED_ALONE = (Quality.BAKED,)
"""A prepared character's model knows no other level; only the rate can be lowered."""

_WINDOW_NS = 3 * NS_PER_S // 2
_WINDOWS_BEFORE_DOWN = 2  # one bad window may be another program's start
_CALM_NS = 10 * NS_PER_S
_LONGEST_CALM_NS = 160 * NS_PER_S
_PROVEN_NS = 60 * NS_PER_S

_MISSED_SHARE = 0.03
_CALM_MISSED_SHARE = 0.01
_DRAWING_SHARE = 0.75  # of a period, beyond which nothing but a lower rate helps
_CALM_DRAWING_SHARE = 0.5
_WORTH_SAVING_SHARE = 0.25  # of a period; less drawing than that is not what the networks lack
_UP_MARGIN = 0.8  # a better level has to look this much cheaper than it may be
_LOWEST_HALVED_FPS = 12.0
_LEAST_FRESH_FPS = 12.0

_FLUENT_FPS = 24.0
"""Fresh frames a second from which ``auto`` takes exact ones."""

_FLOOR_FPS = {Quality.EXACT: 5.0, Quality.BALANCED: 8.0, Quality.FAST: 8.0, Quality.BAKED: 8.0}
"""Fresh frames a second below which a level is left for the next one."""


class Cause(StrEnum):
    """Why a step was taken; the words are for people."""

    NETWORKS = "the networks are too slow for it"
    DRAWING = "drawing a frame takes too long"
    LATE = "frames come late"
    CALM = "there is room again"
    WANTED = "it was asked for"


@dataclass(frozen=True, slots=True)
class Rung:
    """How live frames are made at the moment.

    Attributes:
        quality: exact, balanced, fast or baked.
        halved: True while only every other frame is made.
        fresh_interval_ns: shortest time from one pose for the networks to the next, 0 = none;
            what a lower quality saves is then left to other programs.
    """

    quality: Quality
    halved: bool = False
    fresh_interval_ns: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A change of rung and its cause."""

    rung: Rung
    cause: Cause


class Governor:
    """Choose the best rung that load allows.

    Falling: quality by quality, then half the rate if that saves anything; what only a lower
    rate can help halves it at once. Rising again: the rate first, then quality by quality, each
    time after a calm that doubles whenever the better rung did not last. A level's cost against
    the next one's is remembered, so that one known to be too slow is not tried.

    Args:
        wanted: the best quality allowed; ``auto`` is exact where that is fluent, else balanced.
        fps: frames a second at the full rate.
        now_ns: the present, monotonic nanoseconds.
    """

    def __init__(self, wanted: Quality, fps: float, now_ns: int) -> None:
        self._fps = fps
        self._load = LoadMeter()
        self._ratio: dict[Quality, float] = {}
        self._left: tuple[Quality, float] | None = None
        self._window_ns = self._calm_ns = now_ns
        self._bad_windows = 0
        self.start(wanted, now_ns)

    @property
    def rung(self) -> Rung:
        """What is in force."""
        return self._rung

    @property
    def below_wanted(self) -> bool:
        """True if load keeps the frames from being what was asked for."""
        best = Quality.BALANCED if self._wanted is Quality.AUTO else self._wanted
        return self._rung.halved or self._place(self._rung.quality) > self._place(best)

    def start(self, wanted: Quality, now_ns: int) -> Step:
        """Begin anew at the best rung of ``wanted``."""
        self._wanted = wanted
        self._levels = BAKED_ALONE if wanted is Quality.BAKED else LEVELS
        self._ceiling = Quality.EXACT if wanted is Quality.AUTO else wanted
        self._rung = Rung(self._ceiling)
        self._calm_wanted_ns = _CALM_NS
        self._raised_ns: int | None = None
        self._untried = True
        self._begin_window(now_ns)
        return Step(self._rung, Cause.WANTED)

    def add_beats(self, beats: int, missed: int) -> None:
        """Note ``beats`` deadlines of which ``missed`` were missed."""
        self._load.add_beats(beats, missed)

    def add_drawing(self, cost_ns: int) -> None:
        """Note that a frame was drawn in ``cost_ns``."""
        self._load.add_drawing(cost_ns)

    def add_fresh(self, cost_ns: int, quality: Quality) -> None:
        """Note that the networks took ``cost_ns`` for a pose at ``quality``."""
        if quality is self._rung.quality:
            self._load.add_fresh(cost_ns)

    def decide(self, now_ns: int, *, busy_ns: int = 0) -> Step | None:
        """Return the step to take now, or None.

        Args:
            now_ns: the present.
            busy_ns: how long the networks have been at their present pose.
        """
        if now_ns - self._window_ns < _WINDOW_NS:
            return None
        self._window_ns = now_ns
        load = self._load.take(busy_ns=busy_ns)
        self._learn_ratio(load)
        cause = self._trouble(load)
        if cause is not None:
            self._calm_ns = now_ns
            self._bad_windows += 1
            if self._bad_windows < _WINDOWS_BEFORE_DOWN and not self._untried:
                return None
            return self._down(load, cause, now_ns)
        self._bad_windows = 0
        if load.fresh_ns is not None:
            self._untried = False
        if self._raised_ns is not None and now_ns - self._raised_ns >= _PROVEN_NS:
            self._calm_wanted_ns, self._raised_ns = _CALM_NS, None
        return self._up(load, now_ns)

    def _begin_window(self, now_ns: int) -> None:
        self._window_ns = self._calm_ns = now_ns
        self._bad_windows = 0
        self._load.clear()

    def _trouble(self, load: Load) -> Cause | None:
        fresh_ns, quality = load.fresh_ns, self._rung.quality
        if load.drawing_ns > _DRAWING_SHARE * self._period_ns and self._can_halve:
            return Cause.DRAWING
        if fresh_ns is not None and fresh_ns > self._longest_ns(quality):
            helps = load.drawing_ns > _WORTH_SAVING_SHARE * self._period_ns
            if quality is not self._levels[-1] or helps or self._rung.halved:
                return Cause.NETWORKS
        # Before the first fields a late beat tells of the start, not of the load.
        if load.missed_share > _MISSED_SHARE and not self._untried:
            return Cause.LATE
        return None

    def _down(self, load: Load, cause: Cause, now_ns: int) -> Step | None:
        rung = self._rung
        lower = self._levels[self._place(rung.quality) + 1 :]
        if cause is Cause.DRAWING or not lower:
            if not self._can_halve:
                return None
            stepped = replace(rung, halved=True)
        else:
            stepped = replace(rung, quality=lower[0])
            if load.fresh_ns is not None:
                self._left = (rung.quality, load.fresh_ns)
        if cause is Cause.LATE and load.fresh_ns is not None:
            # Otherwise cheaper fields would only come more often, and nothing be relieved.
            slowest_ns = round(NS_PER_S / _LEAST_FRESH_FPS)
            before_ns = max(round(load.fresh_ns), rung.fresh_interval_ns)
            stepped = replace(stepped, fresh_interval_ns=min(before_ns, slowest_ns))
        if self._raised_ns is not None:
            self._calm_wanted_ns = min(2 * self._calm_wanted_ns, _LONGEST_CALM_NS)
        self._raised_ns = None
        return self._take(stepped, cause, now_ns)

    def _up(self, load: Load, now_ns: int) -> Step | None:
        if load.missed_share > _CALM_MISSED_SHARE:
            self._calm_ns = now_ns
        if now_ns - self._calm_ns < self._calm_wanted_ns:
            return None
        rung = self._rung
        if rung.halved:
            if load.drawing_ns > _CALM_DRAWING_SHARE * NS_PER_S / self._fps:
                return None
            better = replace(rung, halved=False)
        else:
            place = self._place(rung.quality)
            if place <= self._place(self._ceiling) or load.fresh_ns is None:
                return None
            quality = self._levels[place - 1]
            expected_ns = load.fresh_ns * self._ratio.get(quality, 0.0)
            if expected_ns > _UP_MARGIN * self._longest_ns(quality):
                return None
            better = Rung(quality)
        self._raised_ns = now_ns
        return self._take(better, Cause.CALM, now_ns)

    def _take(self, rung: Rung, cause: Cause, now_ns: int) -> Step:
        self._rung = rung
        self._begin_window(now_ns)
        return Step(rung, cause)

    def _learn_ratio(self, load: Load) -> None:
        """Keep how much dearer the level just left was, from the first window of the new one."""
        if self._left is None or load.fresh_ns is None:
            return
        left, cost_ns = self._left
        self._left = None
        if left in self._levels and self._place(self._rung.quality) == self._place(left) + 1:
            self._ratio[left] = cost_ns / max(load.fresh_ns, 1.0)

    def _place(self, quality: Quality) -> int:
        return self._levels.index(quality)

    @property
    def _period_ns(self) -> float:
        return NS_PER_S / self._fps * (2 if self._rung.halved else 1)

    @property
    def _can_halve(self) -> bool:
        return not self._rung.halved and self._fps / 2 >= _LOWEST_HALVED_FPS

    def _longest_ns(self, quality: Quality) -> float:
        """Return the longest that one pose may take at ``quality``."""
        fluent = self._wanted is Quality.AUTO and quality is Quality.EXACT
        return NS_PER_S / (_FLUENT_FPS if fluent else _FLOOR_FPS[quality])
