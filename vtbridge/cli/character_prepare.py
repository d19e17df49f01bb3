"""``vtbridge character prepare``: any drawing becomes a character."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.pose import RuntimeOption, WeightsOption
from vtbridge.errors import ConfigError
from vtbridge.render.settings import RuntimeName

if TYPE_CHECKING:
    from vtbridge.app.picture_doctor import Diagnosis
    from vtbridge.characters.prepare.face import HeadBox


def prepare(
    picture: Annotated[Path, typer.Argument(help="The drawing: PNG, WebP or JPEG.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The character's folder.", show_default="its name"),
    ] = None,
    matting: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="How it is cut out: auto, keep, flood, grabcut, or rembg where it is installed.",
        ),
    ] = "auto",
    face: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,SIZE",
            help="Where the head is, chin to crown, in the drawing's pixels.",
            show_default="found by itself",
        ),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="NAME", help="Retouch it: mouth, or all; may be repeated."),
    ] = None,
    pose: Annotated[
        bool, typer.Option("--pose/--no-pose", help="Judge it by how the networks move it.")
    ] = True,
    name: Annotated[
        str | None, typer.Option(help="What to call it.", show_default="as the file is called")
    ] = None,
    credit: Annotated[str, typer.Option(help="A line that must be shown with it.")] = "",
    runtime: RuntimeOption = RuntimeName.AUTO,
    weights: WeightsOption = "tha3-separable-float",
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Make a character of any drawing: cut out, placed, tried, and told what would make it better.

    The background is removed, the face found and put where the networks expect it. Then the
    character is really posed: mouth, eyes, brows and head each have to move so that it is seen.
    What does not is told with its remedy; doctor.png in the folder shows all of it.

    [bold]Examples[/bold]

      vtbridge character prepare drawing.jpg -o me     then: vtbridge run -p me

      vtbridge character prepare drawing.png -o me --fix mouth

      vtbridge character prepare crowd.png -o me --face 420,80,260
    """
    from functools import partial

    from vtbridge.app.characters import folder_name
    from vtbridge.app.picture_doctor import FIXES, Wishes, diagnose
    from vtbridge.characters.decode import read_drawing
    from vtbridge.characters.prepare.matting import Matting
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.render.settings import Precision, Quality, RenderSettings
    from vtbridge.render.tha3 import open_poser
    from vtbridge.telemetry import Telemetry

    set_up_logging()
    if matting not in list(Matting):
        raise ConfigError(f"--matting {matting}: choose one of {', '.join(Matting)}")
    wanted = frozenset(FIXES if "all" in (fix or []) else fix or [])
    if unknown := wanted - FIXES.keys():
        raise ConfigError(f"--fix {', '.join(sorted(unknown))}: choose {', '.join(FIXES)} or all")
    wishes = Wishes(Matting(matting), box_of(face), wanted, posed=pose)
    folder = output or Path(folder_name(picture.stem))
    settings = RenderSettings(
        runtime=runtime, precision=Precision.F32, quality=Quality.EXACT, weights=weights
    )
    with shown_progress(MonotonicClock()) as progress:

        def told(what: str, share: float) -> None:
            progress(f"preparing {picture.name}", round(100 * share), 100)

        found = diagnose(
            read_drawing(picture),
            str(picture),
            wishes,
            partial(open_poser, settings, Telemetry()),
            told,
        )
    try:
        found.save(folder, name=name or picture.stem, credit=credit)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}; name another --output") from error
    if json:
        from json import dumps

        typer.echo(dumps({"folder": str(folder), **found.report()}, ensure_ascii=False))
        return
    _tell(found, folder)


def box_of(text: str | None) -> HeadBox | None:
    """Return the square that ``X,Y,SIZE`` says, None for None.

    Raises:
        ConfigError: it says none.
    """
    from vtbridge.characters.prepare.face import HeadBox

    if text is None:
        return None
    try:
        x, y, side = (float(part) for part in text.split(","))
    except ValueError:
        x = y = side = 0.0
    if not (8.0 <= side < 1e5 and abs(x) < 1e5 and abs(y) < 1e5):  # false for NaN too
        raise ConfigError(f"--face {text}: write X,Y,SIZE in pixels, such as 420,80,260")
    return HeadBox(x, y, side)


def _tell(found: Diagnosis, folder: Path) -> None:
    from vtbridge.app.picture_doctor import SHEET_FILE
    from vtbridge.characters.prepare.sheet import verdicts

    for said in found.done:
        typer.echo(f"- {said}", err=True)
    for finding in found.findings:
        typer.echo(f"! {finding}", err=True)
    if found.examination is not None:
        typer.echo(f"{verdicts(found.examination.scores)}: {folder / SHEET_FILE}", err=True)
    typer.echo(f"vtbridge run --character {folder}")
