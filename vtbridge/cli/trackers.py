"""``vtbridge trackers``: who sends, how well, and how to connect one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption, NameOption

if TYPE_CHECKING:
    from rich.console import Console, Group

    from vtbridge.app.tracker_watch import Snapshot, TrackerWatch
    from vtbridge.clock import Clock

_REFRESH_S = 0.25
_JSON_EVERY_S = 0.5
_LISTEN_S = 1.0
"""How long one look lasts where nobody has listened before."""


def trackers(
    config: ConfigOption = None,
    name: NameOption = None,
    once: Annotated[bool, typer.Option("--once", help="Look once and leave.")] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", "-s", min=0.0, help="Stop after this long; else at Ctrl-C."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a look on stdout.")
    ] = False,
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Only tell what to type into each app.")
    ] = False,
) -> None:
    """Show every tracker that sends: rate, jitter, losses, refusals, and its face.

    Asks the running avatar, or listens by itself while none runs. Where the output is no
    terminal it prints one table and leaves.

    [bold]Examples[/bold]

      vtbridge trackers                        live, until Ctrl-C

      vtbridge trackers --addresses            what to type into the app on the phone

      vtbridge trackers --json --seconds 10 | jq '.sources[].fps'
    """
    from rich.console import Console

    from vtbridge.app.tracker_guide import instructions, own_addresses, reach
    from vtbridge.app.tracker_watch import watch_trackers
    from vtbridge.app.trackers_view import guide_view
    from vtbridge.cli.run import with_options
    from vtbridge.clock import MonotonicClock
    from vtbridge.config.load import load_config, user_config_path

    settings = with_options(load_config(config), picture=None, name=name, fps=None)
    own = own_addresses()
    told = instructions(settings.tracking, own)
    reaching = reach(settings.tracking, own, str(config or user_config_path()))
    console = Console(highlight=False)
    guide = guide_view(told, own, reaching)
    if addresses:
        if as_json:
            typer.echo(
                json.dumps(
                    {
                        "addresses": [
                            {
                                "address": a.address,
                                "name": a.name,
                                "reaches_phones": a.reaches_phones,
                            }
                            for a in own
                        ],
                        "instructions": {i.protocol: i.text for i in told},
                    }
                )
            )
        else:
            console.print(guide)
        return
    clock = MonotonicClock()
    with watch_trackers(settings, clock) as watch:
        if as_json:
            _print_json(watch, clock, seconds, once=once)
        elif once or not sys.stdout.isatty():
            _wait(clock, _first_look_s(watch, seconds))
            _print_once(console, watch, guide)
        else:
            _follow(console, watch, clock, seconds, guide)


def _first_look_s(watch: TrackerWatch, seconds: float | None) -> float:
    """Return how long to listen before the one look."""
    from vtbridge.app.tracker_watch import OwnWatch

    if seconds is not None:
        return seconds
    return _LISTEN_S if isinstance(watch, OwnWatch) else 0.0


def _wait(clock: Clock, seconds: float) -> None:
    clock.sleep_until(clock.now_ns() + round(seconds * 1e9))


def _print_json(watch: TrackerWatch, clock: Clock, seconds: float | None, *, once: bool) -> None:
    if once:
        _wait(clock, _first_look_s(watch, seconds))
        typer.echo(json.dumps(watch.snapshot()))
        return
    end_ns = None if seconds is None else clock.now_ns() + round(seconds * 1e9)
    try:
        while True:
            typer.echo(json.dumps(watch.snapshot()))
            sys.stdout.flush()
            if end_ns is not None and clock.now_ns() + _JSON_EVERY_S * 1e9 > end_ns:
                break
            _wait(clock, _JSON_EVERY_S)
    except KeyboardInterrupt:
        return  # the usual end


def _print_once(console: Console, watch: TrackerWatch, guide: Group) -> None:
    snapshot = watch.snapshot()
    console.print(f"Told by {watch.told_by}.", markup=False)
    console.print(_view(console, snapshot))
    console.print()
    console.print(guide)


def _follow(
    console: Console, watch: TrackerWatch, clock: Clock, seconds: float | None, guide: Group
) -> None:
    """Show the sources and the face, or how to connect one while there is none."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    end_ns = None if seconds is None else clock.now_ns() + round(seconds * 1e9)
    told_by = Text(f"Told by {watch.told_by}. Ctrl-C ends.", "dim")

    def view() -> Group:
        snapshot = watch.snapshot()
        below = () if _is_live(snapshot) else (Text(""), guide)
        return Group(told_by, _view(console, snapshot), *below)

    try:
        with Live(view(), console=console, auto_refresh=False) as live:
            while end_ns is None or clock.now_ns() < end_ns:
                _wait(clock, _REFRESH_S)
                live.update(view(), refresh=True)
    except KeyboardInterrupt:
        return  # the usual end
    console.print()


def _is_live(snapshot: Snapshot) -> bool:
    return any(source["state"] == "live" for source in snapshot["sources"])


def _view(console: Console, snapshot: Snapshot) -> Group:
    from rich.console import Group, RenderableType
    from rich.text import Text

    from vtbridge.app.trackers_view import face_view, sources_view, troubles

    parts: list[RenderableType] = [sources_view(snapshot["sources"])]
    if wrong := troubles(snapshot["sources"]):
        parts.append(wrong)
    if snapshot["face"] is not None and _is_live(snapshot):
        ascii_only = console.options.ascii_only
        parts += [
            Text(""),
            face_view(
                snapshot["face"], snapshot["movers"], width=console.width, ascii_only=ascii_only
            ),
        ]
    return Group(*parts)
