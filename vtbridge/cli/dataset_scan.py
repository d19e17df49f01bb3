"""`vtbridge dataset scan`: what the user's 3D models offer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vtbridge.training.scan.report import FigureReport
    from vtbridge.training.scan.scan import Scanned


def scan(
    folder: Annotated[
        Path, typer.Argument(help="Folder of PMX, PMD and VRM models, one folder a work.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for report, annotations and sheets.")
    ] = Path("scan"),
    annotations: Annotated[
        Path | None,
        typer.Option(help="File of corrections; OUT/annotations.json by default.", metavar="FILE"),
    ] = None,
    sheet: Annotated[
        bool, typer.Option("--sheet/--no-sheet", help="Draw contact sheets to look at.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    processes: Annotated[
        int, typer.Option(min=0, help="How many read at once; 0 = one a core.")
    ] = 0,
) -> None:
    """Tell what each model offers: morphs, bones, head, licence; and what it lacks.

    Corrections are made in the annotation file with any text editor: chin_y, top_y, which morphs
    move what, whether its licence allows the use, whether to leave it out. They are kept when the
    folder is scanned again, which reads only what has changed.

    Examples:
      vtbridge dataset scan ~/models -o scan
      vtbridge dataset scan ~/models -o scan --no-sheet --json > report.json
    """
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.training.scan import scan as scanning

    file = annotations or out / scanning.ANNOTATION_FILE
    with shown_progress(MonotonicClock()) as progress:
        scanned = scanning.scan(
            folder,
            out,
            file,
            processes or os.cpu_count() or 1,
            lambda done, total: progress("models", done, total),
        )
    if as_json:
        typer.echo((out / scanning.REPORT_FILE).read_text("utf-8"), nl=False)
    else:
        _tell(scanned, file)
    if sheet:
        _draw(folder, file, scanned, out, quiet=as_json)


def _tell(scanned: Scanned, file: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "format", "triangles", "parameters", "textures", "licence", "usable")
    for report in scanned.reports:
        table.add_row(
            report.name,
            report.format,
            str(report.triangles),
            str(len(report.morphs)),
            _textures(report),
            "found" if report.licence else "none: ask its author",
            _usable(report, excluded=scanned.annotations[report.name].excluded),
        )
    Console().print(table)
    usable = sum(report.usable for report in scanned.reports)
    typer.echo(
        f"{usable} of {len(scanned.reports)} models can be used, {scanned.reread} were read anew; "
        f"correct what is wrong in {file}"
    )
    for report in scanned.reports:
        if report.error:
            typer.secho(f"{report.name}: {report.error}", fg=typer.colors.YELLOW, err=True)
    for name in scanned.vanished:
        typer.echo(f"{name} is not there any more; its annotation is kept")


def _textures(report: FigureReport) -> str:
    if report.textures_missing:
        return f"{report.textures_missing} of {report.textures} missing"
    return str(report.textures)


def _usable(report: FigureReport, *, excluded: bool) -> str:
    if report.error:
        return "cannot be read"
    if excluded:
        return "left out"
    return "lacks " + ", ".join(report.lacks) if report.lacks else "yes"


def _draw(folder: Path, file: Path, scanned: Scanned, out: Path, *, quiet: bool) -> None:
    from vtbridge.training.figures.annotation import read_annotations
    from vtbridge.training.scan.contact_sheet import write_sheets
    from vtbridge.training.sources.figures import FigureSource

    source = FigureSource(folder, read_annotations(file))
    names = [report.name for report in scanned.reports if not report.error]
    for path in write_sheets(source, names, out):
        if not quiet:
            typer.echo(str(path))
