"""`vtbridge dataset scan`: what the user's 3D models offer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vtbridge.cli.progress import Progress
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
    details: Annotated[
        bool, typer.Option("--details", help="Tell all of each model, not one line.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    processes: Annotated[
        int,
        typer.Option(min=0, help="How many look at once; 0 = one a core, 1 = none but this one."),
    ] = 0,
) -> None:
    """Tell what each model offers: morphs, bones, head, licence; and what it lacks.

    Corrections are made in the annotation file with any text editor: chin_y, top_y, which morphs
    move what, whether its licence allows the use, whether to leave it out. They are kept when the
    folder is scanned again, which looks only at what has changed. It may be interrupted at any
    time; the same command goes on where it was.

    Examples:
      vtbridge dataset scan ~/models -o scan
      vtbridge dataset scan ~/models -o scan --details
      vtbridge dataset scan ~/models -o scan --no-sheet --json > report.json
    """
    from vtbridge.cli.dataset_scan_tables import tell
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.training.scan import scan as scanning
    from vtbridge.training.scan.processes import Processes, one_after_the_other

    file = annotations or out / scanning.ANNOTATION_FILE
    count = processes or os.cpu_count() or 1
    if sheet:
        _refuse_without_opengl()
    with shown_progress(MonotonicClock()) as progress:
        scanned = scanning.scan(
            folder,
            out,
            file,
            Processes(count) if count > 1 else one_after_the_other,
            lambda done, total: progress("models", done, total),
            draw=sheet,
        )
        pages = _write_sheets(scanned, out, progress) if sheet else []
    if as_json:
        typer.echo((out / scanning.REPORT_FILE).read_text("utf-8"), nl=False)
        return
    tell(scanned, details=details)
    typer.echo(f"correct what is wrong in {file}")
    if pages:
        typer.echo(f"look at {pages[0]}" + (f" to {pages[-1].name}" if len(pages) > 1 else ""))


def _refuse_without_opengl() -> None:
    """Refuse to draw where nothing can be drawn, before hours of looking at models.

    Raises:
        DatasetError: OpenGL cannot be had without a window here.
    """
    from vtbridge.errors import DatasetError
    from vtbridge.training.figures.gl_context import drawing_context

    try:
        drawing_context()
    except DatasetError as error:
        raise DatasetError(f"{error}; or scan without pictures: --no-sheet") from error


def _write_sheets(scanned: Scanned, out: Path, progress: Progress) -> list[Path]:
    from vtbridge.cli.dataset_scan_tables import standing
    from vtbridge.training.scan.card import picture_of
    from vtbridge.training.scan.contact_sheet import Row, write_sheets
    from vtbridge.training.scan.scan import CARDS_FOLDER

    rows = [
        Row(
            picture_of(out / CARDS_FOLDER, report.name),
            f"{report.name} ({report.file}): {standing(report, scanned)}",
            report.undrawn,
        )
        for report in scanned.reports
        if not report.error
    ]
    return write_sheets(rows, out, lambda done, total: progress("sheets", done, total))
