"""``vtbridge replay``: what the avatar did, again, from a recording."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vtbridge.cli.run import FpsOption, NameOption, PictureOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtbridge.app.replay import TimedPose
    from vtbridge.config.schema import Config
    from vtbridge.tracking.recordings.open import Recording

_STDOUT = Path("-")
_LAST_LOOK_S = 1.0


def replay(
    file: Annotated[
        Path,
        typer.Argument(
            help="A recording: .vtbrec, .udpcap or Live Link .csv, each also as .gz.",
            show_default=False,
        ),
    ],
    poses_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the poses as JSON lines ('-' is stdout) instead of showing the avatar.",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="2 = twice as fast; 0, with --poses-out alone and there if left out, as fast "
            "as it goes.",
        ),
    ] = None,
    fps: FpsOption = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Settings file.", show_default="what the recording keeps"
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    picture: PictureOption = None,
    name: NameOption = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after this long.")
    ] = None,
) -> None:
    """Play a recording: to OBS and the page like a tracker, or as poses into a file.

    It uses what the recording keeps: neutral face, seed, and the settings that poses depend
    on, so that a bug shows as it did. All else is as you set it. With --poses-out no networks
    are needed, and the poses are the same, bit for bit, on every run and at any speed: a first
    line of JSON names schema, fps and parameters, then each line is
    {"t_s": seconds, "presence": 0 to 1, "pose": [45 numbers]}.

    [bold]Examples[/bold]

      vtbridge replay bug.vtbrec                         in OBS and on the page

      vtbridge replay bug.vtbrec --poses-out poses.jsonl

      vtbridge replay session.udpcap --poses-out - --fps 60 | head
    """
    from vtbridge.app.recorded_settings import config_of_recording
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.run import with_options
    from vtbridge.config.load import load_config
    from vtbridge.config.schema import Config
    from vtbridge.errors import ConfigError
    from vtbridge.tracking.recordings.open import open_recording

    set_up_logging()
    recording = open_recording(file)
    if poses_out is not None:
        if loop or picture is not None or name is not None or seconds is not None:
            raise ConfigError(
                "--poses-out writes the recording once, without an avatar: leave out --loop, "
                "--picture, --name and --seconds"
            )
        if poses_out.exists() and poses_out.samefile(file):
            raise ConfigError(f"--poses-out {poses_out} is the recording itself; name another file")
        base = Config() if config is None else load_config(config)
    else:
        if speed == 0:
            raise ConfigError("--speed 0 is for --poses-out; an avatar needs time to be seen")
        base = load_config(config)
    settings = config_of_recording(recording, base) if config is None else base
    settings = with_options(settings, picture=picture, name=name, fps=fps)
    if poses_out is not None:
        with output(poses_out) as stream:
            count = write_poses(recording, settings, stream, speed or 0.0)
        if poses_out.is_file():
            typer.echo(f"wrote {count} poses to {poses_out}", err=True)
    else:
        show(recording, settings, speed=speed or 1.0, loop=loop, seconds=seconds)


@contextlib.contextmanager
def output(path: Path) -> Iterator[TextIO]:
    """Open ``path`` for text, ``-`` being stdout; whoever reads there may leave early.

    A file appears, or replaces the former, when all of it is written; of a damaged recording,
    what comes before the damage.

    Raises:
        ConfigError: it cannot be written.
    """
    import os

    from vtbridge.errors import ConfigError

    try:
        if path == _STDOUT:
            yield sys.stdout
            sys.stdout.flush()
        elif path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as device:
                yield device
        else:
            with _replaced_at_end(path.resolve()) as part:
                yield part
    except BrokenPipeError:
        if path == _STDOUT:  # Python would complain once more when it flushes at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} cannot be written: there is no folder {path.parent}; make it first"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def _replaced_at_end(path: Path) -> Iterator[TextIO]:
    import os

    from vtbridge.errors import PacketError

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with part.open("w", encoding="utf-8") as file:
                yield file
        except PacketError:
            if part.stat().st_size:
                part.replace(path)
            raise
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_poses(recording: Recording, settings: Config, stream: TextIO, speed: float) -> int:
    """Write the poses of ``recording`` as JSON lines, paced by ``speed`` unless 0; count them.

    Raises:
        VtbridgeError: the recording is empty or damaged; what comes before is written.
    """
    from vtbridge.app.replay import (
        calibrated_retargeter,
        moments,
        poses_at_beat,
        seed_of_recording,
    )
    from vtbridge.clock import NS_PER_S, MonotonicClock
    from vtbridge.errors import VtbridgeError
    from vtbridge.expressions.idle import IdleMotion
    from vtbridge.telemetry import Telemetry

    clock, telemetry = MonotonicClock(), Telemetry()
    retargeter = calibrated_retargeter(recording, settings, telemetry)
    idle = IdleMotion(settings.idle, seed=seed_of_recording(recording))
    arrivals = moments(recording, settings.tracking, telemetry)
    start_ns, count = clock.now_ns(), 0
    for timed in poses_at_beat(arrivals, retargeter, idle, settings.avatar.fps):
        if not count:
            stream.write(schema_line(settings.avatar.fps) + "\n")
        if speed:
            stream.flush()
            clock.sleep_until(start_ns + round(timed.t_s / speed * NS_PER_S))
        stream.write(pose_line(timed) + "\n")
        count += 1
    if not count:
        raise VtbridgeError(f"{recording.path} holds nothing to replay; record it again")
    return count


def show(
    recording: Recording, settings: Config, *, speed: float, loop: bool, seconds: float | None
) -> None:
    """Drive the avatar with ``recording`` until its end, for ``seconds``, or until Ctrl-C.

    Raises:
        VtbridgeError: the recording is empty, or the avatar cannot be shown.
    """
    import asyncio

    from vtbridge.app.replay import duration_s
    from vtbridge.app.session import replay_daemon
    from vtbridge.errors import VtbridgeError

    if next(recording.records(), None) is None:
        raise VtbridgeError(f"{recording.path} holds nothing to replay; record it again")
    if not loop:
        lasts_s = duration_s(recording) / speed + _LAST_LOOK_S
        seconds = lasts_s if seconds is None else min(seconds, lasts_s)
    daemon = replay_daemon(settings, recording, speed=speed, loop=loop)
    asyncio.run(
        daemon.run(seconds=seconds, on_ready=lambda url: typer.echo(f"preview: {url}", err=True))
    )


def schema_line(fps: float) -> str:
    """Return the first line of a file of poses, which tells how to read the others."""
    import json

    from vtbridge.pose_params import PoseParam

    return json.dumps(
        {
            "schema": "vtbridge.poses",
            "version": 1,
            "fps": fps,
            "parameters": [param.label for param in PoseParam],
        }
    )


def pose_line(timed: TimedPose) -> str:
    """Return one pose as JSON, in the shortest decimals that name the same float32."""
    values = ", ".join(map(str, timed.pose.values))
    presence = float(timed.pose.presence)
    return f'{{"t_s": {round(timed.t_s, 6)}, "presence": {presence}, "pose": [{values}]}}'
