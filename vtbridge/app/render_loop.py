"""The clock of the program: on each beat the newest face becomes a published frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from vtbridge.app.manual_pose import ManualPose
from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame, Frame, FrameFlag, Pose
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.idle import IdleMotion
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.publish.vtbf import HealthFlag
from vtbridge.render.live.live_frames import LiveFrames
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

_FPS_WINDOW_NS = 2 * NS_PER_S

Sink = Callable[[Frame], None]


class Segment(Protocol):
    """What the loop needs of the shared-memory segment; ``FrameWriter`` is one."""

    def write(self, frame: Frame) -> int:
        """Publish ``frame`` and return its number."""

    def heartbeat(self) -> None:
        """Tell readers that the loop lives though no frame came."""

    def set_health(self, flags: HealthFlag) -> None:
        """Tell readers how the daemon is."""


class Poses(Protocol):
    """Where poses come from: a ``Retargeter``, or another computer."""

    def feed(self, face: FaceFrame) -> None:
        """Take the newest face."""

    def pose_at(self, now_ns: int) -> Pose:
        """Return the pose to show."""

    def tracker_lost(self, now_ns: int) -> bool:
        """Return whether no face is seen."""


class RenderLoop(ThreadService):
    """Sleep to the beat, take the newest face, render, publish; never catch up.

    Args:
        live: makes frames of poses; closed with the loop.
        retargeter: face to pose.
        idle: breathing, and life while no face is seen.
        expressions: laid over face and idle motion alike; None = none.
        manual: what is posed by hand, over all of that; None = nothing.
        faces: where the trackers put the newest face.
        writer: the shared-memory segment, the first of all sinks.
        sinks: called with each frame after it is published; must not block.
        looks: whether frames are worth making; while it says no the last one stays.
        fps: beats a second.
        clock: the monotonic clock.
        telemetry: gets the time of each stage; below ``pace.`` how well the beat is kept, and how
            old a face is when its frame is published and when OBS takes it.
    """

    def __init__(
        self,
        *,
        live: LiveFrames,
        retargeter: Poses,
        idle: IdleMotion,
        expressions: ExpressionEngine | None = None,
        manual: ManualPose | None = None,
        faces: LatestSlot[FaceFrame],
        writer: Segment,
        sinks: Sequence[Sink],
        looks: Callable[[], bool] = lambda: True,
        fps: float,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__("render")
        self._live = live
        self._retargeter = retargeter
        self._idle = idle
        self._expressions = expressions
        self._manual = manual
        self._face: FaceFrame | None = None
        self._faces = faces
        self._writer = writer
        self._sinks = sinks
        self._looks = looks
        self._clock = clock
        self._telemetry = telemetry
        self._pacer = Pacer(fps, clock)
        self._commands: deque[Callable[[], None]] = deque()
        self._published_ns: deque[int] = deque()
        self._face_shown_ns: int | None = None  # arrival of the face in the newest frame
        self.frames = 0
        self.tracked = False
        self.wanted_quality: Quality | None = None  # since the start, None = as it was set up
        self.pose: Pose | None = None  # the newest, for whoever tells of it
        self.health_around = HealthFlag.NONE  # what is wrong elsewhere; set from any thread
        self.health = HealthFlag.NONE  # as readers were told last
        self.heartbeat_ns = clock.now_ns()  # the loop's last sign of life

    @property
    def beats(self) -> int:
        """Deadlines so far."""
        return self._pacer.beats

    @property
    def missed(self) -> int:
        """Deadlines at which no new frame was ready: the machine was too slow or too busy."""
        return self._pacer.missed

    @property
    def locked(self) -> bool:
        """True while the beat follows a consumer's ticks."""
        return self._pacer.locked

    def status(self) -> LiveStatus:
        """Return how frames are made just now; safe from any thread."""
        return self._live.status()

    def fps(self) -> float:
        """Return frames a second over the last two seconds."""
        stamps = list(self._published_ns)
        horizon_ns = self._clock.now_ns() - _FPS_WINDOW_NS
        recent = [t_ns for t_ns in stamps if t_ns >= horizon_ns]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) * NS_PER_S / (recent[-1] - recent[0])

    def submit(self, command: Callable[[], None]) -> None:
        """Run ``command`` on the render thread before the next frame."""
        self._commands.append(command)

    def set_quality(self, quality: Quality) -> None:
        """Want another best quality from the next beat on; safe from any thread."""
        self.wanted_quality = quality
        self._live.set_quality(quality)

    def close(self) -> None:
        """Close what makes frames, if ``serve`` never came to it; may be called twice."""
        self._live.close()

    def lock_phase(self, tick_ns: int, interval_ns: int) -> None:
        """Have frames ready just before a consumer's ticks; safe from any thread.

        See ``Pacer.lock``; to be told again at least every few seconds.

        Args:
            tick_ns: when the consumer took, or will take, a frame; the monotonic clock.
            interval_ns: from one of its ticks to the next.

        Raises:
            ValueError: the interval lies beyond 1 ms..1 s, or the tick is over a second from now.
        """
        self._pacer.lock(tick_ns, interval_ns)
        if self._face_shown_ns is not None and tick_ns >= self._face_shown_ns:
            self._telemetry.observe("face_to_obs", tick_ns - self._face_shown_ns)

    def serve(self) -> None:
        """Render until asked to stop."""
        seen = 0
        try:
            while not self.stopping.is_set():
                self._pace()
                while self._commands:
                    self._commands.popleft()()
                seen = self._beat(seen)
        finally:
            self._live.close()

    def _pace(self) -> None:
        """Wait for the next beat and tell how well the last one was kept."""
        pacer, live = self._pacer, self._live
        period_ns = round(NS_PER_S / live.fps)
        if period_ns != pacer.period_ns:
            pacer.set_fps(live.fps)
        beats, missed = pacer.beats, pacer.missed
        pacer.wait()
        beats, missed = pacer.beats - beats, pacer.missed - missed
        live.note_beats(beats, missed)
        if beats:
            self._telemetry.observe("pace.late", pacer.late_ns)
            self._telemetry.count("pace.beats", beats)
        if missed:
            self._telemetry.count("pace.missed", missed)

    def _beat(self, seen: int) -> int:
        """Turn the faces since ``seen`` into one frame and return the newest one's ``seq``."""
        faces = self._faces.newer(seen)
        with self._telemetry.timed("retarget"):
            # All of them, oldest first: a blink lies between two beats of a slow machine.
            for stamped in faces:
                self._retargeter.feed(stamped.value)
                self._face = stamped.value
            now_ns = self._clock.now_ns()
            pose = self._idle.apply(self._retargeter.pose_at(now_ns), now_ns)
        self.tracked = not self._retargeter.tracker_lost(now_ns)
        if self._expressions is not None:
            with self._telemetry.timed("expressions"):
                face = self._face if self.tracked else None
                pose = self._expressions.apply(pose, face, now_ns)
        if self._manual is not None:
            pose = self._manual.apply(pose, now_ns)
        self.pose = pose
        if self.frames and not self._looks():
            self._telemetry.count("render.rested")
            self._tell_health(shown=True)
            self._writer.heartbeat()
            return faces[-1].seq if faces else seen
        with self._telemetry.timed("render"):
            frame = self._live.render(pose.values, pose.t_ns)
        self._tell_health(shown=frame is not None)
        if frame is None:
            self._writer.heartbeat()
        else:
            self._publish(frame)
        return faces[-1].seq if faces else seen

    def _publish(self, frame: Frame) -> None:
        if not self.tracked:
            frame = replace(frame, flags=frame.flags | FrameFlag.TRACKER_LOST)
        with self._telemetry.timed("publish"):
            self._writer.write(frame)
        done_ns = self._clock.now_ns()
        self.frames += 1
        self._published_ns.append(done_ns)
        while self._published_ns[0] < done_ns - _FPS_WINDOW_NS:
            self._published_ns.popleft()
        if frame.flags & FrameFlag.REPEAT:
            self._telemetry.count("render.repeated")
        self._face_shown_ns = frame.t_capture_ns if self.tracked else None
        if self.tracked:
            self._telemetry.observe("face_to_frame", done_ns - frame.t_capture_ns)
        for sink in self._sinks:
            sink(frame)

    def _tell_health(self, *, shown: bool) -> None:
        status = self._live.status()
        health = self.health_around
        if not self.tracked:
            health |= HealthFlag.TRACKER_LOST
        if status.failing:
            health |= HealthFlag.INFERENCE_FAILED
        elif shown:
            health |= HealthFlag.READY
        if status.fallback:
            health |= HealthFlag.RUNTIME_FALLBACK
        if status.below_wanted:
            health |= HealthFlag.SLOW
        self.health = health
        self.heartbeat_ns = self._clock.now_ns()
        self._writer.set_health(health)
