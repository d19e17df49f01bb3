"""A prepared character for the display: drawn at once, on the display's own thread.

What takes a frame's time can be waited for, so there is no second thread, nothing is shown
late, and memory is read once a frame.
"""

from __future__ import annotations

import logging
import statistics
from collections import deque

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array, Frame, FrameFlag, Picture
from vtbridge.errors import InferenceError
from vtbridge.render.live.governor import Governor
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.live.placeholder import placeholder_frame
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_FRESH_WINDOW_NS = 2 * NS_PER_S
_COSTS_KEPT = 32


class BakedLive:
    """Draw each beat's own pose; half the rate where the machine cannot keep it.

    All methods but ``set_quality``, ``status`` and ``close`` belong to the display's thread.

    Args:
        poser: of the model, its picture set; closed with this.
        picture: the character, shown still if not a single frame can be drawn.
        fps: frames a second wanted.
        clock: the monotonic clock.
        telemetry: gets counters below ``render.``.
    """

    def __init__(
        self, poser: Poser, picture: Picture, *, fps: float, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._poser = poser
        self._picture = picture
        self._wanted_fps = fps
        self._clock = clock
        self._telemetry = telemetry
        self._governor = Governor(Quality.BAKED, fps, clock.now_ns())
        self._costs_ns: deque[int] = deque(maxlen=_COSTS_KEPT)
        self._fresh_ns: deque[int] = deque()
        self._frame: Frame | None = None
        self._trouble = ""

    @property
    def fps(self) -> float:
        """Beats a second that the machine can bear: what was asked for, or half of it."""
        return self._wanted_fps / 2 if self._governor.rung.halved else self._wanted_fps

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        """Return the frame of this beat; see ``LivePoser.render``.

        A frame that cannot be drawn leaves the last one, or the still picture.
        """
        began_ns = self._clock.now_ns()
        self._govern(began_ns)
        try:
            rgba = self._poser.render(values)
        except InferenceError as error:
            self._failed(error)
            return self._nothing_new(t_ns)
        if self._trouble:
            log.info("rendering goes on: %s", self._poser.describe())
            self._trouble = ""
        if self._poser.repeated:
            self._frame = Frame(rgba, t_ns, FrameFlag.REPEAT)
            return self._frame
        now_ns = self._clock.now_ns()
        self._costs_ns.append(now_ns - began_ns)
        self._governor.add_fresh(now_ns - began_ns, Quality.BAKED)
        self._fresh_ns.append(now_ns)
        while self._fresh_ns[0] < now_ns - _FRESH_WINDOW_NS:
            self._fresh_ns.popleft()
        self._frame = Frame(rgba, t_ns)
        return self._frame

    def note_beats(self, beats: int, missed: int) -> None:
        """Note ``beats`` deadlines since the last call, of which ``missed`` were missed."""
        self._governor.add_beats(beats, missed)

    def set_quality(self, quality: Quality) -> None:
        """Do nothing: a model shows what it has learnt."""

    def status(self) -> LiveStatus:
        """Return how things are; safe from any thread."""
        now_ns = self._clock.now_ns()
        recent = sum(t_ns >= now_ns - _FRESH_WINDOW_NS for t_ns in list(self._fresh_ns))
        costs = list(self._costs_ns)
        return LiveStatus(
            runtime=self._poser.describe(),
            quality=Quality.BAKED,
            fps=self.fps,
            fresh_fps=round(recent * NS_PER_S / _FRESH_WINDOW_NS, 1),
            networks_ms=round(statistics.median(costs) / 1e6, 1) if costs else 0.0,
            added_delay_ms=0.0,
            below_wanted=self._governor.below_wanted,
            failing=bool(self._trouble),
            fallback=False,
            trouble=self._trouble,
        )

    def close(self) -> None:
        """Give the model back; may be called twice."""
        self._poser.close()

    def _govern(self, now_ns: int) -> None:
        step = self._governor.decide(now_ns)
        if step is not None:
            self._telemetry.count(f"render.governor.{step.cause.name.lower()}")
            log.info("frames are baked now, %g a second: %s", self.fps, step.cause)

    def _failed(self, error: InferenceError) -> None:
        self._telemetry.count("render.failed")
        if not self._trouble:
            log.warning("a frame could not be rendered, the last one stays: %s", error)
        self._trouble = str(error)

    def _nothing_new(self, t_ns: int) -> Frame:
        """Return the last frame once more, or the still picture if there never was one."""
        if self._frame is None:
            still = placeholder_frame(self._picture, self._poser.size)
            self._frame = Frame(still, t_ns, FrameFlag.PLACEHOLDER)
        else:
            flags = self._frame.flags | FrameFlag.REPEAT
            self._frame = Frame(self._frame.rgba, self._frame.t_capture_ns, flags)
        return self._frame
