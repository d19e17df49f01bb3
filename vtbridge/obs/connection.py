"""The daemon's connection to OBS: one thread owns it, loses it and finds it again.

::

    IDLE ──start──► CONNECTING ──► READY ──any failure──► WAITING ──back-off──► CONNECTING
                        ├── password refused ──► REFUSED ──another one, retry()──► CONNECTING
                        └── kicked ──► REFUSED ──retry()──► CONNECTING
    any of them ──stop──► STOPPED

Requests of other threads, events and signs of life share one socket and this one thread.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.errors import ConfigError, ObsAuthError, ObsError, ObsUnreachable
from vtbridge.flow.service import ThreadService
from vtbridge.obs.client import (
    ODD_ANSWER,
    Answer,
    ObsClient,
    ObsKicked,
    Requests,
)
from vtbridge.obs.doorbell import Doorbell
from vtbridge.obs.listener import ObsListener
from vtbridge.obs.listening import Listening
from vtbridge.obs.password import Password, find_password
from vtbridge.obs.settings import ObsSettings
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_QUEUE_LENGTH = 64
_STABLE_NS = 10 * NS_PER_S
"""A connection that ended sooner is one more failure: being kicked is no reason to hammer."""


def probe_obs(settings: ObsSettings) -> str:
    """Connect once with the stored password and return what answers, for ``doctor``.

    Raises:
        ObsUnreachable: nothing answers.
        ObsAuthError: the password is missing or wrong.
        ConfigError: the file of the password can be read by others.
    """
    with ObsClient(
        settings.host, settings.port, find_password(), timeout_s=settings.timeout_s
    ) as client:
        version = client.request("GetVersion").get("obsVersion", "of unknown version")
        guarded = "password required" if client.auth_required else "NO password required"
        return f"OBS {version} at {client.address}, {guarded}"


class ObsState(Enum):
    """Where the connection stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    READY = "ready"
    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: doubled each time, then scattered by up to half."""

    first_s: float = 0.5
    max_s: float = 30.0

    def delay_s(self, failures: int, scatter: float) -> float:
        """Return the pause after ``failures`` >= 1 in a row; ``scatter`` lies in 0..1."""
        longest = min(self.first_s * 2.0 ** min(failures - 1, 16), self.max_s)
        return longest * (0.5 + 0.5 * scatter)


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    data: Mapping[str, Any] | None
    timeout_s: float | None
    answer: Future[Answer]


class ObsConnection(ThreadService):
    """Keep one connection to OBS alive; ``request`` may be called from any thread."""

    def __init__(
        self,
        settings: ObsSettings,
        password: Callable[[], Password | None],
        *,
        on_ready: Callable[[Requests], None] | None = None,
        listeners: Sequence[ObsListener] = (),
        backoff: Backoff | None = None,
        ping_s: float = 5.0,
        recheck_s: float = 10.0,
        clock: Clock | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Prepare; nothing happens before ``start``.

        Args:
            settings: where OBS is.
            password: asked before each attempt, so that a new one is found.
            on_ready: called on the connection's thread after each connect, to set up
                again what a restarted OBS forgot; an ``ObsError`` of it is logged, an
                answer it could not make sense of ends the connection.
            listeners: told what happens in OBS.
            backoff: pauses between attempts.
            ping_s: seconds without a word of OBS after which it is asked for a sign of life.
            recheck_s: seconds between two questions for another password after one was refused.
            clock: for the age of a connection.
            telemetry: counts ``obs.connected``, ``obs.lost``, ``obs.kicked``, ``obs.events``,
                ``obs.overrun`` (events came faster than they were taken) and ``obs.odd``
                (answers and events that a listener could not make sense of).
        """
        super().__init__("obs")
        self._settings = settings
        self._password = password
        self._on_ready = on_ready
        self._listeners = tuple(listeners)
        self._backoff = backoff or Backoff()
        self._ping_s = ping_s
        self._recheck_s = recheck_s
        self._clock = clock or MonotonicClock()
        self._telemetry = telemetry or Telemetry()
        self._jobs: queue.Queue[_Job] = queue.Queue(_QUEUE_LENGTH)
        self._retry = threading.Event()
        self._lock = threading.Lock()
        self._state = ObsState.IDLE
        self._trouble: ObsError = ObsUnreachable("the connection to OBS was not started")
        self._client: ObsClient | None = None
        self._doorbell: Doorbell | None = None
        self._version = ""

    @property
    def version(self) -> str:
        """What OBS says it is, such as ``29.0.2``; empty while there is no connection."""
        return self._version if self._state is ObsState.READY else ""

    @property
    def state(self) -> ObsState:
        """Where the connection stands now."""
        return self._state

    @property
    def trouble(self) -> str:
        """Why there is no connection; empty while there is one."""
        return "" if self._state is ObsState.READY else str(self._trouble)

    def retry(self) -> None:
        """Try again at once, also after the password was refused."""
        self._retry.set()

    def request(
        self, name: str, data: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Answer:
        """Send one request and wait for its answer.

        Raises:
            ObsRefused: OBS answered with an error.
            ObsAuthError: the password was refused; nothing is tried until there is
                another one, or until ``retry``.
            ObsUnreachable: there is no connection, or no answer came in time.
        """
        with self._lock:
            if self._state is not ObsState.READY:
                raise _copy_of(self._trouble)
            job = _Job(name, data, timeout_s, Future())
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                raise ObsUnreachable(
                    f"{_QUEUE_LENGTH} requests to OBS are waiting already; {name} was dropped"
                ) from None
            self._ring()
        patience_s = self._settings.timeout_s if timeout_s is None else timeout_s
        try:
            return job.answer.result(patience_s * 2)
        except FutureTimeoutError:
            job.answer.cancel()
            raise ObsUnreachable(f"{name}: its turn at OBS did not come in time") from None

    def serve(self) -> None:
        """Connect, converse, and begin again until stopped."""
        failures = 0
        refused: list[Password | None] = []
        ask = self._password
        self._doorbell = doorbell = Doorbell()
        try:
            while not self.stopping.is_set():
                self._move(ObsState.CONNECTING)
                began_ns = self._clock.now_ns()
                try:
                    self._attempt(ask, refused, doorbell)
                except ObsKicked as trouble:
                    self._telemetry.count("obs.kicked")
                    self._lose(ObsState.REFUSED, trouble)
                    log.error("%s", trouble)
                    self._retry.wait()
                except (ObsAuthError, ConfigError) as trouble:
                    self._lose(ObsState.REFUSED, ObsAuthError(str(trouble)))
                    log.error("%s", trouble)
                    ask = self._await_password(refused)
                    failures = 0
                except ObsError as trouble:
                    ask = self._password
                    refused.clear()
                    stable = self._clock.now_ns() - began_ns >= _STABLE_NS
                    failures = 1 if stable else failures + 1
                    if failures == 1 and not self.stopping.is_set():
                        log.warning("%s; trying again until it answers", trouble)
                    self._lose(ObsState.WAITING, trouble)
                    self._retry.wait(self._backoff.delay_s(failures, random.random()))  # noqa: S311 - no secret
                if not self.stopping.is_set():
                    self._retry.clear()
        finally:
            self._lose(ObsState.STOPPED, ObsUnreachable("the connection to OBS was stopped"))
            doorbell.close()

    def interrupt(self) -> None:
        """Wake the thread from its pause, its queue or an answer that does not come."""
        self._retry.set()
        client = self._client
        if client is not None:
            client.wake()
        self._ring()

    def _attempt(
        self,
        ask: Callable[[], Password | None],
        refused: list[Password | None],
        doorbell: Doorbell,
    ) -> None:
        """Converse until something fails; a password that OBS refuses joins ``refused``."""
        password = ask()
        try:
            self._converse(password, doorbell)
        except ObsKicked:
            raise
        except ObsAuthError:
            refused.append(password)
            raise

    def _await_password(self, refused: list[Password | None]) -> Callable[[], Password | None]:
        """Wait for a password that was not refused yet, or ``retry``; return where to ask."""
        while not self._retry.wait(self._recheck_s):
            try:
                password = self._password()
            except ConfigError as trouble:
                if str(trouble) != str(self._trouble):
                    return self._password  # which tells this new trouble
                continue
            if password not in refused:
                return partial(_same, password)
        refused.clear()
        return self._password

    def _converse(self, password: Password | None, doorbell: Doorbell) -> None:
        settings, clock = self._settings, self._clock
        with ObsClient(
            settings.host, settings.port, password, timeout_s=settings.timeout_s, clock=clock
        ) as client:
            listening = Listening(self._listeners, client, clock=clock, telemetry=self._telemetry)
            self._client = client
            try:
                self._greet(client)
                if self._on_ready is not None:
                    self._set_up(self._on_ready, client)
                due_s = listening.tend()
                self._move(ObsState.READY)
                while not self.stopping.is_set():
                    if not self._do_job(client):
                        self._wait(client, doorbell, due_s)
                    due_s = listening.tend()
            finally:
                self._client = None
                listening.end()

    def _greet(self, client: ObsClient) -> None:
        self._version = str(client.request("GetVersion").get("obsVersion", "of unknown version"))
        log.info("connected to OBS %s at %s", self._version, client.address)
        if not client.auth_required:
            log.warning(
                "OBS at %s asks for no password: anybody in your network can control it; "
                "switch on Tools > WebSocket Server Settings > Enable Authentication",
                client.address,
            )
        self._telemetry.count("obs.connected")

    def _set_up(self, on_ready: Callable[[Requests], None], client: ObsClient) -> None:
        try:
            on_ready(client)
        except (ObsUnreachable, ObsAuthError):
            raise
        except ObsError as trouble:
            log.warning("%s", trouble)
        except ODD_ANSWER as trouble:
            raise ObsUnreachable(
                f"OBS at {client.address} gave an answer that cannot be used ({trouble!r})"
            ) from trouble

    def _do_job(self, client: ObsClient) -> bool:
        """Put the next request of another thread, and return whether there was one."""
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return False
        if not job.answer.set_running_or_notify_cancel():
            return True
        try:
            job.answer.set_result(client.request(job.name, job.data, timeout_s=job.timeout_s))
        except (ObsUnreachable, ObsAuthError) as trouble:
            job.answer.set_exception(_copy_of(trouble))
            raise
        except ObsError as trouble:
            job.answer.set_exception(trouble)
        except Exception as trouble:
            job.answer.set_exception(ObsUnreachable(f"{job.name}: {trouble}"))
            raise
        return True

    def _wait(self, client: ObsClient, doorbell: Doorbell, due_s: float) -> None:
        """Wait for an event or a request; ask for a sign of life when there was none for long."""
        silent_s = (self._clock.now_ns() - client.heard_ns) / NS_PER_S
        if silent_s >= self._ping_s:
            client.request("GetVersion")
        elif doorbell.wait(client.fileno(), min(due_s, self._ping_s - silent_s)):
            client.receive()

    def _ring(self) -> None:
        if self._doorbell is not None:
            self._doorbell.ring()

    def _move(self, state: ObsState) -> None:
        with self._lock:
            self._state = state

    def _lose(self, state: ObsState, trouble: ObsError) -> None:
        """Leave READY for ``state``; whoever still waits is told why."""
        with self._lock:
            if self._state is ObsState.READY:
                self._telemetry.count("obs.lost")
            self._state = state
            self._trouble = trouble
            waiting = []
            while not self._jobs.empty():
                waiting.append(self._jobs.get_nowait())
        for job in waiting:
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(_copy_of(trouble))


def _same(password: Password | None) -> Password | None:
    return password


def _copy_of(trouble: ObsError) -> ObsError:
    """Return a fresh exception, since each raise adds a traceback to the one raised."""
    if isinstance(trouble, ObsAuthError):
        return ObsAuthError(str(trouble))
    return ObsUnreachable(str(trouble))
