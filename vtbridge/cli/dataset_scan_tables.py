"""What a scan of models says on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from vtbridge.training.scan.report import FigureReport
    from vtbridge.training.scan.scan import Scanned

NO_LICENCE = "none found: ask its author"
_OTHERS_WIDTH = 80
"""What a terminal needs for all columns but the licence's, where names are of usual length."""
_LICENCE_LINES = 6


def tell(scanned: Scanned, *, details: bool) -> None:
    """Print a line for each model, or all of it; what went wrong goes to stderr."""
    if details:
        for report in scanned.reports:
            typer.echo(described(report, scanned))
    else:
        _print_table(scanned)
    usable = sum(standing(report, scanned) == "yes" for report in scanned.reports)
    typer.echo(
        f"{usable} of {len(scanned.reports)} models can be used, {scanned.new} were looked at anew"
    )
    for report in scanned.reports:
        trouble = report.error or report.undrawn
        if trouble:
            typer.secho(f"{report.name} ({report.file}): {trouble}", fg="yellow", err=True)
    if scanned.copies:
        typer.echo(
            f"{len(scanned.copies)} are copies of others, and a split could learn from one and be "
            'measured by the other: say "excluded": true in their annotations'
        )
    for name in scanned.vanished:
        typer.echo(f"{name} is not there any more; its annotation is kept")


def standing(report: FigureReport, scanned: Scanned) -> str:
    """Return whether a model may go into a data set of version 1: ``yes``, or why not."""
    annotation = scanned.annotations[report.name]
    if report.error:
        return "cannot be read"
    if annotation.excluded:
        return "left out"
    if annotation.licence_ok is False:
        return "its licence does not allow it"
    if report.undrawn:
        return "cannot be drawn"
    if report.lacks:
        return "lacks " + ", ".join(report.lacks)
    if report.name in scanned.copies:
        return f"a copy of {scanned.copies[report.name]}"
    return "yes"


def described(report: FigureReport, scanned: Scanned) -> str:
    """Return all that is known of a model, a line for each thing."""
    lines = [f"{report.name}: {standing(report, scanned)}", f"  file      {report.file}"]
    if report.error:
        return "\n".join((*lines, f"  error     {report.error}", ""))
    licence = report.licence.splitlines()[:_LICENCE_LINES] or [NO_LICENCE]
    lines += [
        f"  title     {report.title}",
        f"  {report.format:9} {report.triangles} triangles, textures {_textures(report)}",
        f"  head      chin_y {report.chin_y}, top_y {report.top_y}",
        "  bones     " + ", ".join(f"{role} = {bone}" for role, bone in report.bones.items()),
        *(
            f"  {label} = {' + '.join(morphs) or 'nothing'}"
            for label, morphs in report.morphs.items()
        ),
        "  missing   " + (", ".join(report.missing) or "nothing"),
        "  morphs    " + (", ".join(report.all_morphs) or "none"),
        *(f"  licence   {line}" for line in licence),
    ]
    return "\n".join((*lines, ""))


def _print_table(scanned: Scanned) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table()
    table.add_column("model", overflow="fold", min_width=16)
    table.add_column("triangles", justify="right", no_wrap=True)
    table.add_column("textures", min_width=8)
    table.add_column("face", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True, max_width=max(console.width - _OTHERS_WIDTH, 10))
    table.add_column("usable", min_width=11)
    for report in scanned.reports:
        cells = (
            report.name,
            str(report.triangles or ""),
            "" if report.error else _textures(report),
            "" if report.error else _face(report),
            "" if report.error else report.licence_line or NO_LICENCE,
            standing(report, scanned),
        )
        # What files say is no markup.
        table.add_row(*map(Text, cells))
    console.print(table)


def _textures(report: FigureReport) -> str:
    if report.textures_missing:
        return f"{report.textures_missing} of {report.textures} missing"
    return str(report.textures)


def _face(report: FigureReport) -> str:
    """Return how many of the face's parameters move."""
    from vtbridge.training.scan.report import FACE_PARAMS

    return f"{len(FACE_PARAMS) - len(report.missing)}/{len(FACE_PARAMS)}"
