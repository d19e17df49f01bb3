"""Keep a renderer running until somebody wants it to end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.errors import KeepsFailing
from vtbridge.supervise.link import Order
from vtbridge.supervise.progress import Progress
from vtbridge.supervise.renderer import Renderer, cause_of
from vtbridge.supervise.restarts import Restarts
from vtbridge.supervise.settings import SupervisorSettings
from vtbridge.supervise.systemd import Systemd

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.1
_STOP_WITHIN_S: Final = 10.0
_WITHIN_S: Final = 60.0

Start = Callable[[Sequence[str], int], Renderer]


class Supervisor:
    """Start a renderer, watch it, and start it again when it dies or hangs.

    Args:
        command: that starts a renderer.
        settings: of the watch.
        systemd: hears how it fares.
        seconds: of frames, after which it ends; None for ever.
        clock: monotonic.
        start: of a renderer.
    """

    def __init__(
        self,
        command: Sequence[str],
        settings: SupervisorSettings,
        *,
        systemd: Systemd,
        seconds: float | None = None,
        clock: Clock | None = None,
        start: Start = Renderer.start,
    ) -> None:
        self._command = command
        self._settings = settings
        self._systemd = systemd
        self._seconds = seconds
        self._clock = clock or MonotonicClock()
        self._start = start
        self._restarts = Restarts(settings.restarts, _WITHIN_S)
        self._stops = 0
        self._reload = False
        self._was_ready = False
        self._deadline_ns: int | None = None

    def run(self) -> int:
        """Return the exit code of the renderer that ended on purpose, or never got ready.

        Raises:
            KeepsFailing: it was started again as often as the settings allow.
        """
        while True:
            renderer = self._start(self._command, self._restarts.count)
            try:
                trouble = self._watch(renderer)
                code = renderer.exit_code()
            finally:
                renderer.close()
            if not trouble and code is not None:
                return code
            wait_s = self._restarts.wait_s(self._clock.now_ns())
            if wait_s is None:
                raise KeepsFailing(
                    f"the renderer {trouble}, and had been started again "
                    f"{self._settings.restarts} times within a minute: look at its messages above, "
                    "and at `vtbridge doctor`; OBS shows what you chose for an avatar that is away"
                )
            self._systemd.status(f"starting the renderer again: it {trouble}")
            log.warning(
                "the renderer %s; starting it again (restart %d)", trouble, self._restarts.count
            )
            if self._slept(wait_s):
                return 0

    def stop(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        """Have the renderer end in order; the second time at once. Fit for a signal handler."""
        del number, frame
        self._stops += 1

    def reload(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Have the settings read anew. Fit for a signal handler."""
        del number, frame
        self._reload = True

    def catch_signals(self) -> None:
        """Let Ctrl-C and SIGTERM end it, and SIGHUP reload, where there is one."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, self.reload)

    def _watch(self, renderer: Renderer) -> str:
        """Return what was wrong with a renderer that is no more, empty if it ended as it should."""
        progress = Progress(
            self._clock.now_ns(),
            start_within_s=self._settings.start_within_s,
            hung_after_s=self._settings.hung_after_s,
        )
        while True:
            try:
                for message in renderer.link.told(_LOOK_S):
                    self._hear(message, progress)
            except EOFError:
                code = renderer.wait(self._settings.hung_after_s)
            else:
                code = renderer.exit_code()
            if code is not None:
                return "" if self._stops else self._verdict(code, progress)
            if self._stops or self._is_over():
                return self._ended(renderer)
            if self._reload:
                self._reload = False
                self._systemd.reloading(self._clock.now_ns())
                renderer.link.order(Order.RELOAD)
                self._systemd.ready("reloaded")
            trouble = progress.trouble(self._clock.now_ns())
            if trouble:
                renderer.kill()
                return trouble

    def _hear(self, message: dict[str, object], progress: Progress) -> None:
        now_ns = self._clock.now_ns()
        if message.get("ready") is True:
            progress.told_ready(now_ns)
            self._systemd.ready("live")
            if self._deadline_ns is None and self._seconds is not None:
                self._deadline_ns = now_ns + round(self._seconds * NS_PER_S)
            self._was_ready = True
        beats = message.get("beats")
        if isinstance(beats, int) and progress.told(beats, now_ns):
            self._systemd.alive()

    def _verdict(self, code: int, progress: Progress) -> str:
        """Return what is wrong with a renderer that ended by itself, empty for nothing to mend.

        What the user has to mend, a wrong picture or a taken name, fails at the first start.
        """
        if code == 0 or (code > 0 and not self._was_ready):
            return ""
        return cause_of(code) if progress.ready else f"{cause_of(code)} before it was ready"

    def _is_over(self) -> bool:
        return self._deadline_ns is not None and self._clock.now_ns() >= self._deadline_ns

    def _ended(self, renderer: Renderer) -> str:
        """Have a renderer end in order; if it takes long, or the user insists, at once."""
        self._systemd.stopping()
        renderer.link.order(Order.STOP)
        stops, until_ns = self._stops, self._clock.now_ns() + round(_STOP_WITHIN_S * NS_PER_S)
        while renderer.wait(_LOOK_S) is None:
            if self._stops > max(stops, 1) or self._clock.now_ns() >= until_ns:
                log.warning("the renderer did not end in time: it is killed")
                renderer.kill()
        return ""

    def _slept(self, wait_s: float) -> bool:
        """Wait, and return whether somebody wanted it to end meanwhile."""
        until_ns = self._clock.now_ns() + round(wait_s * NS_PER_S)
        while not self._stops and (left_ns := until_ns - self._clock.now_ns()) > 0:
            self._clock.sleep_until(self._clock.now_ns() + min(left_ns, round(_LOOK_S * NS_PER_S)))
        return bool(self._stops)
