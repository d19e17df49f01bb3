"""``vtbridge bench``: what a frame costs here, how right it is, and which promises that keeps."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from vtbridge.cli.bench_measures import (
    PERFORMANCE,
    measure_dataset,
    measure_render,
    measure_trackers,
)
from vtbridge.cli.pose import ThreadsOption, WeightsOption
from vtbridge.render.settings import Quality, RuntimeName

_PLOTS = (".png", ".html")


class Compared(StrEnum):
    """What else can be compared."""

    REFERENCE = "reference"


def bench(
    frames: Annotated[
        int, typer.Option(min=1, max=100_000, help="Frames that count, for each contender.")
    ] = 30,
    poses: Annotated[
        Path | None,
        typer.Option(
            help="Recorded poses: a .json or .json.gz list of lists of 45 numbers, 20 a second.",
            show_default=PERFORMANCE,
        ),
    ] = None,
    character: Annotated[
        str,
        typer.Option(
            "--character",
            "-c",
            "--picture",
            "-p",
            metavar="NAME|PICTURE|DIR",
            help="A built-in name, a picture, a character package, or a folder with one picture.",
        ),
    ] = "michi",
    quality: Annotated[
        Quality | None,
        typer.Option(
            help="Measure one quality level only, and no other runtimes.", show_default="all"
        ),
    ] = None,
    runtime: Annotated[
        RuntimeName, typer.Option(help="The runtime to measure; auto compares all of them.")
    ] = RuntimeName.AUTO,
    compare: Annotated[
        Compared | None,
        typer.Option(help="Also run the author's own PyTorch code, fetched with pip."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="WHEEL", help="Its wheel, where pip cannot fetch it; goes with --compare."
        ),
    ] = None,
    live: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=1.0,
            max=3600.0,
            help="Also measure what a 60 fps display gets, for so long.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it: a .png or .html file.")
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Add the ratios to this file of earlier runs, and warn of those that fell.",
        ),
    ] = None,
    weights: WeightsOption = "tha3-separable-float",
    threads: ThreadsOption = 0,
    tracking: Annotated[
        bool | None,
        typer.Option(
            "--tracking/--no-tracking",
            help="Measure the trackers' side alone, which needs no weights, or all but it.",
            show_default="all",
        ),
    ] = None,
    dataset: Annotated[
        bool,
        typer.Option(
            "--dataset",
            help="Measure how many pictures of 3D models are drawn in an hour, and nothing else.",
        ),
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The .pmx, .pmd or .vrm file to draw; goes with --dataset.",
            show_default="made up, 20 000 triangles",
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(min=0, max=256, help="How many draw at once with --dataset; 0 = one a core."),
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Measure what a frame costs here, how right it is, and which promises that keeps.

    Every quality level and runtime takes turns with the way other programs run the same
    networks, frame by frame and each in a process of its own, so that the ratios hold on a
    busy machine too. A frame counts from the pose to the 8-bit picture. Likeness (dB, SSIM) is
    to the first contender that runs, in the character's box, over grey.

    [bold]Examples[/bold]

      vtbridge bench

      vtbridge bench --compare reference --plot bench.html

      vtbridge bench --quality balanced --live 30

      vtbridge bench --character me/ --quality baked

      vtbridge bench --poses recorded.json.gz --frames 200 --json

      vtbridge bench --tracking

      vtbridge bench --dataset
    """
    import json as json_format

    from vtbridge.cli.bench_tables import print_dataset, print_render, print_tracking
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.errors import ConfigError
    from vtbridge.render.benchmark.machine import describe_machine

    given = (poses, quality, compare, reference, live, plot, history)
    if tracking and any(option is not None for option in given):
        raise ConfigError(
            "--tracking renders nothing: leave out --poses, --quality, --compare, --reference, "
            "--live, --plot and --history"
        )
    if dataset and (tracking is not None or any(option is not None for option in given)):
        raise ConfigError(
            "--dataset measures nothing else: leave out --poses, --quality, --compare, "
            "--reference, --live, --plot, --history and --tracking"
        )
    if not dataset and (model is not None or processes):
        raise ConfigError("--model and --processes go with --dataset")
    if quality is Quality.AUTO:
        raise ConfigError("--quality auto is no level: choose exact, balanced, fast or baked")
    if plot is not None:
        _check_plot(plot)
    report: dict[str, Any] = {"machine": describe_machine()}
    if dataset:
        with shown_progress(MonotonicClock()) as progress:
            report["dataset"] = measure_dataset(model, processes, progress)
        if json:
            typer.echo(json_format.dumps(report))
        else:
            print_dataset(report["dataset"])
        return
    with shown_progress(MonotonicClock()) as progress:
        if not tracking:
            from vtbridge.app.characters import open_picture
            from vtbridge.render.benchmark.contenders import Field

            picture = open_picture(character)
            field = Field(
                weights=weights,
                threads=threads,
                runtime=runtime,
                quality=quality,
                package=_package(character, quality),
                reference=compare is not None or reference is not None,
                wheel=reference,
            )
            report |= measure_render(field, frames, poses, picture, live, progress)
        report["tracking"] = None if tracking is False else measure_trackers(progress)
    if not tracking:
        _keep(report, plot, history)
    if json:
        typer.echo(json_format.dumps(report))
        return
    if not tracking:
        print_render(report)
    if report["tracking"] is not None:
        print_tracking(report["tracking"])


def _package(character: str, quality: Quality | None) -> Path | None:
    """Return the prepared character to compare, None if there is none.

    Raises:
        WeightsError: it alone was wanted, and is not prepared.
    """
    from vtbridge.app.characters import package_of, with_package
    from vtbridge.render.settings import RenderSettings

    if quality is Quality.BAKED:
        return Path(with_package(RenderSettings(quality=quality), character).package)
    return package_of(character) if quality is None else None


def _check_plot(plot: Path) -> None:
    """Refuse what cannot be written before anything is measured for it.

    Raises:
        ConfigError: another suffix than .png or .html, or no such folder.
    """
    from vtbridge.errors import ConfigError

    if plot.suffix.lower() not in _PLOTS:
        raise ConfigError(f"--plot {plot}: give a name that ends in {' or '.join(_PLOTS)}")
    if not plot.absolute().parent.is_dir():
        raise ConfigError(f"--plot {plot}: there is no folder {plot.absolute().parent}")


def _keep(report: dict[str, Any], plot: Path | None, history: Path | None) -> None:
    """Draw the report and remember its ratios, as asked."""
    from datetime import UTC, datetime

    from vtbridge.render.benchmark.chart import chart
    from vtbridge.render.benchmark.chart_html import html_page
    from vtbridge.render.benchmark.chart_png import png_bytes
    from vtbridge.render.benchmark.history import append, entry_of, read_history, regressions

    if plot is not None:
        drawn = chart(report)
        if plot.suffix.lower() == ".html":
            plot.write_text(html_page(drawn, report), "utf-8")
        else:
            plot.write_bytes(png_bytes(drawn))
    if history is not None:
        entry = entry_of(report, datetime.now(UTC))
        for regression in regressions(read_history(history), entry):
            typer.secho(f"slower than before: {regression}", fg=typer.colors.YELLOW, err=True)
        append(history, entry)
