"""``vtbridge studio``: the avatar with its page, to pose by hand and to set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption, FpsOption, NameOption, QualityOption, SupervisorOption

if TYPE_CHECKING:
    from vtbridge.config.schema import Config


def studio(
    picture: Annotated[
        str | None,
        typer.Argument(
            help="A picture's path, a character package, or a built-in name.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.", show_default=False),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    config: ConfigOption = None,
    name: NameOption = None,
    fps: FpsOption = None,
    quality: QualityOption = None,
    supervisor: SupervisorOption = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after this long.")
    ] = None,
) -> None:
    """Pose a picture by hand, tune your trackers, and see what goes on, in the browser.

    Runs the avatar as `vtbridge run` does; where it runs already, its page is opened. The first
    line that is printed is the page's address with the token that lets you in.

    [bold]Examples[/bold]

      vtbridge studio

      vtbridge studio me.png

      vtbridge studio --no-browser --port 39580     for a dock of OBS
    """
    import asyncio

    from vtbridge.app.session import tracked_daemon
    from vtbridge.cli.demo import fetch_missing_weights
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.run import with_options
    from vtbridge.cli.supervised import supervise
    from vtbridge.config.load import load_config, user_config_path
    from vtbridge.log_file import keep_log
    from vtbridge.supervise.link import link_to_parent

    set_up_logging()
    settings = with_options(
        load_config(config),
        picture=picture,
        name=name,
        fps=fps,
        quality=quality,
        port=port,
        supervisor=supervisor,
    )
    parent = link_to_parent()
    keep_log(settings.publish.name if parent is None else f"{settings.publish.name}-renderer")

    def greet(url: str) -> None:
        if parent is not None and parent.restarts:
            return
        typer.echo(url)
        if browser:
            open_browser(url)

    running = None if parent is not None else running_page(settings)
    if running is not None:
        _refuse_changes(settings.publish.name, picture, port)
        greet(running)
        return
    fetch_missing_weights(settings.render.weights)
    if parent is None and settings.supervisor.enabled:
        raise typer.Exit(supervise(settings, seconds=seconds))
    daemon = tracked_daemon(settings, config_file=config or user_config_path())
    if parent is not None:
        seconds = None  # the parent counts them
    asyncio.run(daemon.run(seconds=seconds, on_ready=greet, parent=parent))


def open_browser(url: str) -> None:
    """Open ``url`` in the user's browser, and go on."""
    import threading
    import webbrowser

    # A text browser would run here until it is left.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def running_page(config: Config) -> str | None:
    """Return the page of the avatar that runs already, None if there is none."""
    from vtbridge.control.address import page_url, read_address
    from vtbridge.control.ask import ask
    from vtbridge.errors import VtbridgeError

    name = config.publish.name
    address = read_address(name)
    if address is None:
        return None
    try:
        ask(name, address, "quality")
    except VtbridgeError:  # it crashed and left its address behind
        return None
    return page_url(address)


def _refuse_changes(name: str, picture: str | None, port: int | None) -> None:
    from vtbridge.errors import AlreadyRunning

    if picture is not None or port is not None:
        raise AlreadyRunning(
            f"the avatar {name!r} runs already, with its own picture and port: stop it, start "
            "another one with --name, or change the picture in the studio"
        )
