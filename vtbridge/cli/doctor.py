"""``vtbridge doctor``: what works here, what does not, and the remedy."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbridge.cli.run import ConfigOption


def doctor(
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this machine: weights, runtimes, ports, shared memory, OBS.

    Leaves with 0 if all is well, 1 if something deserves a look, 2 if streaming cannot work.

    [bold]Examples[/bold]

      vtbridge doctor

      vtbridge doctor --json | jq '.[] | select(.verdict != "ok")'
    """
    from dataclasses import asdict
    from json import dumps

    from rich.console import Console

    from vtbridge.app.doctor_process import examine_apart
    from vtbridge.app.finding import Finding, Verdict
    from vtbridge.cli.main import INTERRUPTED
    from vtbridge.config.load import load_config

    marks = {
        Verdict.OK: "[green]✓[/green]",
        Verdict.WARNING: "[yellow]![/yellow]",
        Verdict.FAILURE: "[red]✗[/red]",
    }
    console = Console(highlight=False, soft_wrap=True)
    findings: list[Finding] = []
    settings = load_config(config)
    try:
        for finding in examine_apart(settings):
            findings.append(finding)
            if not json:
                console.print(f"{marks[finding.verdict]} [bold]{finding.check}[/bold]: ", end="")
                console.print(finding.seen, markup=False)
                if finding.remedy:
                    console.print(f"    -> {finding.remedy}", markup=False)
    except KeyboardInterrupt:
        typer.echo("stopped; the rest was not looked at", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if json:
        typer.echo(dumps([asdict(finding) for finding in findings], indent=1))
    verdicts = {finding.verdict for finding in findings}
    raise typer.Exit(2 if Verdict.FAILURE in verdicts else 1 if Verdict.WARNING in verdicts else 0)
