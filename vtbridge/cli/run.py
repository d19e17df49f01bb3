"""``vtbridge run``: the daemon."""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vtbridge.remote.settings import Role
from vtbridge.render.settings import Quality

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtbridge.config.schema import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file.", show_default="your own config.toml"),
]
PictureOption = Annotated[
    str | None,
    typer.Option(
        "--picture",
        "-p",
        "--character",
        metavar="NAME|PICTURE|DIR",
        help="A picture's path, a character package, or a built-in name.",
    ),
]
QualityOption = Annotated[
    Quality | None,
    typer.Option(help="The best quality wanted; baked shows a prepared character."),
]
NameOption = Annotated[str | None, typer.Option("--name", "-n", help="Name of the avatar in OBS.")]
PersonOption = Annotated[
    str | None,
    typer.Option("--person", help="Who plays: whose neutral faces are used and kept."),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="NAME",
        help="Networks, as `vtbridge weights list` names them.",
        show_default="as config.toml says",
    ),
]
SupervisorOption = Annotated[
    bool | None,
    typer.Option(
        "--supervisor/--no-supervisor",
        help="Start the renderer again when it dies or hangs.",
        show_default="as config.toml says",
    ),
]
FpsOption = Annotated[float | None, typer.Option(min=1, max=240, help="Frames a second wanted.")]


def run(
    config: ConfigOption = None,
    picture: PictureOption = None,
    name: NameOption = None,
    fps: FpsOption = None,
    quality: QualityOption = None,
    weights: WeightsOption = None,
    person: PersonOption = None,
    prepare: Annotated[
        bool | None,
        typer.Option(
            "--prepare/--no-prepare",
            help="Prepare the character in the background where the networks are slow.",
            show_default="as config.toml says",
        ),
    ] = None,
    learn: Annotated[
        bool | None,
        typer.Option(
            "--learn/--no-learn",
            help="Let the prepared character learn from the turns you make.",
            show_default="as config.toml says",
        ),
    ] = None,
    camera: Annotated[
        bool | None,
        typer.Option(
            "--camera/--no-camera",
            help="Also be a webcam of this computer, for calls.",
            show_default="as config.toml says",
        ),
    ] = None,
    vts: Annotated[
        bool | None,
        typer.Option(
            "--vts/--no-vts",
            help="Let plugins made for VTube Studio control the avatar.",
            show_default="as config.toml says",
        ),
    ] = None,
    role: Annotated[
        Role | None,
        typer.Option(
            help="Two computers: tracker here and renderer there.",
            show_default="as config.toml says",
        ),
    ] = None,
    renderer: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a tracker: the computer that renders."),
    ] = None,
    new_key: Annotated[
        bool,
        typer.Option("--new-key", help="With --role: make another key, or type it again."),
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after this long.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what the trackers send, for `vtbridge replay`: bug.vtbrec."
        ),
    ] = None,
    supervisor: SupervisorOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the avatar: trackers in, frames to OBS, until Ctrl-C.

    Press [bold]c[/bold] and Enter in this terminal to calibrate your neutral face.

    [bold]Examples[/bold]

      vtbridge run                             what your config.toml says

      vtbridge run --picture me.png            your own picture

      vtbridge run -p me.png --quality baked   as `vtbridge character bake me.png` prepared it

      vtbridge run --weights vtbridge-v1       our own small networks, nothing to download

      vtbridge run -c stream.toml -n stream    other settings, another avatar

      vtbridge run --person Ann                Ann's neutral faces, one for each tracker

      vtbridge run --role renderer             shows the poses of another computer

    The renderer is a process of its own: if it dies or hangs it is started again, while OBS holds
    the last frame. SIGHUP (systemctl --user reload vtbridge) has the settings read anew.
    """
    import asyncio

    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.supervised import supervise
    from vtbridge.config.load import user_config_path
    from vtbridge.log_file import keep_log
    from vtbridge.supervise.link import link_to_parent

    set_up_logging(verbose=verbose)
    read_config = partial(
        _settings,
        config,
        picture=picture,
        name=name,
        fps=fps,
        person=person,
        quality=quality,
        weights=weights,
        prepare=prepare,
        learn=learn,
        camera=camera,
        vts=vts,
        role=role,
        renderer=renderer,
        supervisor=supervisor,
    )
    settings = read_config()
    parent = link_to_parent()
    keep_log(settings.publish.name if parent is None else f"{settings.publish.name}-renderer")
    if settings.remote.role is not Role.BOTH and record is not None:
        raise typer.BadParameter("--record keeps what trackers send to one computer; drop --role")
    if settings.remote.role is Role.TRACKER:
        from vtbridge.cli.remote_roles import run_tracker

        run_tracker(settings, seconds=seconds, new_key=new_key)
        return
    if parent is None and settings.supervisor.enabled:
        raise typer.Exit(supervise(settings, seconds=seconds))
    restarts = 0 if parent is None else parent.restarts
    if record is not None and restarts:
        record = record.with_stem(f"{record.stem}-{restarts + 1}")

    from vtbridge.app.session import rendering_daemon, tracked_daemon

    invite: Callable[[], str] | None = None
    if settings.remote.role is Role.RENDERER:
        from vtbridge.cli.remote_roles import invitation, renderer_key

        key = renderer_key(new=new_key and not restarts)
        daemon, remote = rendering_daemon(settings, key)
        invite = partial(invitation, key, remote, show_key=sys.stderr.isatty())
    else:
        daemon = tracked_daemon(
            settings,
            record_to=record,
            config_file=config or user_config_path(),
            read_config=read_config,
        )

    def greet(url: str) -> None:
        if invite is not None and not restarts:
            typer.echo(invite(), err=True)
        if not restarts:
            typer.echo(f"preview: {url}", err=True)
        if sys.stdin.isatty():
            typer.echo("press c and Enter to calibrate, Ctrl-C to stop", err=True)
            on_key("c", daemon.calibrate)

    if parent is not None:
        seconds = None  # the parent counts them
    asyncio.run(daemon.run(seconds=seconds, on_ready=greet, parent=parent))


def _settings(path: Path | None, **options: Any) -> Config:
    """Return the settings of a file with the options of the command line."""
    from vtbridge.config.load import load_config

    return with_options(load_config(path), **options)


def with_options(
    config: Config,
    *,
    picture: str | None,
    name: str | None,
    fps: float | None,
    person: str | None = None,
    quality: Quality | None = None,
    weights: str | None = None,
    prepare: bool | None = None,
    learn: bool | None = None,
    camera: bool | None = None,
    vts: bool | None = None,
    role: Role | None = None,
    renderer: str | None = None,
    port: int | None = None,
    supervisor: bool | None = None,
) -> Config:
    """Return ``config`` with the options that were given on the command line.

    Raises:
        ConfigError: an option's value is out of range.
    """
    from pydantic import ValidationError

    from vtbridge.config.problems import key_of, sentence_of
    from vtbridge.config.schema import Config
    from vtbridge.errors import ConfigError

    tables = config.model_dump()
    if picture is not None:
        tables["avatar"]["picture"] = picture
    if fps is not None:
        tables["avatar"]["fps"] = fps
    if quality is not None:
        tables["render"]["quality"] = quality
    if weights is not None:
        tables["render"]["weights"] = weights
    if prepare is not None:
        tables["render"]["prepare"] = prepare
    if learn is not None:
        tables["render"]["learn"] = learn
    if name is not None:
        tables["publish"]["name"] = name
    if supervisor is not None:
        tables["supervisor"]["enabled"] = supervisor
    if camera is not None:
        tables["publish"]["camera"] = camera
    if port is not None:
        tables["control"]["http_port"] = port
    if vts is not None:
        tables["control"]["vts"]["enabled"] = vts
    if person is not None:
        tables["retarget"]["calibration"]["person"] = person
    if role is not None:
        tables["remote"]["role"] = role
    if renderer is not None:
        host, colon, number = renderer.partition(":")
        tables["remote"]["renderer"] = host
        if colon:
            tables["remote"]["port"] = int(number) if number.isdecimal() else number
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"--{key_of(problem)[-1]}: {sentence_of(problem)}") from error


def on_key(key: str, action: Callable[[], None]) -> None:
    """Run ``action`` each time the user types ``key`` and Enter in this terminal."""

    def read() -> None:
        for line in sys.stdin:
            if line.strip().lower() == key:
                action()

    threading.Thread(target=read, name="keys", daemon=True).start()
