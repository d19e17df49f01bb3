"""Record with all that a replay needs: settings, seed and neutral face."""

from __future__ import annotations

import contextlib
import datetime
import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import vtbridge
from vtbridge.app.calibration_file import load_calibration
from vtbridge.app.inputs import open_trackers
from vtbridge.app.recorded_settings import kept_settings
from vtbridge.clock import NS_PER_S, Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import FrameTransportError, PortInUse, VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.publish.vtbf import FrameReader, Liveness
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.recordings.session import SessionHeader
from vtbridge.tracking.recordings.writer import SessionWriter, create_session
from vtbridge.tracking.source_status import SourceState, SourceStatus

_SEED_BITS = 32


def new_idle_seed() -> int:
    """Return a seed for the character's own motion, different each time."""
    return secrets.randbits(_SEED_BITS)


def open_recorder(path: Path, config: Config, idle_seed: int, clock: Clock) -> SessionWriter:
    """Return a recorder into the new file ``path``; start and stop are yours.

    Only what poses depend on is kept of ``config``.

    Raises:
        VtbridgeError: the file is there already, or cannot be made.
    """
    header = SessionHeader(
        vtbridge=vtbridge.__version__,
        settings=kept_settings(config),
        idle_seed=idle_seed,
        calibration=_saved_calibration(config),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return create_session(path, header, clock)


def _saved_calibration(config: Config) -> dict[str, object]:
    """Return the neutral faces that the daemon would use now."""
    retargeter = Retargeter(config.retarget)
    person = config.retarget.calibration.person
    load_calibration(retargeter, person, avatar=config.publish.name)
    return retargeter.save_calibration()


def open_recorded_trackers(
    path: Path,
    config: Config,
    idle_seed: int,
    faces: LatestSlot[FaceFrame],
    telemetry: Telemetry,
    clock: Clock,
) -> tuple[SessionWriter, Inputs]:
    """Return the recorder into ``path``, and the inputs with it among their services.

    Raises:
        VtbridgeError: as ``open_recorder`` and ``open_trackers``; no file is left.
    """
    writer = open_recorder(path, config, idle_seed, clock)
    try:
        inputs = open_trackers(config, faces, telemetry, clock, tap=writer)
    except BaseException:
        writer.stop()
        path.unlink(missing_ok=True)
        raise
    inputs.services.insert(0, writer)  # started before what it listens to, stopped after it
    return writer, inputs


class RecordingSession:
    """Inputs opened only to be recorded; a context manager, used once from one thread.

    Args:
        path: the new file.
        config: which inputs, and what goes into the header.
        clock: the time of arrival.

    Raises:
        VtbridgeError: the file cannot be made, the inputs cannot be opened, or the avatar
            runs and has them.
    """

    def __init__(self, path: Path, config: Config, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._stopping = threading.Event()
        self._start_ns = clock.now_ns()
        faces: LatestSlot[FaceFrame] = LatestSlot()
        try:
            self.writer, self._inputs = open_recorded_trackers(
                path, config, new_idle_seed(), faces, Telemetry(), clock
            )
        except PortInUse as error:
            _refuse_beside_daemon(config, path, error)
            raise
        if any(source.state is SourceState.BLOCKED for source in self.status()):
            try:
                _refuse_beside_daemon(config, path)
            except VtbridgeError:
                self._stop()
                raise

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return (self._clock.now_ns() - self._start_ns) / NS_PER_S

    def status(self) -> list[SourceStatus]:
        """Return how every source is doing."""
        return self._inputs.status()

    def stop(self) -> None:
        """End the next ``wait`` at once; safe in a signal handler."""
        self._stopping.set()

    def wait(self, period_s: float, seconds: float | None) -> bool:
        """Wait for ``period_s``; return False once stopped, after ``seconds`` or on trouble."""
        left_s = period_s if seconds is None else min(period_s, seconds - self.seconds)
        if left_s <= 0 or self._stopping.wait(left_s):
            return False
        return not self.writer.trouble

    def __enter__(self) -> Self:
        """Begin to record."""
        for service in self._inputs.services:
            service.start()
        self._start_ns = self._clock.now_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the recording; nothing is left of one into which nothing came."""
        self._stop()

    def _stop(self) -> None:
        for service in reversed(self._inputs.services):
            service.stop()
        if not (self.writer.records or self.writer.lost):
            with contextlib.suppress(OSError):
                self._path.unlink()


def _refuse_beside_daemon(config: Config, path: Path, cause: Exception | None = None) -> None:
    """Say how to record while the avatar runs, if it does.

    Raises:
        VtbridgeError: it runs.
    """
    name = config.publish.name
    try:
        with FrameReader.attach(name) as reader:
            status = reader.status()
            # One whose frames take over a second looks hung, but it holds its ports.
            holds = reader.liveness() in {Liveness.LIVE, Liveness.HUNG}
    except FrameTransportError:
        return
    if status and holds:
        raise VtbridgeError(
            f"the avatar {name!r} runs (pid {status.writer_pid}) and has the trackers; stop it "
            f"and record both with: vtbridge run --record {path}"
        ) from cause
