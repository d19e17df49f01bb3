"""``vtbridge trackers``: who sends, how well, and how to connect one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption, NameOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from vtbridge.app.tracker_guide import Instruction, OwnAddress
    from vtbridge.app.tracker_watch import TrackerWatch
    from vtbridge.clock import Clock

_REFRESH_S = 0.25
_JSON_EVERY_S = 0.5
_LOOK_AGAIN_S = 0.1
_SHORTEST_LOOK_S = 1.0
"""What the rate of a source takes to be known."""
_LONGEST_LOOK_S = 5.0
"""What a webcam takes to open and its networks to load."""


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
    devices: Annotated[
        bool,
        typer.Option("--devices", help="Only list webcams and microphones, for config.toml."),
    ] = False,
) -> None:
    """Show every tracker that sends: rate, jitter, losses, refusals, and its face.

    Asks the running avatar, or listens by itself while none runs; then it makes room for
    the avatar as soon as that starts. Where the output is no terminal it prints one table
    and leaves.

    [bold]Examples[/bold]

      vtbridge trackers                        live, until Ctrl-C

      vtbridge trackers --addresses            what to type into the app on the phone

      vtbridge trackers --devices              what config.toml calls webcam and microphone

      vtbridge trackers --json --seconds 10 | jq '.sources[].fps'
    """
    if devices:
        _print_devices(as_json=as_json)
        return
    if not as_json and not addresses:
        typer.echo("listening ...", err=True)  # what follows is slow to load

    from rich.console import Console

    from vtbridge.app.tracker_guide import instructions, own_addresses, reach
    from vtbridge.app.tracker_watch import TrackerWatch
    from vtbridge.app.trackers_view import brief_guide_view, guide_view
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
            typer.echo(json.dumps(_plain_guide(told, own)))
        else:
            console.print(guide)
        return
    clock = MonotonicClock()
    with TrackerWatch(settings, clock) as watch:
        if as_json:
            _print_json(watch, clock, seconds, once=once)
        elif once or not sys.stdout.isatty():
            _listen(watch, clock, seconds)
            _print_once(console, watch, guide)
        else:
            _follow(console, watch, clock, seconds, brief_guide_view(told, reaching))


def _plain_guide(told: Sequence[Instruction], own: Sequence[OwnAddress]) -> dict[str, object]:
    return {
        "addresses": [
            {"address": a.address, "name": a.name, "reaches_phones": a.reaches_phones} for a in own
        ],
        "instructions": {i.protocol: i.text for i in told},
    }


def _print_devices(*, as_json: bool) -> None:
    """Print each webcam and microphone with the line that chooses it; absence is told."""
    from rich.console import Console

    from vtbridge.app.devices import Device, list_microphones, list_webcams, plain_device
    from vtbridge.app.trackers_view import devices_view
    from vtbridge.errors import VtbridgeError

    webcams = list_webcams()
    microphones: list[Device] = []
    trouble = None
    try:
        microphones = list_microphones()
    except VtbridgeError as error:
        trouble = str(error)
    if as_json:
        plain = {
            "webcams": [plain_device(device) for device in webcams],
            "microphones": [plain_device(device) for device in microphones],
            "trouble": trouble,
        }
        typer.echo(json.dumps(plain))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(devices_view("webcam", webcams))
    console.print()
    console.print(devices_view("microphone", microphones, trouble))


def _listen(watch: TrackerWatch, clock: Clock, seconds: float | None) -> None:
    """Wait for ``seconds``, or until our own inputs have had the time to hear everyone."""
    if seconds is None and not watch.listening:
        return  # the avatar has listened all the time
    start_ns = clock.now_ns()
    least_s = _SHORTEST_LOOK_S if seconds is None else seconds
    most_s = _LONGEST_LOOK_S if seconds is None else seconds
    while (lasted_s := (clock.now_ns() - start_ns) / 1e9) < most_s:
        sources = watch.snapshot()["sources"]  # which also makes room for an avatar
        if lasted_s >= least_s and all(source["state"] != "waiting" for source in sources):
            return
        _wait(clock, min(_LOOK_AGAIN_S, most_s - lasted_s))


def _wait(clock: Clock, seconds: float) -> None:
    clock.sleep_until(clock.now_ns() + round(seconds * 1e9))


def _print_json(watch: TrackerWatch, clock: Clock, seconds: float | None, *, once: bool) -> None:
    if once:
        _listen(watch, clock, seconds)
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


def _print_once(console: Console, watch: TrackerWatch, guide: RenderableType) -> None:
    from vtbridge.app.trackers_view import sources_view, troubles

    snapshot = watch.snapshot()
    console.print(watch.told_by, markup=False)
    console.print(sources_view(snapshot["sources"]))
    if wrong := troubles(snapshot["sources"]):
        console.print(wrong)
    console.print()
    console.print(guide)


def _follow(
    console: Console,
    watch: TrackerWatch,
    clock: Clock,
    seconds: float | None,
    guide: RenderableType,
) -> None:
    """Show the sources and the face, or how to connect one while there is none."""
    from rich.console import Group
    from rich.live import Live

    from vtbridge.app.trackers_view import live_screen

    end_ns = None if seconds is None else clock.now_ns() + round(seconds * 1e9)

    def screen() -> Group:
        snapshot = watch.snapshot()
        return live_screen(snapshot, f"{watch.told_by} Ctrl-C ends.", guide, console)

    try:
        with Live(screen(), console=console, auto_refresh=False) as live:
            while end_ns is None or clock.now_ns() < end_ns:
                _wait(clock, _REFRESH_S)
                live.update(screen(), refresh=True)
    except KeyboardInterrupt:
        return  # the usual end
    console.print()
