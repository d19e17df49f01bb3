"""``vtbridge report``: one file for a bug report, without secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtbridge.cli.run import ConfigOption


def report(
    config: ConfigOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The new file.")
    ] = Path("vtbridge-report.zip"),
) -> None:
    """Gather what a bug report needs: settings, versions, logs, what doctor finds.

    Passwords, tokens and keys are hidden; pictures and weights are never in it.

    [bold]Example[/bold]

      vtbridge report -o bug.zip
    """
    from vtbridge.app.doctor_process import examine_apart
    from vtbridge.app.report import write_report
    from vtbridge.config.load import load_config
    from vtbridge.errors import VtbridgeError

    if output.exists():
        raise VtbridgeError(f"{output} is there already; name another file with -o")
    settings = load_config(config)
    typer.echo("looking over this computer, which takes a while ...", err=True)
    taken, left_out = write_report(output, settings, examine_apart(settings))
    typer.echo(f"{output}: {', '.join(taken)}")
    for each in left_out:
        typer.echo(f"left out: {each}")
    typer.echo("look through it before you hand it on")
