"""The table of commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import threading
from typing import Annotated, NoReturn

import typer

from vtbridge import __version__
from vtbridge.cli import (
    animate,
    bench,
    calibrate,
    config,
    demo,
    doctor,
    obs,
    pose,
    record,
    replay,
    run,
    send,
    trackers,
    watch,
    weights,
)
from vtbridge.errors import VtbridgeError
from vtbridge.pose_params import PoseParam

app = typer.Typer(
    name="vtbridge",
    help="One picture of an anime character, posed by your face, live and transparent in OBS.",
    epilog="Start with: vtbridge demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command()(demo.demo)
app.command(epilog="Parameters: " + ", ".join(param.label for param in PoseParam) + ".")(pose.pose)
app.command()(animate.animate)
app.command()(calibrate.calibrate)
app.command()(record.record)
app.command()(replay.replay)
app.command()(trackers.trackers)
app.command()(send.send)
app.command()(watch.watch)
app.command()(bench.bench)
app.command()(doctor.doctor)
app.add_typer(weights.app, name="weights")
app.add_typer(obs.app, name="obs")
app.add_typer(config.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vtbridge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print it and leave."
        ),
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line; errors meant for the user become one message and an exit code."""
    try:
        app()
    except VtbridgeError as error:
        typer.secho(f"vtbridge: {error}", fg=typer.colors.RED, err=True)
        leave(error.exit_code)
    except KeyboardInterrupt:
        leave(130)
    except SystemExit as exit_:
        leave(exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None))


def leave(code: int) -> NoReturn:
    """End the process with ``code``, also while a thread is still inside native code.

    A network may compute for longer than the daemon waits for it; the libraries' own
    destructors would then abort the process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if any(thread.daemon for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)
