"""From one maker of frames to another without a jump.

The networks show what was a moment ago, a prepared character what is now. So a prepared newcomer
is first given poses as old as those on the screen; both are drawn while one fades into the
other; then what it is given catches up with the present, a little faster than life.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from statistics import fmean

import cv2
import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array, Frame, FrameFlag, U8Array, read_only
from vtbridge.render.live.freed_memory import give_freed_memory_back
from vtbridge.render.live.live_frames import LiveFrames
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

FADE_NS = NS_PER_S // 2
CATCHING_UP = 0.5
"""How much faster than life motion is while a lag is made good."""

_LONGEST_LAG_NS = 2 * NS_PER_S
_LONGEST_WAIT_NS = 20 * NS_PER_S  # for the first frame of one that was offered
_LAGS_KEPT = 32
_SETTLING_NS = 3 * NS_PER_S // 2


class Outcome(Enum):
    """What became of one that was offered."""

    SHOWN = auto()
    FAILED = auto()
    """It gave no frames; the one before goes on."""
    DROPPED = auto()
    """Another one was offered, or all was closed, before it came on."""


Told = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class _Offer:
    live: LiveFrames
    told: Told


@dataclass(frozen=True, slots=True)
class _Moment:
    now_ns: int
    capture_ns: int
    values: F32Array


class PoseHistory:
    """The poses of the last seconds, and what lay between them.

    Args:
        reach_ns: how far back.
    """

    def __init__(self, reach_ns: int = _LONGEST_LAG_NS) -> None:
        self._reach_ns = reach_ns
        self._moments: deque[_Moment] = deque()

    def add(self, now_ns: int, values: F32Array, capture_ns: int) -> None:
        """Keep the pose of a beat, later than all before; ``values`` must not change."""
        self._moments.append(_Moment(now_ns, capture_ns, values))
        horizon_ns = now_ns - self._reach_ns
        while len(self._moments) > 1 and self._moments[1].now_ns <= horizon_ns:
            self._moments.popleft()

    @property
    def newest(self) -> F32Array | None:
        """The pose of the last beat, None before the first; safe from any thread."""
        try:
            return self._moments[-1].values
        except IndexError:
            return None

    def at(self, t_ns: int) -> tuple[F32Array, int]:
        """Return the pose at ``t_ns`` and the arrival of its data; the oldest before all."""
        newer = self._moments[-1]
        for older in reversed(self._moments):
            if older.now_ns <= t_ns:
                break
            newer = older
        else:
            return newer.values, newer.capture_ns
        if newer.now_ns <= older.now_ns:
            return older.values, older.capture_ns
        share = min((t_ns - older.now_ns) / (newer.now_ns - older.now_ns), 1.0)
        values = older.values + np.float32(share) * (newer.values - older.values)
        capture_ns = older.capture_ns + round(share * (newer.capture_ns - older.capture_ns))
        return read_only(values), capture_ns


class _Stage:
    """One maker of frames, and how old the poses are that it is given."""

    def __init__(
        self, live: LiveFrames, lag_ns: float = 0.0, told: Told = lambda outcome: None
    ) -> None:
        self.live = live
        self.lag_ns = lag_ns
        self.told = told
        self._behind_ns: deque[float] = deque(maxlen=_LAGS_KEPT)

    def render(
        self, history: PoseHistory, now_ns: int, values: F32Array, t_ns: int
    ) -> Frame | None:
        """Return its frame of this beat."""
        if self.lag_ns > 0.0:
            values, capture_ns = history.at(now_ns - round(self.lag_ns))
        else:
            capture_ns = t_ns
        frame = self.live.render(values, capture_ns)
        if frame is not None and not frame.flags & FrameFlag.PLACEHOLDER:
            self._behind_ns.append(float(t_ns - frame.t_capture_ns))
        return frame

    def behind_ns(self) -> float:
        """Return how old what it shows is, as a mean over the last beats."""
        mean_ns = fmean(self._behind_ns) if self._behind_ns else 0.0
        return min(max(mean_ns, 0.0), float(_LONGEST_LAG_NS))

    def catch_up(self, passed_ns: int) -> None:
        """Make good some of the lag."""
        self.lag_ns = max(self.lag_ns - CATCHING_UP * passed_ns, 0.0)


class CrossingLive:
    """Show frames of one maker, and go over to each other one that is offered.

    All methods but ``offer``, ``set_quality``, ``status`` and ``close`` belong to the display's
    thread.

    Args:
        first: what is shown at the beginning; closed with this, as all that is offered.
        clock: the monotonic clock.
        telemetry: gets the counter.
        counter: counts those gone over to.
        fade_ns: how long one fades into the other.
        always: go over whatever quality is wanted; else any but ``AUTO`` keeps the networks on
            the screen, if they still are.
    """

    def __init__(
        self,
        first: LiveFrames,
        *,
        clock: Clock,
        telemetry: Telemetry,
        counter: str = "render.crossed",
        fade_ns: int = FADE_NS,
        always: bool = False,
    ) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._counter = counter
        self._fade_ns = fade_ns
        self._always = always
        self._wanted: Quality | None = None
        self._current = _Stage(first)
        self._next: _Stage | None = None
        self._lock = threading.Lock()
        self._offered: _Offer | None = None
        self._closed = False
        self._held = False
        self._left_fps = 0.0
        self._settling_ns = 0
        self._began_ns = self._offered_ns = 0
        self._beat_ns: int | None = None
        self._history = PoseHistory()
        self._aside: ThreadPoolExecutor | None = None
        self._shown: U8Array | None = None
        self._spare: U8Array | None = None

    def offer(self, other: LiveFrames, told: Told = lambda outcome: None) -> None:
        """Go over to ``other`` from the next beat on, after the one that is being gone over to.

        One that was offered before and has not begun to come is closed.

        Args:
            other: closed with this, or once it is known that it is not shown.
            told: called once with what became of it, on whichever thread knows; must not block.
        """
        offer = _Offer(other, told)
        with self._lock:
            if self._closed:
                unwanted: _Offer | None = offer
            else:
                unwanted, self._offered = self._offered, offer
        if unwanted is not None:
            _drop(unwanted)

    @property
    def newest_pose(self) -> F32Array | None:
        """The pose of the last beat, None before the first; safe from any thread."""
        return self._history.newest

    @property
    def wanted(self) -> Quality | None:
        """The quality last wanted of this, None before; safe from any thread."""
        return self._wanted

    @property
    def crossing(self) -> bool:
        """True while one fades into the other."""
        return self._next is not None

    @property
    def fps(self) -> float:
        """Beats a second that the machine can bear."""
        stages = (self._current, self._next)
        fps = min(stage.live.fps for stage in stages if stage is not None)
        # The one left may still be at its last pose; full speed comes once it surely is gone.
        return min(fps, self._left_fps) if self._settling_ns > 0 else fps

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        """Return the frame of this beat; see ``LivePoser.render``."""
        now_ns = self._clock.now_ns()
        passed_ns = 0 if self._beat_ns is None else now_ns - self._beat_ns
        self._beat_ns = now_ns
        self._history.add(now_ns, values, t_ns)
        if self._next is None:
            self._begin(now_ns)
        following = self._next
        if following is None:
            self._current.catch_up(passed_ns)
            self._settling_ns = max(self._settling_ns - passed_ns, 0)
            return self._current.render(self._history, now_ns, values, t_ns)
        return self._both(following, now_ns, values, t_ns)

    def note_beats(self, beats: int, missed: int) -> None:
        """Note ``beats`` deadlines since the last call, of which ``missed`` were missed."""
        if self._next is None:  # drawing twice tells nothing of either
            self._current.live.note_beats(beats, missed)

    def set_quality(self, quality: Quality) -> None:
        """Want another best quality from the next beat on, also of those that come later."""
        self._wanted = quality
        self._held = not self._always and quality is not Quality.AUTO
        following, current = self._next, self._current.live
        if following is not None:
            following.live.set_quality(quality)
        if self._held and current.status().quality is Quality.BAKED:
            log.info(
                "the prepared character is shown already: start with --quality %s instead", quality
            )
        current.set_quality(quality)

    def status(self) -> LiveStatus:
        """Return how frames are made just now."""
        return self._current.live.status()

    def close(self) -> None:
        """Give everything back; may be called twice."""
        with self._lock:
            self._closed = True
            offered, self._offered = self._offered, None
        if offered is not None:
            _drop(offered)
        if self._aside is not None:
            self._aside.shutdown()
            self._aside = None
        following, self._next = self._next, None
        if following is not None:
            following.live.close()
            following.told(Outcome.DROPPED)
        self._current.live.close()

    def _begin(self, now_ns: int) -> None:
        if self._held and self._current.live.status().quality is not Quality.BAKED:
            return
        with self._lock:
            offered, self._offered = self._offered, None
        if offered is None:
            return
        live = offered.live
        if self._wanted is not None:
            live.set_quality(self._wanted)
        # Networks are late by themselves.
        at_once = not self._always or live.status().quality is Quality.BAKED
        lag_ns = self._current.behind_ns() if at_once else 0.0
        self._next = _Stage(live, lag_ns, offered.told)
        self._offered_ns = self._began_ns = now_ns
        if self._aside is None:
            self._aside = ThreadPoolExecutor(1, "leaving")

    def _both(self, following: _Stage, now_ns: int, values: F32Array, t_ns: int) -> Frame | None:
        """Return the frame of a beat on which one fades into the other."""
        if self._aside is None:
            raise RuntimeError("this was closed")
        # Beside each other, so that a beat is not late for having two frames.
        leaving = self._aside.submit(self._current.render, self._history, now_ns, values, t_ns)
        try:
            new = following.render(self._history, now_ns, values, t_ns)
        finally:
            old = leaving.result()
        waited_too_long = new is None and now_ns - self._offered_ns > _LONGEST_WAIT_NS
        if waited_too_long or following.live.status().failing:
            log.warning("the new frames failed; the ones before go on")
            self._next = None
            _close_aside(following.live)
            following.told(Outcome.FAILED)
            return old
        if new is None:
            self._began_ns = now_ns  # there is nothing yet that could fade in
            return old
        share = (now_ns - self._began_ns) / self._fade_ns
        if old is None or share >= 1.0:
            self._finish(following)
            return new
        return self._faded(old, new, share * share * (3.0 - 2.0 * share))

    def _finish(self, following: _Stage) -> None:
        self._left_fps, self._settling_ns = self._current.live.fps, _SETTLING_NS
        _close_aside(self._current.live)
        self._current, self._next = following, None
        self._telemetry.count(self._counter)
        log.info("frames come from %s now", following.live.status().runtime)
        following.told(Outcome.SHOWN)

    def _faded(self, old: Frame, new: Frame, share: float) -> Frame:
        """Return a frame that is ``share`` of the way from ``old`` to ``new``.

        Of premultiplied colours that is what lies between them.
        """
        if self._spare is None or self._shown is None:
            self._shown, self._spare = np.empty_like(new.rgba), np.empty_like(new.rgba)
        cv2.addWeighted(old.rgba, 1.0 - share, new.rgba, share, 0.0, dst=self._spare)
        self._shown, self._spare = self._spare, self._shown
        flags = (old.flags | new.flags) & ~FrameFlag.REPEAT
        return Frame(self._shown, new.t_capture_ns, flags)


def _drop(offer: _Offer) -> None:
    offer.live.close()
    offer.told(Outcome.DROPPED)


def _close_aside(live: LiveFrames) -> None:
    """Close ``live`` without the display waiting for it, and give its memory back."""

    def close() -> None:
        live.close()
        give_freed_memory_back()

    threading.Thread(target=close, name="closing", daemon=True).start()
