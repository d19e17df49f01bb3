"""``vtbridge plugins``: which plugins made for VTube Studio may control the avatar."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Allow Stream Deck, Companion, Twitch tools and other VTube Studio plugins.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="The plugin's name, as it calls itself.")]
WaitingArgument = Annotated[
    str | None, typer.Argument(help="The plugin's name.", show_default="whoever asks just now")
]


@app.command(name="list")
def list_() -> None:
    """List the plugins that are allowed, and those that ask."""
    import time

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vtbridge.control.vts.plugins import PluginBook, plugins_path

    book = PluginBook(plugins_path()).read()
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("plugin", "by", "state", "since"):
        table.add_column(title)
    for one in book.plugins:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.allowed_s))
        table.add_row(one.plugin.name, one.plugin.developer, "allowed", since)
    for waiting in book.waiting:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(waiting.since_s))
        answer = {None: "asks", True: "allowed, has not come", False: "denied"}[waiting.allowed]
        table.add_row(waiting.name, waiting.developer or "anyone", answer, since)
    console = Console(highlight=False, markup=False)
    if book.plugins or book.waiting:
        console.print(table)
    else:
        console.print("no plugin is allowed; start with `vtbridge run --vts`, and connect one")


@app.command()
def allow(name: WaitingArgument = None) -> None:
    """Allow a plugin: the one that asks, or the next of that name within ten minutes.

    [bold]Examples[/bold]

      vtbridge plugins allow

      vtbridge plugins allow "Stream Deck"
    """
    _answer(name, allowed=True)


@app.command()
def deny(name: WaitingArgument = None) -> None:
    """Refuse a plugin that asks."""
    _answer(name, allowed=False)


@app.command()
def revoke(name: NameArgument) -> None:
    """Take a plugin's access away, also while it is connected; its parameters go too."""
    from vtbridge.control.vts.plugins import PluginBook, plugins_path
    from vtbridge.errors import ConfigError
    from vtbridge.expressions.parameters import suggestion

    book = PluginBook(plugins_path())
    gone = book.revoke(name)
    if not gone:
        known = [one.plugin.name for one in book.read().plugins]
        raise ConfigError(f"no plugin is called {name!r}{suggestion(name, known)}")
    for plugin in gone:
        typer.echo(f"{plugin} may not control the avatar any more")


def _answer(name: str | None, *, allowed: bool) -> None:
    from vtbridge.control.vts.plugins import PluginBook, plugins_path
    from vtbridge.errors import ConfigError

    answered = PluginBook(plugins_path()).answer(name, allowed=allowed)
    does = "may control the avatar" if allowed else "is refused"
    for plugin in answered:
        typer.echo(f"{plugin} {does}")
    if answered:
        return
    if name is None:
        raise ConfigError("no plugin asks just now; connect it, or name it here beforehand")
    typer.echo(f"the next plugin called {name!r} within ten minutes {does}")
