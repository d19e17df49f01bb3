"""`vtbridge dataset`: what the networks learn from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli import dataset_scan
from vtbridge.errors import DatasetError

if TYPE_CHECKING:
    from vtbridge.training.dataset.recipe import DatasetRecipe

app = typer.Typer(
    help="Pictures of characters in many poses, to train networks on.", no_args_is_help=True
)


app.command()(dataset_scan.scan)


@app.command()
def render(
    recipe: Annotated[
        str, typer.Argument(help="Name of a recipe (`--list` tells them), or a TOML file.")
    ] = "procedural-small",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of the data set; RECIPE by default."),
    ] = None,
    subjects: Annotated[
        int | None,
        typer.Option(min=1, help="How many procedural characters, instead of the recipe's."),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Folder of 3D models, instead of the recipe's.", metavar="FOLDER"),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="Corrections to them, from `vtbridge dataset scan`.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    processes: Annotated[
        int, typer.Option(min=0, help="How many draw at once; 0 = one a core.")
    ] = 0,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Draw on a Ray cluster that shares the folder: the address of its head, or "
            "`local`.",
            metavar="ADDRESS",
        ),
    ] = None,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="Tell the recipes that come with vtbridge.")
    ] = False,
) -> None:
    """Render characters in many poses: rest, expression, and expression with a turned head.

    It may be interrupted at any time; the same command goes on where it was. The same recipe
    and seed give the same bytes, however many processes draw.

    Examples:
      vtbridge dataset render ci -o data/ci
      vtbridge dataset render procedural-small -o data/small
      vtbridge dataset render procedural-small --subjects 100 -o data/try
      vtbridge dataset render figures --models ~/models --annotations scan/annotations.json
      vtbridge dataset render my-models.toml -o data/mine --seed 3
    """
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import NS_PER_S, MonotonicClock
    from vtbridge.training.dataset import job
    from vtbridge.training.dataset.processes import Processes
    from vtbridge.training.dataset.recipe import load_recipe, recipe_names

    if list_recipes:
        for name in recipe_names():
            typer.echo(name)
        return
    loaded = load_recipe(recipe, _changes_of(subjects, models, annotations))
    _refuse_what_does_nothing(loaded, subjects, models or annotations)
    folder = Path(loaded.name) if out is None else out
    run: job.ShardRunner = Processes(processes or os.cpu_count() or 1)
    if ray is not None:
        from vtbridge.training.dataset.cluster import RayCluster

        run = RayCluster(ray, processes)
    clock = MonotonicClock()
    begin_ns = clock.now_ns()
    heard: list[int] = []
    with shown_progress(clock) as progress:

        def told(done: int, total: int) -> None:
            heard.append(done)
            progress("poses", done, total)

        manifest = job.render(folder, loaded, seed, run, told)
    poses = sum(shard.poses for shard in manifest.shards)
    typer.echo(f"{folder}: {poses} poses in {len(manifest.shards)} files, {manifest.digest[:12]}")
    if heard:
        took_s = (clock.now_ns() - begin_ns) / NS_PER_S
        drawn = heard[-1] - heard[0]  # what an earlier run drew is not this one's speed
        typer.echo(f"{drawn} poses were drawn in {took_s:.0f} s, {drawn / took_s:.0f} a second")
    for name, reason in job.failures(manifest.shards).items():
        typer.secho(f"left out {name}: {reason}", fg=typer.colors.YELLOW, err=True)


def _changes_of(
    subjects: int | None, models: Path | None, annotations: Path | None
) -> dict[str, object]:
    """Return what options change of a recipe's source; paths mean the same from anywhere."""
    changes: dict[str, object] = {} if subjects is None else {"subjects": subjects}
    for key, path in (("folder", models), ("annotations", annotations)):
        if path is not None:
            changes[key] = str(path.expanduser().absolute())
    return changes


def _refuse_what_does_nothing(
    recipe: DatasetRecipe, subjects: int | None, models: Path | None
) -> None:
    """Refuse options that the recipe's kind of characters has no use for.

    Raises:
        DatasetError: there is one.
    """
    kind = recipe.source.kind
    if subjects is not None and kind != "procedural":
        raise DatasetError(f"--subjects is for procedural characters; {recipe.name} has {kind}")
    if models is not None and kind != "figures":
        raise DatasetError(
            f"--models and --annotations are for 3D models; {recipe.name} has {kind} characters: "
            "name the recipe figures, or one of your own"
        )


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(help="Folder of a data set.")],
) -> None:
    """Tell what a data set holds: recipe, seed, characters and poses of each side of the split.

    Example:
      vtbridge dataset info data/small
    """
    from vtbridge.training.dataset.job import failures
    from vtbridge.training.dataset.manifest import read_manifest
    from vtbridge.training.dataset.split import Split

    manifest = read_manifest(folder)
    typer.echo(
        f"{manifest.recipe['name']}, seed {manifest.seed}, vtbridge {manifest.version}, "
        f"digest {manifest.digest}"
    )
    for split in Split:
        shards = manifest.of(split)
        subjects = sum(len(shard.subjects) for shard in shards)
        poses = sum(shard.poses for shard in shards)
        size = sum(shard.bytes for shard in shards) / 2**20
        typer.echo(f"{split:10} {subjects:6} characters {poses:8} poses {size:8.1f} MiB")
    for name, reason in failures(manifest.shards).items():
        typer.echo(f"left out {name}: {reason}")
