"""``vtbridge config``: show, check and start a config.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Show, check and start a config.toml.", no_args_is_help=True)


@app.command()
def show() -> None:
    """Print the default config.toml: every setting, its default and what it does."""
    from vtbridge.config.document import documented_defaults

    typer.echo(documented_defaults(), nl=False)


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(help="The file.", show_default="your own config.toml")
    ] = None,
) -> None:
    """Say whether a config.toml is right, and if not, which line is wrong."""
    from vtbridge.config.load import load_config, user_config_path

    load_config(path)
    chosen = path or user_config_path()
    if chosen.exists():
        typer.echo(f"{chosen}: no mistakes")
    else:
        typer.echo(f"{chosen} is absent; the defaults hold (`vtbridge config init` starts one)")


@app.command()
def init(
    path: Annotated[
        Path | None, typer.Argument(help="Where.", show_default="your own config.toml")
    ] = None,
) -> None:
    """Write a config.toml with every setting, ready to be edited; never overwrites one."""
    from vtbridge.config.document import documented_defaults
    from vtbridge.config.load import user_config_path
    from vtbridge.errors import ConfigError

    target = path or user_config_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{target.parent}: {error.strerror}; name another path") from error
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(documented_defaults())
    except FileExistsError as error:
        raise ConfigError(f"{target} exists already; edit it, or name another path") from error
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}; name another path") from error
    typer.echo(f"wrote {target}")
