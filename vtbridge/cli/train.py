"""`vtbridge train`: teach the networks of version 1 from a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[
        str, typer.Argument(help="Name of a recipe (`--list` tells them), or a TOML file.")
    ] = "small-cpu",
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The data set, of `vtbridge dataset render`.", metavar="DIR"),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("-o", "--run", help="Folder of the run; RECIPE by default.", metavar="RUN"),
    ] = None,
    vgg16: Annotated[
        Path | None,
        typer.Option(
            help="ImageNet's VGG16 for the perceptual loss (.pth as torchvision names it); "
            "without it edges and SSIM stand in.",
            metavar="FILE",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Train this stage; may be given several times. The others may be trained by "
            "another process in the same folder.",
            metavar="STAGE",
        ),
    ] = None,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on this computer.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Computers; start it by torchrun.")] = 1,
    threads: Annotated[
        int, typer.Option(min=0, help="CPU threads of a process, 0 = as torch chooses.")
    ] = 0,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="Tell the recipes that come with vtbridge.")
    ] = False,
) -> None:
    """Teach the networks of version 1: face morpher, head rotator, combiner.

    It may be interrupted at any time; the same command goes on where it was. What it learns can
    be watched with `tensorboard --logdir RUN`.

    Examples:
      vtbridge dataset render procedural-small -o data/small
      vtbridge train small-cpu --data data/small -o runs/small
      vtbridge evaluate runs/small --data data/small

      vtbridge train paper-perceptual --data data/paper --vgg16 vgg16.pth --devices 4
    """
    from vtbridge.errors import TrainingError
    from vtbridge.training.learn.recipe import load_recipe, recipe_names, stage_called

    if list_recipes:
        for name in recipe_names():
            _, text = load_recipe(name)
            typer.echo(f"{name:18} {text.splitlines()[0].removeprefix('#').strip()}")
        return
    if data is None:
        raise typer.BadParameter("name the data set with --data")
    loaded, text = load_recipe(recipe)
    stages = [stage_called(name, loaded) for name in only or ()]
    folder = Path(loaded.name) if run is None else run
    try:
        from lightning.fabric import Fabric
    except ImportError as error:
        raise TrainingError("training needs more: pip install 'vtbridge[train]'") from error
    import torch

    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.training.dataset.examples import Examples
    from vtbridge.training.dataset.manifest import read_manifest
    from vtbridge.training.dataset.split import Split
    from vtbridge.training.dataset.true_flow import reopening
    from vtbridge.training.learn.run import Data, Run

    if threads:
        torch.set_num_threads(threads)
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision=loaded.precision,
    )
    fabric.launch()
    manifest = read_manifest(data)
    examples = Data(
        digest=manifest.digest,
        train=Examples(data, Split.TRAIN),
        validation=Examples(data, Split.VALIDATION),
        reopen=reopening(manifest),
    )
    with shown_progress(MonotonicClock()) as told:
        work = Run(
            folder,
            loaded,
            text,
            fabric=fabric,
            vgg16=vgg16,
            told=told if fabric.is_global_zero else lambda stage, done, total: None,
        )
        for result in work.train(examples, stages):
            if not fabric.is_global_zero:
                continue
            if result.validation is None:
                typer.echo(f"{result.stage}: finished before, {result.path}")
                continue
            seen = result.validation
            typer.echo(
                f"{result.stage}: L1 {seen.l1:.4f} of {seen.identity_l1:.4f}, "
                f"{seen.psnr_db:.2f} dB on characters never seen; {result.path}"
            )
