"""From settings to a daemon: with the user's trackers, a recording, or a performance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from vtbridge.app.characters import open_picture, with_character
from vtbridge.app.daemon import Daemon
from vtbridge.app.inputs import open_trackers
from vtbridge.app.performance_source import PerformanceSource
from vtbridge.app.recorder import new_idle_seed, open_recorded_trackers
from vtbridge.app.remote import RemoteRenderer
from vtbridge.app.replay import load_recorded_calibration, seed_of_recording
from vtbridge.app.replay_source import ReplaySource
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.remote.key import RemoteKey
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.recordings.writer import SessionWriter, check_new


def tracked_daemon(
    config: Config,
    *,
    record_to: Path | None = None,
    config_file: Path | None = None,
    read_config: Callable[[], Config] | None = None,
) -> Daemon:
    """Return a daemon fed by the trackers that ``config`` enables.

    Args:
        config: all settings.
        record_to: the new file that keeps what they send, None = keep nothing.
        config_file: keeps the settings that are changed meanwhile, None = nothing does.
        read_config: reads all settings anew, None = they stay.

    Raises:
        PictureError: the picture of ``config`` cannot be used.
        VtbridgeError: the file is there already, or cannot be made.
    """
    config = with_character(config)
    seed = new_idle_seed()
    if record_to is not None:
        check_new(record_to)

    writers: list[SessionWriter] = []

    def open_sources(faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock) -> Inputs:
        if record_to is None:
            return open_trackers(config, faces, telemetry, clock)
        writer, inputs = open_recorded_trackers(record_to, config, seed, faces, telemetry, clock)
        writers.append(writer)
        return inputs

    def keep_calibration(t_ns: int) -> None:
        for writer in writers:
            writer.calibration(t_ns)

    return Daemon(
        config,
        open_picture(config.avatar.picture),
        open_sources,
        idle_seed=seed,
        first_use=True,
        config_file=config_file,
        read_config=None if read_config is None else lambda: with_character(read_config()),
        on_calibrate=keep_calibration,
    )


def rendering_daemon(config: Config, key: RemoteKey) -> tuple[Daemon, RemoteRenderer]:
    """Return a daemon fed by the tracker on another computer, and its end of the wire.

    Args:
        config: all settings.
        key: what both computers share.

    Raises:
        PictureError: the picture of ``config`` cannot be used.
    """
    config = with_character(config)
    remote = RemoteRenderer(config, key)
    daemon = Daemon(
        config,
        open_picture(config.avatar.picture),
        remote.open,
        keep_calibration=False,
        first_use=True,
        remote=remote,
    )
    return daemon, remote


def replay_daemon(config: Config, recording: Recording, *, speed: float, loop: bool) -> Daemon:
    """Return a daemon fed by ``recording``, with its neutral face and seed.

    Args:
        config: all settings.
        recording: what to play.
        speed: 2 = twice as fast.
        loop: begin again at the end.

    Raises:
        PictureError: the picture of ``config`` cannot be used.
    """
    config = with_character(config)

    def open_replay(faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock) -> Inputs:
        replay = ReplaySource(
            recording,
            config.tracking,
            faces,
            telemetry,
            clock,
            speed=speed,
            loop=loop,
            calibrate=lambda: daemon.calibrate(),
        )
        inputs = Inputs()
        inputs.add(replay, lambda: [replay.status()])
        return inputs

    daemon = Daemon(
        config,
        open_picture(config.avatar.picture),
        open_replay,
        keep_calibration=False,
        idle_seed=seed_of_recording(recording),
        prepare=partial(load_recorded_calibration, recording),
    )
    return daemon


def demo_daemon(config: Config) -> Daemon:
    """Return a daemon fed by the built-in face performance.

    Raises:
        PictureError: the picture of ``config`` cannot be used.
    """
    config = with_character(config)

    def open_performance(
        faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock
    ) -> Inputs:
        del telemetry
        performance, inputs = PerformanceSource(faces, clock), Inputs()
        inputs.add(performance, lambda: [performance.status()])
        return inputs

    picture = open_picture(config.avatar.picture)
    return Daemon(config, picture, open_performance, keep_calibration=False)
