"""``vtbridge character``: prepare a character, so that one core shows it fluently."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vtbridge.cli.bake_news import NewsAsJson, shown_news
from vtbridge.cli.character_learn import learn
from vtbridge.cli.character_prepare import prepare
from vtbridge.cli.pose import WeightsOption

if TYPE_CHECKING:
    import threading

    from vtbridge.datatypes import Picture
    from vtbridge.training.distill.job import BakeResult

app = typer.Typer(help="Prepare characters and look after them.", no_args_is_help=True)
app.command()(prepare)
app.command(hidden=True)(learn)

NICE = 10
"""How far behind other programs a bake stands in line for the processor."""

_PERFORMED_FPS = 20


@app.command()
def bake(
    character: Annotated[
        str,
        typer.Argument(
            metavar="PICTURE|PACKAGE",
            help="A picture's path, a character package, or a built-in name.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The package's folder.",
            show_default="the package itself, or one among your characters",
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(min=0.05, max=1440.0, help="How long to bake, in all runs together."),
    ] = 6.0,
    poses: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="What you recorded, to be good at: .vtbrec, .json, .json.gz; may be repeated.",
            show_default="the built-in performance alone",
        ),
    ] = None,
    weights: WeightsOption = "tha3-separable-float",
    threads: Annotated[
        int, typer.Option(min=0, max=256, help="Threads of both lanes together; 0 = every core.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    news: Annotated[
        bool,
        typer.Option(
            "--news",
            help="For programs: print how far it is as lines of JSON, and end when standard input "
            "is closed.",
        ),
    ] = False,
) -> None:
    """Prepare a character: 60 frames a second on one core, without a graphics card.

    Learns from the exact networks what this one picture looks like in all poses. It can be
    used after about two minutes and gets better with time. Ctrl-C ends it with what there is;
    the same command goes on from there, also after a crash, and --minutes counts all runs.
    The package then holds the picture, the model, and baked.png to compare them by eye.

    [bold]Examples[/bold]

      vtbridge character bake me.png                        then: vtbridge run -p me.png --quality baked

      vtbridge character bake me.png -o me --minutes 20     better, and in a folder to give away

      vtbridge character bake me --minutes 40               goes on: 20 minutes more

      vtbridge character bake me.png --poses stream.vtbrec  good at what you do on a stream
    """  # noqa: E501
    import json as json_format
    import os
    import threading

    threads = threads or os.cpu_count() or 1
    # Read when numpy is loaded: one lane's algebra must not take the other lane's core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(max(threads // 2, 1)))

    from vtbridge.app.performed_poses import performed_poses
    from vtbridge.app.recorded_poses import recorded_poses
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.main import INTERRUPTED
    from vtbridge.clock import MonotonicClock
    from vtbridge.render.baked.store import weights_sha256
    from vtbridge.render.weights.store import WeightStore

    require_torch()
    set_up_logging()
    from vtbridge.training.distill.job import BakeRequest
    from vtbridge.training.distill.job import bake as run_bake
    from vtbridge.training.distill.tools import default_tools

    own = (recorded_poses(path, _PERFORMED_FPS) for path in poses or ())
    recordings = [performed_poses(_PERFORMED_FPS), *own]
    wanted_s = 60.0 * minutes
    digest = weights_sha256(WeightStore(), weights)
    tools = default_tools(weights, threads=threads)
    package, picture = opened_package(character, output)
    step_back(idle=news)
    request = BakeRequest(
        package=package,
        picture=picture,
        weights=weights,
        weights_sha256=digest,
        wanted_s=wanted_s,
        recordings=recordings,
    )
    typer.echo(f"baking {picture.name} into {package}", err=True)
    stop = threading.Event()
    if news:
        end_with_input(sys.stdin, stop)
    with nullcontext(NewsAsJson(typer.echo)) if news else shown_news() as told:
        result = run_bake(request, tools, clock=MonotonicClock(), told=told, stop=stop)
    if json:
        typer.echo(json_format.dumps(_as_json(package, result)))
    else:
        typer.echo(summary(package, result), err=True)
        if picture.credit:
            typer.echo(picture.credit, err=True)
    if not result.complete:
        raise typer.Exit(INTERRUPTED)


@app.command()
def check(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="A prepared character.")],
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60.0, help="Length of each of the three paths.")
    ] = 1.0,
    threads: Annotated[
        int, typer.Option(min=0, max=256, help="Threads of the exact networks; 0 = every core.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Tell how good a prepared character is, and whether it flickers.

    Flicker is what moves faster than the pose: it is held against the exact networks' own along
    three smooth paths, a head sweep, speech and idling, at 60 frames a second. 1 is as steady
    as they are. Takes about a minute.
    """
    import json as json_format
    import os
    from dataclasses import asdict

    from vtbridge.characters import load_from_folder
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.render.baked.poser import open_baked_poser
    from vtbridge.render.settings import Quality, RenderSettings
    from vtbridge.render.weights.store import WeightStore
    from vtbridge.telemetry import Telemetry
    from vtbridge.training.distill.flicker import measure_flicker, paths
    from vtbridge.training.distill.teacher import open_teacher

    set_up_logging()
    store, picture = WeightStore(), load_from_folder(package)
    settings = RenderSettings(quality=Quality.BAKED, package=str(package))
    poser = open_baked_poser(settings, Telemetry(), store)
    poser.set_picture(picture)
    about = poser.manifest
    found = {}
    threads = threads or os.cpu_count() or 1
    with (
        open_teacher(about.weights, picture, store, threads=threads) as teacher,
        shown_progress(MonotonicClock()) as progress,
    ):
        for name, path in paths(seconds).items():
            found[name] = measure_flicker(
                path,
                teacher.frame,
                poser.render,
                lambda done, name=name, path=path: progress(name, done, len(path)),  # type: ignore[misc]
            )
    if json:
        flicker = {name: {**asdict(each), "ratio": each.ratio} for name, each in found.items()}
        typer.echo(json_format.dumps({"manifest": about.model_dump(), "flicker": flicker}))
        return
    typer.echo(
        f"{picture.name}: {about.psnr_db:.1f} dB (worst {about.worst_psnr_db:.1f}), SSIM "
        f"{about.ssim:.4f} on {about.held_out} poses never learnt from, baked for "
        f"{about.baked_s / 60:.1f} minutes of {about.weights}"
    )
    for name, each in found.items():
        typer.echo(
            f"flicker, {name}: {each.ratio:.2f} of the exact networks' ({each.model:.2f} to "
            f"{each.teacher:.2f} levels; {each.added:.2f} added)"
        )


def require_torch() -> None:
    """Refuse to bake without PyTorch, which only baking needs.

    Raises:
        RuntimeUnavailable: it is not installed.
    """
    from importlib.util import find_spec

    from vtbridge.errors import RuntimeUnavailable

    if find_spec("torch") is None:
        raise RuntimeUnavailable(
            "baking a character needs PyTorch, which is not installed: run `pip install torch`"
        )


def opened_package(character: str, output: Path | None) -> tuple[Path, Picture]:
    """Return the folder to bake into, and the picture in it; it is made if it is not there.

    Raises:
        ConfigError: the folder cannot be made or written.
        PictureError: the picture cannot be used, or the folder holds other things.
        WeightsError: a fetched or imported character is damaged.
    """
    from vtbridge.app.characters import folder_name, open_picture, picture_file
    from vtbridge.characters import is_package, load_from_folder, picture_in, write_package
    from vtbridge.errors import ConfigError
    from vtbridge.render.baked.store import characters_root

    source = picture_file(character)
    if is_package(source) and (output is None or output.resolve() == source.resolve()):
        return source.absolute(), load_from_folder(source)
    picture = open_picture(character)
    name = Path(picture.name).stem or "character"
    folder = characters_root() / folder_name(name) if output is None else output.absolute()
    if source.is_dir():
        source = picture_in(source)
    try:
        return folder, write_package(folder, source, name=name, credit=picture.credit)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error}): choose another --output") from (
            error
        )


def summary(package: Path, result: BakeResult) -> str:
    """Return what came of a bake, in a few lines."""
    lines = list(result.notices)
    baked = f"{result.baked_s / 60:.1f} minutes"
    if result.model is None or result.accuracy is None:
        lines.append(
            f"baked for {baked}, not enough for a model yet: the same command goes on from here"
        )
        return "\n".join(lines)
    accuracy = result.accuracy
    done = "already baked" if result.already else "baked"
    lines.append(
        f"{done} for {baked}: {accuracy.psnr_db:.1f} dB, SSIM {accuracy.ssim:.4f} on "
        f"{accuracy.poses} poses never learnt from "
        f"({result.body_samples} turns, {result.face_samples} faces)"
    )
    if result.sheet is not None:
        lines.append(f"compare by eye: {result.sheet}")
    if not result.complete:
        lines.append("stopped: the same command goes on from here")
    lines.append(f"show it: vtbridge run --character {package} --quality baked")
    return "\n".join(lines)


def step_back(*, idle: bool) -> None:
    """Stand behind other programs; if ``idle``, take only what all of them leave.

    Beside a live avatar nothing less will do: a program that is merely nicer still holds the
    processor for some milliseconds when a frame is due.
    """
    import os

    if idle and sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(NICE)


def end_with_input(lines: TextIO, stop: threading.Event) -> None:
    """Set ``stop`` once ``lines`` is closed by whoever writes it, or dies."""
    import threading

    def wait() -> None:
        for _ in lines:
            pass
        stop.set()

    threading.Thread(target=wait, name="input", daemon=True).start()


def _as_json(package: Path, result: BakeResult) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "package": str(package),
        "model": None if result.model is None else str(result.model),
        "sheet": None if result.sheet is None else str(result.sheet),
        "accuracy": None if result.accuracy is None else asdict(result.accuracy),
        "baked_s": round(result.baked_s, 1),
        "body_samples": result.body_samples,
        "face_samples": result.face_samples,
        "written": result.written,
        "complete": result.complete,
        "notices": list(result.notices),
    }
