"""``vtbridge api``: where programs find the control API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def api(
    name: Annotated[
        str | None, typer.Option("-n", "--name", help="The avatar.", show_default="your config's")
    ] = None,
    document: Annotated[
        bool, typer.Option("--openapi", help="Print the API's description instead.")
    ] = False,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="Your config.toml.")] = None,
) -> None:
    """Show where the running avatar is asked and commanded over HTTP and WebSocket.

    [bold]Examples[/bold]

      vtbridge api

      vtbridge api --openapi > vtbridge.json      OpenAPI 3.1, also while nothing runs
    """
    if document:
        _print_document()
        return
    from vtbridge.config.load import load_config
    from vtbridge.control.address import token_path
    from vtbridge.control.api.openapi import EVENTS_PATH, PREFIX
    from vtbridge.control.ask import address_of

    name = name or load_config(config).publish.name
    address = f"127.0.0.1:{address_of(name).port}"
    token = token_path(name)
    typer.echo(f"requests  http://{address}{PREFIX}/")
    typer.echo(f"events    ws://{address}{EVENTS_PATH}")
    typer.echo(f"token     {token} (made anew at each start)")
    typer.echo(f'\ncurl -H "Authorization: Bearer $(cat {token})" http://{address}{PREFIX}/status')


def _print_document() -> None:
    import json

    from vtbridge.config.schema import Config
    from vtbridge.control.api.openapi import document
    from vtbridge.control.api.operations import operations

    typer.echo(json.dumps(document(operations(Config)), indent=2))
