"""The networks' own thread: fields of the newest pose, again and again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array, Picture, read_only
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.live.cpu_budget import CpuBudget
from vtbridge.render.live.fields_pool import FieldsPool
from vtbridge.render.live.priority import lower_this_thread
from vtbridge.render.live.timeline import TimedFields
from vtbridge.render.poser import Poser
from vtbridge.render.selection.trust import check_fields
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

_WAIT_S = 0.2
_RECHECK_AT_REST_NS = 60 * NS_PER_S
_RECHECK_NS = 300 * NS_PER_S
"""Time between two self-tests, which cost about a frame, at rest and in motion."""
_RIPENING = frozenset({Quality.BALANCED, Quality.FAST})
"""Levels at which a pose asked for once more gets better fields."""
_NEUTRAL = read_only(np.zeros(POSE_SIZE, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class PoseRequest:
    """A pose to compute.

    Attributes:
        values: float32 [45], read-only.
        moment_ns: the beat it is of.
        capture_ns: arrival of the face data behind it.
    """

    values: F32Array
    moment_ns: int
    capture_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class FreshFields:
    """Fields that were just computed, and what they cost.

    Attributes:
        timed: the fields; their buffer belongs to whoever took this.
        picture: whose they are.
        quality: how they were computed.
        cost_ns: time from the pose to the copied fields.
    """

    timed: TimedFields
    picture: Picture
    quality: Quality
    cost_ns: int


@dataclass(frozen=True, slots=True)
class Wish:
    """How the next fields shall be computed; replaced as a whole by another thread.

    Attributes:
        picture: whose they are.
        quality: how exactly.
        fresh_interval_ns: shortest time from one pose to the next.
        duty: share of the time in which may be computed, 0..1.
    """

    picture: Picture
    quality: Quality
    fresh_interval_ns: int = 0
    duty: float = 1.0


class FieldsWorker(ThreadService):
    """Own a poser from its opening to its end, on one thread.

    Whoever gives it up (``stop``) need not wait: a worker that hangs keeps what it holds, and
    what it may still say is never asked for.

    Args:
        open_poser: loads the networks; called on the worker's thread.
        wish: picture, quality and rate to begin with.
        poses: where the display puts each beat's pose.
        pool: buffers for what is handed over; this worker's own.
        budget: how much of the time it may compute.
        clock: measures.
        telemetry: gets ``render.fields`` and counters.

    Attributes:
        wish: what to compute next; set by another thread.
        fresh: fields not yet taken, oldest first.
        errors: what went wrong and was not yet taken, oldest first.
        same: the newest fields and the last pose that was theirs too.
        handled: set whenever a pose has been dealt with; cleared by who waits for it.
        opened: the poser's description once it is there.
        settled: set once it is known whether the poser could be opened.
        warm: set once the first pose has been dealt with.
        since_ns: begin of what it does now: opening, or a pose; None between two poses.
    """

    def __init__(
        self,
        open_poser: Callable[[], Poser],
        wish: Wish,
        *,
        poses: LatestSlot[PoseRequest],
        pool: FieldsPool,
        budget: CpuBudget,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__("fields")
        self.wish = wish
        self.fresh: deque[FreshFields] = deque()
        self.errors: deque[VtbridgeError] = deque()
        self.same: tuple[TimedFields, PoseRequest] | None = None
        self.handled = threading.Event()
        self.opened: str | None = None
        self.settled = threading.Event()
        self.warm = threading.Event()
        self.since_ns: int | None = clock.now_ns()
        self._open_poser = open_poser
        self._poses = poses
        self._pool = pool
        self._budget = budget
        self._clock = clock
        self._telemetry = telemetry
        self._poser: Poser | None = None
        self._picture: Picture | None = None
        self._quality: Quality | None = None
        self._newest: tuple[TimedFields, F32Array] | None = None
        self._seen = 0
        self._busy_ns: tuple[int, int] | None = None
        self._checked_ns = clock.now_ns()

    def serve(self) -> None:
        """Open the poser and compute until stopped."""
        lower_this_thread()
        if not self.open():
            return
        try:
            self.warm_up()
            while not self.stopping.is_set():
                if self._poses.wait_newer(self._seen, timeout_s=_WAIT_S) is not None:
                    self.stopping.wait(self.rest_ns() / NS_PER_S)
                    self.step()
        finally:
            self.close()

    def open(self) -> bool:
        """Load the networks and return whether they are there; else say why in ``errors``."""
        self.since_ns = self._clock.now_ns()
        try:
            poser = self._open_poser()
        except VtbridgeError as error:
            self.errors.append(error)
            return False
        else:
            self._poser = poser
            self._checked_ns = self._clock.now_ns()
            self.opened = poser.describe()
            return True
        finally:
            self.since_ns = None
            self.settled.set()

    def warm_up(self) -> None:
        """Compute the neutral pose, so that the picture is there before the first real one is."""
        if self._poser is not None:
            now_ns = self._clock.now_ns()
            self._try(self._poser, PoseRequest(_NEUTRAL, now_ns, now_ns), self.wish)
        self.warm.set()

    def rest_ns(self) -> int:
        """Return how long to let the processor be before the next pose."""
        if self._busy_ns is None:
            return 0
        began_ns, ended_ns = self._busy_ns
        due_ns = max(
            began_ns + self.wish.fresh_interval_ns,
            ended_ns + self._budget.rest_ns(ended_ns - began_ns, self.wish.duty),
        )
        return max(due_ns - self._clock.now_ns(), 0)

    def step(self) -> None:
        """Compute the newest pose, unless its fields are there already."""
        request = self._poses.peek()
        if request is None or self._poser is None or request.seq <= self._seen:
            return
        self._seen = request.seq
        pose, wish = request.value, self.wish
        if (
            self._newest is not None
            and wish.picture is self._picture
            and wish.quality is self._quality
            and wish.quality not in _RIPENING
            and np.array_equal(self._newest[1], pose.values)
        ):
            self.same = self._newest[0], pose
            self.handled.set()
            self._recheck_after(self._poser, _RECHECK_AT_REST_NS)
            return
        self._try(self._poser, pose, wish)
        self._recheck_after(self._poser, _RECHECK_NS)

    def distrust(self) -> None:
        """Compute the next pose even if it is that of the newest fields, which were unfit."""
        self._newest = None

    def close(self) -> None:
        """Close the poser."""
        if self._poser is not None:
            self._poser.close()
            self._poser = None

    def _try(self, poser: Poser, pose: PoseRequest, wish: Wish) -> None:
        began_ns = self.since_ns = self._clock.now_ns()
        try:
            self._compute(poser, pose, wish)
        except VtbridgeError as error:
            self.errors.append(error)
        finally:
            self.since_ns = None
            self._busy_ns = began_ns, self._clock.now_ns()
            self.handled.set()

    def _recheck_after(self, poser: Poser, interval_ns: int) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._checked_ns < interval_ns:
            return
        self.since_ns = self._checked_ns = now_ns
        try:
            poser.recheck()
        except VtbridgeError as error:
            self.errors.append(error)
        finally:
            self.since_ns = None

    def _compute(self, poser: Poser, pose: PoseRequest, wish: Wish) -> None:
        began_ns = self._clock.now_ns()
        if wish.picture is not self._picture:
            self._picture = self._newest = None
            poser.set_picture(wish.picture)
            self._picture = wish.picture
            began_ns = self._clock.now_ns()
        if wish.quality is not self._quality:
            poser.set_quality(wish.quality)
            self._quality = wish.quality
        with self._telemetry.timed("render.fields"):
            fields = poser.fields(pose.values)
        check_fields(fields, self.opened or "a poser")
        if self.stopping.is_set():
            return  # nobody will ask for them
        copy = self._pool.copy_of(fields)
        if copy is None and self.fresh:
            # The display has not come round since the last ones: the newest are worth more.
            self._give_up_oldest()
            copy = self._pool.copy_of(fields)
        if copy is None:
            self._telemetry.count("render.fields.dropped")
            return
        timed = TimedFields.at(copy, pose.moment_ns, pose.capture_ns, self._pool)
        self._newest = timed, pose.values
        cost_ns = self._clock.now_ns() - began_ns
        self.fresh.append(FreshFields(timed, wish.picture, wish.quality, cost_ns))

    def _give_up_oldest(self) -> None:
        try:
            self.fresh.popleft().timed.release()
        except IndexError:  # the display took it at this very moment
            return
        self._telemetry.count("render.fields.dropped")
