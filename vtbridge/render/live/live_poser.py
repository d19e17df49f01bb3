"""Frames at the display's rate whatever the networks do: slow, failing, or hanging."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array, Frame, FrameFlag, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.flow.slot import LatestSlot
from vtbridge.render.fields import FrameFields
from vtbridge.render.live.cpu_budget import CpuBudget
from vtbridge.render.live.fields_worker import FieldsWorker, PoseRequest, Wish
from vtbridge.render.live.governor import Cause, Governor, Step
from vtbridge.render.live.keeper import PoserSource, WorkerKeeper
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.live.placeholder import placeholder_frame
from vtbridge.render.live.timeline import Timeline, View
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_FRESH_WINDOW_NS = 2 * NS_PER_S
_PATIENT_BELOW = 0.5  # of a period: networks this quick are waited for
_PATIENCE = 0.6  # of a period, the longest wait
_LOG_EVERY_NS = 10 * NS_PER_S


class FrameMaker(Protocol):
    """Makes pixels of fields; ``Compositor`` is one."""

    def set_picture(self, picture: Picture) -> None:
        """Draw ``picture`` from now on."""

    def composite(self, fields: FrameFields, out: U8Array) -> None:
        """Draw ``fields`` into uint8 [size, size, 4] ``out``.

        Raises:
            InferenceError: something is not finite.
        """

    def between(self, older: FrameFields, newer: FrameFields, share: float, out: U8Array) -> None:
        """Draw what lies ``share`` of the way from ``older`` to ``newer``.

        Raises:
            InferenceError: something is not finite.
        """


class LivePoser:
    """A poser for the display: a frame for every beat, never waiting for the networks.

    The networks run on a thread of their own, over and over on the newest pose. What is shown
    lies between the two newest fields, a little in the past, so that motion is smooth at any
    rate of theirs; where they keep up with the display it is simply the newest. While they fail
    or hang the last frame stays, the next runtime is opened, and nothing else stops.

    All methods but ``set_quality``, ``status`` and ``close`` belong to the display's thread.

    Args:
        source: opens posers, and is told which of them cannot be trusted.
        picture: the character.
        open_compositor: makes what draws frames of ``size``.
        quality: the best wanted.
        size: side of the frames, pixels.
        fps: beats a second.
        budget: of the processor, for the networks.
        clock: the monotonic clock.
        telemetry: gets times and counters below ``render.``.
        start: starts a worker; tests step it by hand instead.
    """

    def __init__(
        self,
        source: PoserSource,
        picture: Picture,
        *,
        open_compositor: Callable[[], FrameMaker],
        quality: Quality,
        size: int,
        fps: float,
        budget: CpuBudget,
        clock: Clock,
        telemetry: Telemetry,
        start: Callable[[FieldsWorker], None] = FieldsWorker.start,
    ) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._wanted_fps = fps
        self._size = size
        self._open_compositor = open_compositor
        self._compositor = open_compositor()
        self._compositor.set_picture(picture)
        self._picture = picture
        self._next: tuple[Picture, FrameMaker] | None = None
        self._wanted_quality = quality
        self._governed_quality = quality
        self._wanted_duty = self._duty = 1.0
        self._governor = Governor(quality, fps, clock.now_ns())
        self._timeline = Timeline(round(NS_PER_S / fps))
        self._poses: LatestSlot[PoseRequest] = LatestSlot()
        self._fresh_ns: deque[int] = deque()
        self._shown, self._spare = (np.zeros((size, size, 4), np.uint8) for _ in range(2))
        self._view: View | None = None
        self._frame: Frame | None = None
        self._logged_ns: int | None = None
        self._keeper = WorkerKeeper(
            source,
            Wish(picture, self._governor.rung.quality),
            poses=self._poses,
            budget=budget,
            clock=clock,
            telemetry=telemetry,
            start=start,
        )

    def wait_until_open(self) -> None:
        """Return once the networks are loaded and there is a frame to show; on any thread.

        Raises:
            RuntimeUnavailable: nothing on this machine can run them, or loading does not end.
            WeightsError: the weights are absent or damaged.
        """
        self._keeper.wait_until_open()

    @property
    def fps(self) -> float:
        """Beats a second that the machine can bear: what was asked for, or half of it."""
        return self._wanted_fps / 2 if self._governor.rung.halved else self._wanted_fps

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        """Return the frame of this beat.

        Args:
            values: the newest pose, float32 [45], read-only and finite.
            t_ns: arrival of the face data behind it.

        Returns:
            The frame, valid until the next call, with the arrival of the data that *it* shows;
            ``REPEAT`` if it is the one before, ``PLACEHOLDER`` if the networks never gave any;
            None before the first one.
        """
        now_ns = self._clock.now_ns()
        self._govern(now_ns)
        patience_s = self._patience_s()
        worker = self._keeper.worker
        if worker is not None:
            worker.handled.clear()
        self._poses.put(PoseRequest(values, now_ns, t_ns))
        if worker is not None and patience_s > 0 and worker.alive:
            worker.handled.wait(patience_s)
        self._collect(now_ns)
        self._keeper.tend(now_ns)
        view = self._timeline.at(now_ns)
        if view is None:
            return self._nothing_new(t_ns)
        if not view.draws_same_as(self._view) and not self._draw(view):
            return self._nothing_new(t_ns)
        repeated = self._view is not None and view.draws_same_as(self._view)
        self._view = view
        self._frame = Frame(
            self._shown, view.capture_ns, FrameFlag.REPEAT if repeated else FrameFlag.NONE
        )
        return self._frame

    def note_beats(self, beats: int, missed: int) -> None:
        """Note ``beats`` deadlines since the last call, of which ``missed`` were missed."""
        self._governor.add_beats(beats, missed)

    def set_quality(self, quality: Quality) -> None:
        """Want another best quality from the next beat on; safe from any thread."""
        self._wanted_quality = quality

    def leave_room(self, duty: float) -> None:
        """Compute in no more than the share ``duty`` of the time; safe from any thread."""
        self._wanted_duty = duty

    def set_picture(self, picture: Picture) -> None:
        """Show ``picture`` as soon as there are fields of it; until then the one before."""
        compositor = self._open_compositor()
        compositor.set_picture(picture)
        self._next = picture, compositor
        self._keeper.change_wish(picture=picture)

    def status(self) -> LiveStatus:
        """Return how things are; safe from any thread."""
        now_ns = self._clock.now_ns()
        recent = sum(t_ns >= now_ns - _FRESH_WINDOW_NS for t_ns in list(self._fresh_ns))
        keeper = self._keeper
        return LiveStatus(
            runtime=keeper.runtime,
            quality=self._governor.rung.quality,
            fps=self.fps,
            fresh_fps=round(recent * NS_PER_S / _FRESH_WINDOW_NS, 1),
            networks_ms=round(keeper.usual_cost_ns / 1e6, 1),
            added_delay_ms=round(self._timeline.playout.added_delay_ns / 1e6, 1),
            below_wanted=self._governor.below_wanted,
            failing=keeper.failing,
            fallback=keeper.fallback,
            trouble=keeper.trouble,
        )

    def close(self) -> None:
        """Give up the networks; a computation that hangs is left behind. May be called twice."""
        self._keeper.close()

    def _patience_s(self) -> float:
        """Return how long quick networks may be waited for, so that a beat shows its own pose."""
        period_ns = NS_PER_S / self.fps
        cost_ns = self._keeper.usual_cost_ns
        if not self._timeline.playout.keeps_up or not 0 < cost_ns < _PATIENT_BELOW * period_ns:
            return 0.0
        return _PATIENCE * period_ns / NS_PER_S

    def _collect(self, now_ns: int) -> None:
        """Take what the networks finished since the last beat."""
        worker = self._keeper.worker
        if worker is None:
            return
        while worker.fresh:
            try:
                fresh = worker.fresh.popleft()
            except IndexError:  # the worker took it back for its buffer
                break
            if fresh.picture is not self._picture and not self._change_picture(fresh.picture):
                fresh.timed.release()
                continue
            self._timeline.add(fresh.timed, now_ns)
            if self._keeper.note_cost(fresh.cost_ns):
                self._governor.add_fresh(fresh.cost_ns, fresh.quality)
            self._fresh_ns.append(now_ns)
        while self._fresh_ns and self._fresh_ns[0] < now_ns - _FRESH_WINDOW_NS:
            self._fresh_ns.popleft()
        if worker.same is not None:
            timed, pose = worker.same
            self._timeline.extend(timed, pose.moment_ns, pose.capture_ns)

    def _change_picture(self, picture: Picture) -> bool:
        """Go over to ``picture`` if it is the one wanted."""
        if self._next is None or self._next[0] is not picture:
            return False
        self._picture, self._compositor = self._next
        self._next = None
        self._timeline.clear()
        return True

    def _draw(self, view: View) -> bool:
        """Draw ``view``, and return False if it must not be shown."""
        began_ns = self._clock.now_ns()
        older, newer = view.older.fields, view.newer.fields
        try:
            if newer is older or view.share == 0.0:
                self._compositor.composite(older, self._spare)
            else:
                self._compositor.between(older, newer, view.share, self._spare)
        except InferenceError as error:
            self._timeline.drop(view)
            self._keeper.fields_were_unfit(error, self._clock.now_ns())
            return False
        cost_ns = self._clock.now_ns() - began_ns
        self._telemetry.observe("render.composite", cost_ns)
        self._governor.add_drawing(cost_ns)
        self._shown, self._spare = self._spare, self._shown
        self._keeper.frame_was_shown(view.newer.pool)
        return True

    def _nothing_new(self, t_ns: int) -> Frame | None:
        """Return the last frame once more, or the still picture if there never was one."""
        if self._frame is not None:
            self._frame = Frame(
                self._frame.rgba, self._frame.t_capture_ns, self._frame.flags | FrameFlag.REPEAT
            )
        elif self._keeper.failing:
            still = placeholder_frame(self._picture, self._size)
            self._frame = Frame(still, t_ns, FrameFlag.PLACEHOLDER)
        return self._frame

    def _govern(self, now_ns: int) -> None:
        if self._wanted_duty != self._duty:
            self._duty = self._wanted_duty
            self._keeper.change_wish(duty=self._duty)
        if self._wanted_quality is not self._governed_quality:
            self._governed_quality = self._wanted_quality
            self._take(self._governor.start(self._wanted_quality, now_ns), now_ns)
            return
        step = self._governor.decide(now_ns, busy_ns=self._keeper.busy_ns(now_ns))
        if step is not None:
            self._take(step, now_ns)

    def _take(self, step: Step, now_ns: int) -> None:
        rung = step.rung
        self._keeper.change_wish(quality=rung.quality, fresh_interval_ns=rung.fresh_interval_ns)
        self._timeline.playout.set_period(round(NS_PER_S / self.fps))
        self._telemetry.count(f"render.governor.{step.cause.name.lower()}")
        quiet = self._logged_ns is not None and now_ns - self._logged_ns < _LOG_EVERY_NS
        log.log(
            logging.DEBUG if quiet and step.cause is not Cause.WANTED else logging.INFO,
            "frames are %s now, %g a second: %s",
            rung.quality,
            self.fps,
            step.cause,
        )
        self._logged_ns = now_ns
