"""The clock of the program: on each beat the newest face becomes a published frame."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame, Frame, FrameFlag, Picture, Pose, U8Array
from vtbridge.errors import InferenceError
from vtbridge.expressions.idle import IdleMotion
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.publish.vtbf import HealthFlag
from vtbridge.render.poser import Poser
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_FPS_WINDOW_NS = 2 * NS_PER_S
_FAILURE_WINDOW_NS = 10 * NS_PER_S
_FAILURES_BEFORE_REBUILD = 3
_REBUILDS_BEFORE_GIVING_UP = 3
_REBUILD_WINDOW_NS = 60 * NS_PER_S

Sink = Callable[[Frame], None]


class Segment(Protocol):
    """What the loop needs of the shared-memory segment; ``FrameWriter`` is one."""

    def write(self, frame: Frame) -> int:
        """Publish ``frame`` and return its number."""

    def heartbeat(self) -> None:
        """Tell readers that the loop lives though no frame came."""

    def set_health(self, flags: HealthFlag) -> None:
        """Tell readers how the daemon is."""


class RenderLoop(ThreadService):
    """Sleep to the beat, take the newest face, render, publish; never catch up.

    Args:
        open_poser: makes the poser; called again when it keeps failing.
        picture: the character.
        retargeter: face to pose.
        idle: breathing, and life while no face is seen.
        faces: where the trackers put the newest face.
        writer: the shared-memory segment, the first of all sinks.
        sinks: called with each frame after it is published; must not block.
        fps: beats a second.
        clock: the monotonic clock.
        telemetry: gets the time of each stage.
    """

    def __init__(
        self,
        *,
        open_poser: Callable[[], Poser],
        picture: Picture,
        retargeter: Retargeter,
        idle: IdleMotion,
        faces: LatestSlot[FaceFrame],
        writer: Segment,
        sinks: Sequence[Sink],
        fps: float,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__("render")
        self._open_poser = open_poser
        self._picture = picture
        self._retargeter = retargeter
        self._idle = idle
        self._faces = faces
        self._writer = writer
        self._sinks = sinks
        self._clock = clock
        self._telemetry = telemetry
        self._pacer = Pacer(fps, clock)
        self._commands: deque[Callable[[], None]] = deque()
        self._published_ns: deque[int] = deque()
        self._failed_ns: deque[int] = deque(maxlen=_FAILURES_BEFORE_REBUILD)
        self._rebuilt_ns: deque[int] = deque(maxlen=_REBUILDS_BEFORE_GIVING_UP)
        self._last_t_ns = 0
        self._last: U8Array | None = None
        self._failing = False
        self._poser = open_poser()
        try:
            self._poser.set_picture(picture)
        except BaseException:
            self._poser.close()
            raise
        self.frames = 0
        self.tracked = False

    @property
    def runtime(self) -> str:
        """What renders, for people: ``openvino f32 CPU``."""
        return self._poser.describe()

    @property
    def dropped(self) -> int:
        """Beats skipped because the machine was too slow for the fps wanted."""
        return self._pacer.missed

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

    def serve(self) -> None:
        """Render until asked to stop.

        Raises:
            InferenceError: the networks still fail after several rebuilds.
        """
        seen = 0
        try:
            while not self.stopping.is_set():
                self._pacer.wait()
                while self._commands:
                    self._commands.popleft()()
                seen = self._beat(seen)
        finally:
            self._poser.close()

    def _beat(self, seen: int) -> int:
        """Turn the faces since ``seen`` into one frame and return the newest one's ``seq``."""
        faces = self._faces.newer(seen)
        with self._telemetry.timed("retarget"):
            # All of them, oldest first: a blink lies between two beats of a slow machine.
            for face in faces:
                self._retargeter.feed(face.value)
            now_ns = self._clock.now_ns()
            pose = self._idle.apply(self._retargeter.pose_at(now_ns), now_ns)
        self.tracked = not self._retargeter.tracker_lost(now_ns)
        frame = self._frame(pose)
        seen = faces[-1].seq if faces else seen
        if frame is None:
            self._writer.set_health(self._health())
            self._writer.heartbeat()
            return seen
        with self._telemetry.timed("publish"):
            self._writer.set_health(self._health())
            self._writer.write(frame)
        done_ns = self._clock.now_ns()
        self.frames += 1
        self._published_ns.append(done_ns)
        while self._published_ns[0] < done_ns - _FPS_WINDOW_NS:
            self._published_ns.popleft()
        if faces:
            self._telemetry.observe("face_to_frame", done_ns - faces[-1].value.t_ns)
        for sink in self._sinks:
            sink(frame)
        return seen

    def _health(self) -> HealthFlag:
        health = HealthFlag(0) if self.tracked else HealthFlag.TRACKER_LOST
        if self._failing:
            return health | HealthFlag.INFERENCE_FAILED
        return health | HealthFlag.READY

    def _frame(self, pose: Pose) -> Frame | None:
        """Render ``pose``; after a failure repeat the last frame, None if there is none."""
        flags = FrameFlag.NONE if self.tracked else FrameFlag.TRACKER_LOST
        try:
            with self._telemetry.timed("render"):
                rgba = self._poser.render(pose.values)
        except InferenceError as error:
            self._failing = True
            self._handle_failure(error)
            if self._last is None:
                return None
            return Frame(self._last, self._last_t_ns, flags | FrameFlag.REPEAT)
        self._last, self._last_t_ns = rgba, pose.t_ns
        self._failing = False
        if self._poser.repeated:
            flags |= FrameFlag.REPEAT
        return Frame(rgba, pose.t_ns, flags)

    def _handle_failure(self, error: InferenceError) -> None:
        now_ns = self._clock.now_ns()
        self._telemetry.count("render.failed")
        if not self._failed_ns:
            log.warning("a frame could not be rendered, the last one stays: %s", error)
        self._failed_ns.append(now_ns)
        if (
            len(self._failed_ns) < _FAILURES_BEFORE_REBUILD
            or now_ns - self._failed_ns[0] > _FAILURE_WINDOW_NS
        ):
            return
        rebuilt = self._rebuilt_ns
        if len(rebuilt) == rebuilt.maxlen and now_ns - rebuilt[0] <= _REBUILD_WINDOW_NS:
            raise error
        rebuilt.append(now_ns)
        self._telemetry.count("render.rebuilt")
        log.warning("rendering keeps failing; loading the networks anew")
        self._failed_ns.clear()
        if self._last is not None:
            self._last = self._last.copy()  # it may lie in the old poser's memory
        fresh = self._open_poser()
        self._poser.close()
        self._poser = fresh
        self._poser.set_picture(self._picture)
