"""``vtbridge obs``: script or plugin in OBS, the scene, the password, and how all of it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vtbridge.config.schema import Config
    from vtbridge.obs.client import ObsClient
    from vtbridge.obs.settings import ObsSettings

app = typer.Typer(help="Show the avatar in OBS Studio.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The config.toml.", show_default="your own"),
]
HostOption = Annotated[str | None, typer.Option(help="Where OBS runs.", show_default="config.toml")]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="Port of OBS's WebSocket server.", show_default="config.toml"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]

_ADD_SCRIPT = "add it in OBS: Tools > Scripts > +"
_ADD_SOURCE = f"{_ADD_SCRIPT}; or start OBS again if it is the plugin"


@app.command(epilog="Example: vtbridge obs install --plugin")
def install(
    plugin: Annotated[
        bool,
        typer.Option(
            "--plugin/--script",
            help="The plugin is built here (Linux; needs CMake, a C compiler and libobs-dev) and "
            "loaded by OBS itself; the script needs no compiler and is added by hand.",
        ),
    ] = False,
    collection: Annotated[
        str | None,
        typer.Option(
            help="Also add the script to this scene collection, while OBS is closed; the file as "
            "it was stays beside it."
        ),
    ] = None,
) -> None:
    """Put the avatar's source into OBS, as a script or as a plugin.

    OBS loads no script by itself: either add it once in OBS under Tools > Scripts > +,
    or name your scene collection here while OBS is closed. The plugin is loaded when
    OBS starts.
    """
    from vtbridge.errors import ConfigError, ObsError
    from vtbridge.obs import install as installer

    if plugin and collection is not None:
        raise ConfigError("--collection is for the script; OBS loads the plugin by itself")
    if plugin:
        _install_plugin()
        return
    installer.require_script_support()
    roots = installer.find_obs_roots()
    if not roots:
        raise ObsError("no OBS of this user was found; install OBS Studio and start it once")
    if collection is not None:
        with_it = [root for root in roots if collection in installer.find_collections(root)]
        roots = tuple(with_it) or roots
    for root in roots:
        changed = installer.install_script(root)
        typer.echo(f"{'wrote' if changed else 'up to date'}: {root.script} ({root.packaging} OBS)")
        if root.packaging == "Flatpak":
            typer.echo(f"  let it see shared memory: {installer.FLATPAK_SHM_COMMAND}")
        if collection is None:
            typer.echo(f"  {_ADD_SCRIPT}")
            continue
        added = installer.add_to_collection(root, collection)
        typer.echo(
            f"  {'added to' if added else 'is already in'} the scene collection '{collection}'"
        )
    typer.echo("then, with OBS running: vtbridge obs setup")


def _install_plugin() -> None:
    """Build the plugin, for the OBS that this system's own packages installed."""
    from vtbridge.errors import ObsError
    from vtbridge.obs import install as installer
    from vtbridge.obs.plugin import install_plugin, plugin_library

    roots = installer.find_obs_roots()
    if not roots:
        raise ObsError("no OBS of this user was found; install OBS Studio and start it once")
    native = [root for root in roots if root.packaging == "native"]
    for root in native or roots:
        changed = install_plugin(root)
        typer.echo(f"{'built' if changed else 'up to date'}: {plugin_library(root)}")
        if changed and installer.obs_is_running():
            typer.echo("  OBS is running: it loads the plugin when it is started again")
    for root in roots:
        if root.packaging != "native":
            typer.echo(f"  not for the {root.packaging} OBS, which needs the script")
    typer.echo("then, with OBS running: vtbridge obs setup")


@app.command(
    epilog="Example: vtbridge obs setup --scene Gaming --source Me --placement bottom",
)
def setup(
    scene: Annotated[
        str | None,
        typer.Option(help="Scene to hold the avatar.", show_default="config.toml"),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Name of the source.", show_default="config.toml")
    ] = None,
    placement: Annotated[
        str | None,
        typer.Option(
            help="fit, bottom or keep. A source that exists is moved only if this is given.",
            show_default="config.toml",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Switch OBS to the scene, too.")] = False,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the scene and the avatar's source in the running OBS; a second time changes nothing."""
    from dataclasses import replace

    from vtbridge.app.obs_scene import wanted_scene
    from vtbridge.errors import ConfigError
    from vtbridge.obs.scene import set_up_scene
    from vtbridge.obs.settings import Placement

    loaded = _load(config)
    settings = _settings(loaded, host, port)
    wanted = wanted_scene(loaded.model_copy(update={"obs": settings}))
    wanted = replace(wanted, scene=scene or wanted.scene, source=source or wanted.source)
    if placement is not None:
        if placement not in list(Placement):
            raise ConfigError(f"--placement {placement}: choose one of {', '.join(Placement)}")
        wanted = replace(wanted, placement=Placement(placement), place_anew=True)
    with _connect(settings) as client:
        report = set_up_scene(client, wanted)
        if show:
            client.request("SetCurrentProgramScene", {"sceneName": wanted.scene})
    if as_json:
        _print_json(
            {
                "scene": wanted.scene,
                "source": wanted.source,
                "transport": report.transport.value,
                "changes": list(report.changes),
                "advice": report.advice,
                "media_enabled": loaded.publish.media_enabled,
            }
        )
        return
    for change in report.changes or ("all was as wanted",):
        typer.echo(change)
    typer.echo(f"frames come by {report.transport.value}")
    if report.advice:
        typer.secho(report.advice, fg=typer.colors.YELLOW)


@app.command(epilog="Example: vtbridge obs status --json")
def status(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell whether OBS answers, knows the source, and shows the avatar.

    Each source of the avatar is told with the way its frames come and whether it is shown;
    what is wrong, with its remedy. Exit code 0 if OBS answers, 9 if not.
    """
    from vtbridge.errors import ObsAuthError, ObsError
    from vtbridge.obs import install as installer
    from vtbridge.obs.plugin import plugin_is_current, plugin_library

    loaded = _load(config)
    settings = _settings(loaded, host, port)
    found: dict[str, Any] = {
        "address": f"{settings.host}:{settings.port}",
        "scripts": [
            {
                "path": str(root.script),
                "packaging": root.packaging,
                "installed": current is not None,
                "current": bool(current),
            }
            for root in installer.find_obs_roots()
            for current in [installer.script_is_current(root)]
        ],
        "plugins": [
            {"path": str(plugin_library(root)), "current": current}
            for root in installer.find_obs_roots()
            for current in [plugin_is_current(root)]
            if current is not None
        ],
    }
    trouble: ObsError | None = None
    try:
        with _connect(settings) as client:
            found |= {"state": "ready"} | _ask_obs(client, settings, loaded)
    except ObsError as error:
        trouble = error
        state = "refused" if isinstance(error, ObsAuthError) else "unreachable"
        found |= {"reachable": False, "state": state, "error": str(error), "trouble": str(error)}
    if as_json:
        _print_json(found)
    else:
        _print_status(found)
    if trouble is not None:
        if not as_json:
            raise trouble
        raise typer.Exit(trouble.exit_code)


@app.command(epilog="Example: vtbridge obs password   (then paste it; it is not shown)")
def password() -> None:
    """Ask for the password of OBS's WebSocket server and keep it.

    It goes into the system's keyring, or into a file that only you can read. OBS shows
    it under Tools > WebSocket Server Settings > Show Connect Info. From a script, pipe
    it in; never pass it as an argument, where every user of this computer can see it.
    """
    from vtbridge.obs.password import store_password

    if sys.stdin.isatty():
        text = typer.prompt("OBS WebSocket password", hide_input=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    typer.echo(f"stored in {store_password(text)}")


def _load(path: Path | None) -> Config:
    from vtbridge.config.load import load_config

    return load_config(path)


def _settings(config: Config, host: str | None, port: int | None) -> ObsSettings:
    changes: dict[str, object] = {}
    if host is not None:
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    return config.obs.model_copy(update=changes)


def _connect(settings: ObsSettings) -> ObsClient:
    from vtbridge.obs.client import ObsClient
    from vtbridge.obs.password import find_password

    client = ObsClient(settings.host, settings.port, find_password(), timeout_s=settings.timeout_s)
    if not client.auth_required:
        typer.secho(
            "OBS asks for no password: anybody in your network can control it. Switch on Tools > "
            "WebSocket Server Settings > Enable Authentication",
            fg=typer.colors.YELLOW,
            err=True,
        )
    return client


def _ask_obs(client: ObsClient, settings: ObsSettings, config: Config) -> dict[str, Any]:
    from dataclasses import asdict

    from vtbridge.obs.client import NOT_FOUND, ObsRefused
    from vtbridge.obs.scene import SHARED_MEMORY_KIND
    from vtbridge.obs.sources import AvatarFeeds, find_avatar_sources

    version = client.request("GetVersion")
    kinds = client.request("GetInputKindList", {"unversioned": True}).get("inputKinds", [])
    answer: dict[str, Any] = {
        "reachable": True,
        "obs_version": version.get("obsVersion"),
        "websocket_version": version.get("obsWebSocketVersion"),
        "auth_required": client.auth_required,
        "script_loaded": SHARED_MEMORY_KIND in kinds,
        "program_scene": client.request("GetCurrentProgramScene").get("currentProgramSceneName"),
        "source": settings.source,
        "source_kind": None,
        "source_active": False,
    }
    publish = config.publish
    feeds = AvatarFeeds(publish.name, publish.media_port if publish.media_enabled else None)
    sources = find_avatar_sources(client, feeds)
    answer["sources"] = [asdict(source) for source in sources]
    answer["shown"] = any(source.shown for source in sources)
    answer["trouble"] = _trouble_of(answer, publish.name)
    try:
        found = client.request("GetInputSettings", {"inputName": settings.source})
    except ObsRefused as refusal:
        if refusal.code != NOT_FOUND:
            raise
        return answer
    active = client.request("GetSourceActive", {"sourceName": settings.source})
    return answer | {
        "source_kind": found.get("inputKind"),
        "source_active": bool(active.get("videoActive")),
    }


def _trouble_of(answer: dict[str, Any], avatar: str) -> str:
    """Return what keeps the avatar from being seen well and the remedy, empty if nothing does."""
    sources = answer["sources"]
    if not sources and not answer["script_loaded"]:
        return f"OBS does not know the vtbridge source: {_ADD_SOURCE}"
    if not sources:
        return f"no source of OBS shows the avatar '{avatar}': vtbridge obs setup"
    if not answer["auth_required"]:
        return (
            "OBS asks for no password: switch on Tools > WebSocket Server Settings > "
            "Enable Authentication"
        )
    return ""


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2))


def _print_status(found: dict[str, Any]) -> None:
    for script in found["scripts"]:
        state = "not installed (`vtbridge obs install`)"
        if script["installed"]:
            state = "up to date" if script["current"] else "outdated (`vtbridge obs install`)"
        typer.echo(f"script    {script['path']}: {state}")
    for plugin in found["plugins"]:
        state = "up to date" if plugin["current"] else "outdated (`vtbridge obs install --plugin`)"
        typer.echo(f"plugin    {plugin['path']}: {state}")
    if not found["reachable"]:
        return
    typer.echo(
        f"OBS       {found['obs_version']} at {found['address']}, "
        f"password {'required' if found['auth_required'] else 'NOT required'}"
    )
    typer.echo(f"loaded    {'yes' if found['script_loaded'] else f'no: {_ADD_SOURCE}'}")
    if found["source_kind"] is None:
        typer.echo(f"source    '{found['source']}': missing (`vtbridge obs setup`)")
    for source in found["sources"]:
        shown = "not shown"
        if source["shown"]:
            shown = "in the program" if source["in_program"] else "shown, not in the program"
        typer.echo(f"source    '{source['name']}': by {source['transport']}, {shown}")
    typer.echo(f"scene     {found['program_scene']}")
    if found["trouble"]:
        typer.secho(f"trouble   {found['trouble']}", fg=typer.colors.YELLOW)
