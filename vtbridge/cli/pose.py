"""``vtbridge pose``: a character in given poses, as files."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.errors import ConfigError
from vtbridge.render.settings import DeviceName, Precision, Quality, RuntimeName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from vtbridge.datatypes import F32Array
    from vtbridge.pose_schema import PoseSchema

RuntimeOption = Annotated[RuntimeName, typer.Option(help="What computes.")]
DeviceOption = Annotated[DeviceName, typer.Option(help="Where it computes.")]
PrecisionOption = Annotated[Precision, typer.Option(help="How exactly; f32 is exact.")]
WeightsOption = Annotated[
    str, typer.Option(metavar="NAME", help="Weights, as `vtbridge weights list` names them.")
]
ThreadsOption = Annotated[
    int, typer.Option(min=0, max=256, help="Threads on a CPU; 0 uses every core.")
]


def pose(
    picture: Annotated[
        str | None,
        typer.Argument(
            help="A picture's path, a character package, or a built-in name.", show_default=False
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A pose parameter; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the PNG goes.", show_default="pose.png"),
    ] = None,
    poses: Annotated[
        Path | None,
        typer.Option(help="Many poses: a .json or .json.gz list of lists of 45 numbers."),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the files of --poses go.")
    ] = None,
    as_float: Annotated[
        bool,
        typer.Option("--float", help="Write the networks' own float32 output (.npy) beside it."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep files of --out-dir that are there already.")
    ] = False,
    character: Annotated[
        str | None,
        typer.Option(metavar="NAME|PICTURE|DIR", help="The same as PICTURE, as elsewhere."),
    ] = None,
    quality: Annotated[
        Quality, typer.Option(help="How it is computed; baked shows a prepared character.")
    ] = Quality.EXACT,
    runtime: RuntimeOption = RuntimeName.AUTO,
    device: DeviceOption = DeviceName.AUTO,
    precision: PrecisionOption = Precision.F32,
    weights: WeightsOption = "tha3-separable-float",
    threads: ThreadsOption = 0,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Draw a character in one pose or in many, without tracker or OBS.

    A PNG holds straight alpha and sRGB. With --float an .npy beside it holds float32 [4, 512, 512]:
    RGBA planes in linear light, straight alpha, scaled to -1..1, exactly as the networks
    gave them. Values outside a parameter's range are clamped to it.

    [bold]Examples[/bold]

      vtbridge pose michi --set mouth_aaa=1 --set head_y=-0.5 -o michi.png

      vtbridge pose me.png --poses poses.json.gz --out-dir frames      0000.png, 0001.png, ...

      vtbridge pose me.png --poses poses.json --out-dir exact --float --runtime pytorch

      vtbridge pose --character me/ --quality baked --set head_y=0.5
    """
    import json as json_format
    from functools import partial

    import numpy as np

    from vtbridge.app.characters import matched, open_picture, schema_of, with_package
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.render.pose_file import read_poses
    from vtbridge.render.settings import RenderSettings
    from vtbridge.render.tha3 import open_poser
    from vtbridge.telemetry import Telemetry

    set_up_logging()
    if (picture is None) == (character is None):
        raise ConfigError("name one character: vtbridge pose PICTURE, or --character")
    if poses is None:
        if out_dir is not None or resume:
            raise ConfigError("--out-dir and --resume belong to --poses; use --output for one pose")
        schema = schema_of(RenderSettings(weights=weights, quality=quality))
        values = pose_from_assignments(assignments or [], schema)[None]
        files = [Path("pose.png") if output is None else output]
    else:
        if out_dir is None or output is not None or assignments:
            raise ConfigError("--poses needs --out-dir, and goes with neither --set nor --output")
        values = read_poses(poses)
        files = [out_dir / f"{index:04d}.png" for index in range(len(values))]
    check_targets(files, as_float=as_float)
    outputs = [(file, file.with_suffix(".npy")) if as_float else (file,) for file in files]
    wanted = [
        index
        for index, made in enumerate(outputs)
        if not (resume and all(file.is_file() for file in made))
    ]

    named, weights = matched(picture or character or "", weights)
    shown = open_picture(named)
    settings = RenderSettings(
        runtime=runtime,
        device=device,
        precision=precision,
        quality=quality,
        weights=weights,
        threads=threads,
    )
    poser = open_poser(with_package(settings, named), Telemetry())
    runs_on = poser.describe()
    try:
        poser.set_picture(shown)
        for index in progress(wanted, f"posing {shown.name}"):
            planes = poser.render_float(values[index])
            write_png(planes, files[index])
            if as_float:
                write_whole(files[index].with_suffix(".npy"), partial(np.save, arr=planes))
    finally:
        poser.close()
    summary = {
        "runtime": runs_on,
        "picture": shown.name,
        "written": [str(file) for i in wanted for file in outputs[i]],
        "kept": len(files) - len(wanted),
    }
    if json:
        typer.echo(json_format.dumps(summary))
        return
    kept = f", {summary['kept']} kept" if resume else ""
    where = files[0] if poses is None else out_dir
    typer.echo(f"{len(wanted)} written to {where}{kept} ({runs_on})", err=True)
    if shown.credit:
        typer.echo(shown.credit, err=True)


def pose_from_assignments(assignments: Sequence[str], schema: PoseSchema) -> F32Array:
    """Return float32 [45] with the parameters of ``mouth_aaa=1`` and the like set, else 0.

    Args:
        assignments: as they were typed.
        schema: whose parameters are meant.

    Raises:
        ConfigError: there is no such parameter, or its value is not a finite number.
    """
    import math

    pose: dict[str, float] = {}
    for assignment in assignments:
        label, _, text = assignment.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(f"--set {assignment}: write NAME=NUMBER, such as mouth_aaa=0.5")
        pose[label.strip().lower()] = value
        try:
            schema.named(pose)
        except KeyError as error:
            raise ConfigError(f"--set {assignment}: {error.args[0]}") from error
    return schema.named(pose)


def check_targets(files: Sequence[Path], *, as_float: bool) -> None:
    """Refuse what cannot become a PNG before anything is computed for it.

    Raises:
        ConfigError: a target has no file name, is a folder or lies in a file; or the
            float output would replace it.
    """
    for file in files:
        if not file.name:
            raise ConfigError(f"--output {file} names no file: write FOLDER/NAME.png")
        if as_float and file.suffix == ".npy":
            raise ConfigError(f"--output {file} is where --float writes to: name a .png file")
        for target in (file, file.with_suffix(".npy")) if as_float else (file,):
            if target.is_dir():
                raise ConfigError(f"{target} is a folder: name a file in it, or another one")
    folders = {file.parent for file in files}
    for folder in folders:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is a file, so that nothing can be written into it")


def write_png(planes: F32Array, file: Path) -> None:
    """Write the networks' output, float32 [4, 512, 512], as a PNG with straight alpha.

    Raises:
        ConfigError: it cannot be written.
        InferenceError: it holds numbers that must not be shown.
    """
    from vtbridge.app.stills import png_of

    content = png_of(planes)
    write_whole(file, lambda stream: stream.write(content))


def write_whole(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``write`` fill ``file``, so that it is there whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            write(stream)
        part.replace(file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise ConfigError(f"{file} cannot be written: {error}") from error
        raise


def progress(indices: Sequence[int], what: str) -> Iterator[int]:
    """Yield ``indices`` behind a bar on stderr, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import track

    yield from track(
        indices,
        description=what,
        console=Console(stderr=True),
        disable=len(indices) < 2 or not sys.stderr.isatty(),
        transient=True,
    )
