"""The table of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbridge import __version__
from vtbridge.cli import (
    animate,
    api,
    bench,
    calibrate,
    character,
    config,
    dataset,
    demo,
    doctor,
    evaluate,
    expression,
    obs,
    plugins,
    pose,
    record,
    replay,
    report,
    run,
    send,
    studio,
    trackers,
    train,
    watch,
    weights,
)
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
app.command()(studio.studio)
app.command(epilog="Parameters: " + ", ".join(param.label for param in PoseParam) + ".")(pose.pose)
app.command()(animate.animate)
app.command()(calibrate.calibrate)
app.command()(record.record)
app.command()(replay.replay)
app.command()(trackers.trackers)
app.command()(send.send)
app.command()(watch.watch)
app.command()(api.api)
app.command()(bench.bench)
app.command()(doctor.doctor)
app.command()(report.report)
app.add_typer(character.app, name="character")
app.add_typer(expression.app, name="expression")
app.add_typer(dataset.app, name="dataset")
app.command()(train.train)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(weights.app, name="weights")
app.add_typer(obs.app, name="obs")
app.add_typer(plugins.app, name="plugins")
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
