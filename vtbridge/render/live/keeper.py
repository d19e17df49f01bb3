"""Keep the networks going: watch the worker, replace it, and the runtime, when they fail."""

from __future__ import annotations

import logging
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import Picture
from vtbridge.errors import RuntimeTurnedWrong, RuntimeUnavailable, VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.render.live.cpu_budget import CpuBudget
from vtbridge.render.live.fields_pool import FieldsPool
from vtbridge.render.live.fields_worker import FieldsWorker, PoseRequest, Wish
from vtbridge.render.live.hang_guard import HangGuard
from vtbridge.render.live.recovery import Recovery, Remedy
from vtbridge.render.live.timeline import LONGEST
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_BUFFERS = LONGEST + 1
_FIRST_OPENING_S = 900.0  # on a new machine runtimes are prepared and compared first
_FIRST_POSE_S = 20.0
_MOST_LEFT_BEHIND = 4  # hanging threads, with all that they hold
_STOP_S = 1.0
_COSTS_KEPT = 32


class PoserSource(Protocol):
    """Where posers come from."""

    def open(self) -> Poser:
        """Open the best poser that there is; called on the thread it will belong to.

        Raises:
            RuntimeUnavailable: none can be opened.
            WeightsError: the weights are absent or damaged.
        """

    def blame(self, reason: str) -> None:
        """Never again open what ``open`` gave last, or is still trying to open."""


class WorkerKeeper:
    """Own the present worker; replace it when it hangs, dies, or its fields are unfit.

    Belongs to the display's thread; its attributes may be read from any.

    Attributes:
        worker: the present one, None while waiting to try again.
        runtime: what computes, for people; the last one while none does.
        failing: nothing could be shown since the last failure.
        fallback: a runtime was given up since the start.
        trouble: what is wrong, for people.
    """

    def __init__(
        self,
        source: PoserSource,
        wish: Wish,
        *,
        poses: LatestSlot[PoseRequest],
        budget: CpuBudget,
        clock: Clock,
        telemetry: Telemetry,
        start: Callable[[FieldsWorker], None],
    ) -> None:
        self._source = source
        self._wish = wish
        self._poses = poses
        self._budget = budget
        self._clock = clock
        self._telemetry = telemetry
        self._start = start
        self._recovery = Recovery()
        self._retry_ns: int | None = None
        self._left_behind = 0
        self._warm = False
        self._closed = False
        self.runtime = ""
        self.failing = False
        self.fallback = False
        self.trouble = ""
        self.worker: FieldsWorker | None = None
        self._open_worker()

    @property
    def usual_cost_ns(self) -> float:
        """Median time of the networks for one pose lately, 0 if none was computed yet."""
        costs = list(self._costs_ns)
        return statistics.median(costs) if costs else 0.0

    def wait_until_open(self) -> None:
        """Return once the first worker is ready; see ``LivePoser.wait_until_open``."""
        worker = self.worker
        if worker is None or not worker.settled.wait(_FIRST_OPENING_S):
            raise RuntimeUnavailable(
                f"the networks were not loaded within {_FIRST_OPENING_S:.0f} s; choose another "
                "[render] runtime, and see what `vtbridge doctor` says"
            )
        if worker.failure is not None:
            raise worker.failure
        if worker.opened is None:
            raise worker.errors[0]
        self.runtime = worker.opened
        worker.warm.wait(_FIRST_POSE_S)  # what takes longer is judged by ``tend``

    def busy_ns(self, now_ns: int) -> int:
        """Return for how long the present pose has been computed, 0 if none or the first is."""
        since_ns = self.worker.since_ns if self.worker is not None and self._warm else None
        return 0 if since_ns is None else max(now_ns - since_ns, 0)

    def change_wish(
        self,
        *,
        picture: Picture | None = None,
        quality: Quality | None = None,
        fresh_interval_ns: int | None = None,
        duty: float | None = None,
    ) -> None:
        """Have the next fields made otherwise; what is None stays."""
        wish = self._wish
        self._wish = Wish(
            wish.picture if picture is None else picture,
            wish.quality if quality is None else quality,
            wish.fresh_interval_ns if fresh_interval_ns is None else fresh_interval_ns,
            wish.duty if duty is None else duty,
        )
        if self.worker is not None:
            self.worker.wish = self._wish

    def note_cost(self, cost_ns: int) -> bool:
        """Note what the networks took for a pose; return False if that tells nothing of the next.

        The first pose after loading may compile and fill caches.
        """
        if not self._warm:
            self._warm = True
            return False
        self._guard.note(cost_ns)
        self._costs_ns.append(cost_ns)
        return True

    def fields_were_unfit(self, error: VtbridgeError, now_ns: int) -> None:
        """Note that fields could not be drawn."""
        if self.worker is not None:
            self.worker.distrust()
        self._failed(error, now_ns)

    def frame_was_shown(self, pool: FieldsPool) -> None:
        """Note that fields from ``pool`` were drawn."""
        if pool is self._pool:
            self._recovery.succeeded()
            if self.failing:
                log.info("rendering goes on: %s", self.runtime)
            self.failing, self.trouble = False, ""

    def tend(self, now_ns: int) -> None:
        """Look after the worker; once a beat."""
        worker = self.worker
        if worker is None:
            if self._retry_ns is not None and now_ns >= self._retry_ns:
                self._open_worker()
            return
        if worker.opened is not None:
            self.runtime = worker.opened
        limit_ns = self._guard.limit_ns(opening=worker.opened is None)
        since_ns = worker.since_ns
        if worker.failure is not None:
            self._ended(worker.failure, now_ns)
        elif since_ns is not None and now_ns - since_ns > limit_ns:
            self._hung(worker, now_ns - since_ns)
        else:
            while worker.errors and self.worker is worker:
                error = worker.errors.popleft()
                if worker.opened is None:
                    self._not_opened(error, now_ns)
                else:
                    self._failed(error, now_ns)

    def close(self) -> None:
        """Stop the worker; one that hangs is left behind."""
        self._closed = True
        worker, self.worker = self.worker, None
        if worker is not None and not worker.stop(timeout_s=_STOP_S):
            log.warning("the networks did not stop in time; leaving them behind")

    def _open_worker(self) -> None:
        """Begin with a new worker, which opens the best poser left."""
        if self._closed:
            return
        if self.worker is not None:
            self.worker.stop(timeout_s=0.0)
        self._retry_ns = None
        # A worker that was given up may still hold buffers of its own pool.
        self._pool = FieldsPool(_BUFFERS)
        self._guard = HangGuard()
        self._warm = False
        self._costs_ns: deque[int] = deque(maxlen=_COSTS_KEPT)
        self.worker = FieldsWorker(
            self._source.open,
            replace(self._wish),
            poses=self._poses,
            pool=self._pool,
            budget=self._budget,
            clock=self._clock,
            telemetry=self._telemetry,
        )
        self._start(self.worker)

    def _failed(self, error: VtbridgeError, now_ns: int) -> None:
        """Bear a pose that could not be computed or shown."""
        self._telemetry.count("render.failed")
        if not self.failing:
            log.warning("a frame could not be rendered, the last one stays: %s", error)
        self.failing, self.trouble = True, str(error)
        distrusted = isinstance(error, RuntimeTurnedWrong)
        remedy = Remedy.REPLACE if distrusted else self._recovery.after_failure(now_ns)
        self._remedy(remedy, str(error))

    def _ended(self, error: BaseException, now_ns: int) -> None:
        """Replace a worker whose thread died."""
        self._telemetry.count("render.failed")
        self.failing, self.trouble = True, f"{type(error).__name__}: {error}"
        self._remedy(self._recovery.after_end(now_ns), self.trouble)

    def _hung(self, worker: FieldsWorker, busy_ns: int) -> None:
        """Leave a worker behind that will never end."""
        self._telemetry.count("render.hung")
        self._left_behind += 1
        reason = (
            f"{worker.opened or 'loading the networks'} has not answered for "
            f"{busy_ns / NS_PER_S:.1f} s"
        )
        self.failing, self.trouble = True, reason
        self._remedy(Remedy.REPLACE, reason)

    def _remedy(self, remedy: Remedy, reason: str) -> None:
        if remedy is Remedy.WAIT:
            return
        if remedy is Remedy.REPLACE:
            log.warning("%s; going over to the next runtime", reason)
            self._telemetry.count("render.runtime.replaced")
            self._source.blame(reason)
            self._recovery.after_replacement()
            self.fallback = True
            if self._left_behind >= _MOST_LEFT_BEHIND:
                self._give_up()
                return
        else:
            log.warning("rendering keeps failing; loading the networks anew")
            self._telemetry.count("render.rebuilt")
        self._open_worker()

    def _give_up(self) -> None:
        """Open nothing more: each hanging thread keeps its memory, and a restart frees it all."""
        self.trouble = f"the networks hung {self._left_behind} times; restart vtbridge"
        log.error("%s; the last frame stays", self.trouble)
        self.worker = None

    def _not_opened(self, error: VtbridgeError, now_ns: int) -> None:
        """Wait, longer each time, before opening is tried again."""
        wait_ns = self._recovery.retry_after_ns()
        if not self.failing or str(error) != self.trouble:
            log.error("no networks can be used, the last frame stays: %s", error)
        self.failing, self.trouble = True, str(error)
        self._telemetry.count("render.not_opened")
        self.worker = None
        self._retry_ns = now_ns + wait_ns
