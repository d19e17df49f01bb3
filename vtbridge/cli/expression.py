"""``vtbridge expression``: list, show, check and trigger expressions, learn MIDI controls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption, PictureOption

if TYPE_CHECKING:
    from typing import BinaryIO


app = typer.Typer(help="List, show, check and trigger expressions.", no_args_is_help=True)

_TIMEOUT_S = 5.0
_HEADER = re.compile(r"^\s*\[\[?\s*expressions\s*\.\s*([\w\"']+)", re.ASCII)

AvatarOption = Annotated[
    str | None,
    typer.Option("--name", "-n", help="The avatar.", show_default="from config.toml"),
]


@app.command(name="list")
def list_(config: ConfigOption = None, picture: PictureOption = None) -> None:
    """List the expressions of a character, and how each begins and ends."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vtbridge.app.expressions import OSC_PREFIX, known_names
    from vtbridge.expressions.library import builtin_library, read_library

    path = _file(config, picture)
    names = known_names()
    library = builtin_library(names) if path is None else read_library(path, names)
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("name", "label", "mode", "group", "by itself when"):
        table.add_column(title)
    for name, expression in library.expressions.items():
        entry = expression.table
        table.add_row(name, expression.label, entry.mode, entry.group, entry.when or "")
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"from {path or 'the built-in set'}; over OSC: {OSC_PREFIX}NAME 1, 0, or nothing")


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="One expression.", show_default="the whole file")
    ] = None,
    config: ConfigOption = None,
    picture: PictureOption = None,
) -> None:
    """Print an expressions.toml, or one expression of it, to begin your own with.

    [bold]Example[/bold]

      vtbridge expression show > expressions.toml
    """
    from vtbridge.app.expressions import known_names
    from vtbridge.errors import ConfigError
    from vtbridge.expressions.library import builtin_text, read_library
    from vtbridge.expressions.parameters import suggestion

    path = _file(config, picture)
    texts = [builtin_text()]
    if path is not None:
        read_library(path, known_names())
        texts.insert(0, path.read_text(encoding="utf-8"))
    if name is None:
        typer.echo(texts[0], nl=False)
        return
    found: dict[str, str] = {}
    for text in reversed(texts):
        found |= blocks_of(text)
    if name not in found:
        raise ConfigError(f"no expression is called {name!r}{suggestion(name, found)}")
    typer.echo(found[name])


@app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="The file.", show_default="the one beside your character"),
    ] = None,
    config: ConfigOption = None,
    picture: PictureOption = None,
) -> None:
    """Say whether an expressions.toml is right, and if not, which line is wrong."""
    from vtbridge.app.expressions import known_names
    from vtbridge.expressions.library import read_library

    path = file or _file(config, picture)
    if path is None:
        typer.echo("your character has no expressions.toml; the built-in set holds")
        return
    library = read_library(path, known_names())
    typer.echo(
        f"{path}: no mistakes; {len(library.expressions)} expressions with the built-in ones"
    )


@app.command()
def layout(
    file: Annotated[Path, typer.Argument(help="Where to write: vtbridge.tosc.")],
    config: ConfigOption = None,
    picture: PictureOption = None,
) -> None:
    """Write a TouchOSC layout with a button for each expression of a character.

    In TouchOSC set Connections > OSC > Connection 1 to UDP, this computer, port 39581; for the
    lights its receive port goes into [control] osc_feedback_port.
    """
    from vtbridge.app.expressions import OSC_PREFIX, known_names
    from vtbridge.cli.pose import write_whole
    from vtbridge.expressions.library import builtin_library, read_library
    from vtbridge.expressions.touchosc import layout_of

    path, names = _file(config, picture), known_names()
    library = builtin_library(names) if path is None else read_library(path, names)
    content = layout_of(library.expressions.values(), OSC_PREFIX)

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    write_whole(file, write)
    typer.echo(f"wrote {file}: {len(library.expressions)} buttons")


@app.command()
def trigger(
    name: Annotated[str, typer.Argument(help="The expression.")],
    avatar: AvatarOption = None,
    on: Annotated[
        bool | None, typer.Option("--on/--off", help="Switch it so.", show_default="the other way")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="End it, whatever it is.")] = False,
    config: ConfigOption = None,
) -> None:
    """Trigger an expression of the avatar that runs here.

    [bold]Examples[/bold]

      vtbridge expression trigger smile

      vtbridge expression trigger sad --off

      vtbridge expression trigger nod -n stream      the avatar that runs as "stream"
    """
    from vtbridge.config.load import load_config
    from vtbridge.control.ask import address_of, ask, order
    from vtbridge.errors import ConfigError
    from vtbridge.expressions.parameters import suggestion

    if release and on is not None:
        raise typer.BadParameter("--release goes with neither --on nor --off")
    avatar = avatar or load_config(config).publish.name
    address = address_of(avatar)
    known = [one["name"] for one in ask(avatar, address, "expressions")["expressions"]]
    if name not in known:
        raise ConfigError(f"{avatar!r} has no expression {name!r}{suggestion(name, known)}")
    action = "release" if release else {None: "toggle", True: "on", False: "off"}[on]
    order(avatar, address, f"expressions/{name}", {"action": action})


@app.command()
def midi(
    device: Annotated[
        str, typer.Argument(help="A part of the device's name; * = all of them.")
    ] = "*",
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after this long.", show_default="when Ctrl-C is pressed"),
    ] = None,
) -> None:
    """List the MIDI devices, and show what their keys, pads and buttons are called.

    Press one, and what it shows goes into expressions.toml: [bold]midi = "note:60@10"[/bold];
    without [bold]@10[/bold] it is heard on every channel. `vtbridge run` hears the devices that
    config.toml names: [bold][control] midi = "*"[/bold].
    """
    from vtbridge.clock import MonotonicClock
    from vtbridge.expressions.triggers.midi import MidiTrigger, MidoPorts, is_wanted
    from vtbridge.expressions.triggers.midi_keys import MidiKeys, MidiPress

    class Shown(MidiKeys):
        """Tells what is heard in place of pressing anything."""

        def hear(self, device: str, told: MidiPress) -> None:
            if told.down is not False:
                typer.echo(f'midi = "{told.control}"    # {device}')

    ports, clock = MidoPorts(), MonotonicClock()
    names = ports.names()
    for name in names:
        typer.echo(name if is_wanted(device, name) else f"{name} (not asked for)")
    if not names:
        typer.echo("no MIDI device is here; plug one in")
    if seconds == 0:
        return
    typer.echo("press a key, pad or button; Ctrl-C stops", err=True)
    trigger = MidiTrigger(Shown(list, lambda name, down: None), ports, device, clock)
    end_ns = None if seconds is None else clock.now_ns() + round(seconds * 1e9)
    try:
        while end_ns is None or clock.now_ns() < end_ns:
            trigger.step(patience_s=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        trigger.close()


def blocks_of(text: str) -> dict[str, str]:
    """Return the lines of each expression in an expressions.toml, by its name."""
    blocks: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if header := _HEADER.match(line):
            current = blocks.setdefault(header[1].strip("\"'"), [])
        elif line.lstrip().startswith("[") and not line[:1].isspace():
            current = None
        if current is not None:
            current.append(line)
    return {name: _trimmed(lines) for name, lines in blocks.items()}


def _trimmed(lines: list[str]) -> str:
    """Return ``lines`` without the comments behind them, which belong to what follows."""
    while lines and (not lines[-1].strip() or lines[-1].startswith("#")):
        lines = lines[:-1]
    return "\n".join(lines)


def _file(config: Path | None, picture: str | None) -> Path | None:
    """Return the file that holds for a character, None if there is none."""
    from vtbridge.app.expressions import expression_file
    from vtbridge.cli.run import with_options
    from vtbridge.config.load import load_config

    settings = with_options(load_config(config), picture=picture, name=None, fps=None)
    path = expression_file(settings)
    if path is None or (not settings.expressions.file and not path.is_file()):
        return None
    return path
