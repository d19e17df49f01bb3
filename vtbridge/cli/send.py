"""``vtbridge send``: be a tracker, from a capture or the built-in performance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.tracking.formats import Packing, ProtocolName, TextVersion

if TYPE_CHECKING:
    from vtbridge.tracking.senders.playback import Burst, PlaybackSummary

_LOOPBACK = "127.0.0.1"
_PROGRESS_AFTER_S = 2.0


def send(
    capture: Annotated[
        Path | None,
        typer.Argument(help="A .udpcap capture; the built-in performance if left out."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]", help="Where to send; this computer and the protocol's own port."
        ),
    ] = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            help="What to send the performance as, vmc if left out; of a capture it only "
            "chooses the port, which else its first datagram does."
        ),
    ] = None,
    packing: Annotated[
        Packing, typer.Option(help="VMC: one bundle a frame, several, or single messages.")
    ] = Packing.BUNDLE,
    text_version: Annotated[
        TextVersion, typer.Option(help="iFacialMocap: which text format.")
    ] = TextVersion.V2,
    fps: Annotated[
        float, typer.Option(min=1, max=240, help="Frames a second of the performance.")
    ] = 60.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0, help="Stop after this long; else at the capture's end, or never (Ctrl-C)."
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=100, help="2 = twice as fast.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play the capture again and again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was sent as JSON.")] = False,
) -> None:
    """Send face data like a tracker, to try vtbridge (or any receiver) without one.

    [bold]Examples[/bold]

    vtbridge send                                    the performance as VMC, until Ctrl-C

    vtbridge send --protocol ifacialmocap --seconds 10

    vtbridge send --packing single --to 192.168.1.5:39539

    vtbridge send session.udpcap --to 127.0.0.1:39539 --speed 2 --loop
    """
    from vtbridge.clock import MonotonicClock
    from vtbridge.tracking.senders.playback import bursts_of_capture, play

    found = ProtocolName.VMC if capture is None else protocol_of_capture(capture)
    protocol = protocol or found
    address = address_from_option(to, protocol)
    bursts: Iterator[Burst]
    if capture is None:
        bursts = _bursts_of_performance(protocol, packing, text_version, fps)
        what = f"the performance as {protocol.value}"
    else:
        bursts = bursts_of_capture(capture, loop=loop)
        what = capture.name
    progress = _Progress(f"{what} to {address[0]}:{address[1]}", seconds)
    interrupted = False
    try:
        with progress:
            play(
                bursts,
                address,
                MonotonicClock(),
                speed=speed,
                seconds=seconds,
                on_sent=progress.update,
            )
    except KeyboardInterrupt:
        interrupted = True  # the usual end of an endless performance
    sent = progress.sent
    if as_json:
        typer.echo(json.dumps({**asdict(sent), "to": f"{address[0]}:{address[1]}"}))
        return
    typer.echo(
        f"sent {sent.datagrams} datagrams ({sent.bytes / 1024:.0f} KiB) of {what} "
        f"to {address[0]}:{address[1]} in {sent.seconds:.1f} s"
        f"{' until interrupted' if interrupted else ''}"
    )


def address_from_option(to: str | None, protocol: ProtocolName) -> tuple[str, int]:
    """Return the IPv4 address and port that ``--to`` names.

    Raises:
        ConfigError: it is not HOST, HOST:PORT or :PORT, or the host is unknown.
    """
    import socket

    from vtbridge.errors import ConfigError
    from vtbridge.tracking.protocols.table import PROTOCOLS
    from vtbridge.tracking.settings import TrackingSettings

    default_port = next(
        row.settings(TrackingSettings()).port for row in PROTOCOLS if row.name == protocol.value
    )
    host, colon, port_text = (to or _LOOPBACK).partition(":")
    port = int(port_text) if port_text.isascii() and port_text.isdigit() else 0
    if not colon:
        port = default_port
    if not 1 <= port <= 65535:
        raise ConfigError(f"--to {to}: expected HOST or HOST:PORT with a port of 1 to 65535")
    try:
        found = socket.getaddrinfo(host or _LOOPBACK, port, socket.AF_INET, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--to {to}: no IPv4 address is known for {host!r} ({error})") from error
    address = found[0][4]
    return str(address[0]), int(address[1])


def protocol_of_capture(capture: Path) -> ProtocolName:
    """Return what the first datagram of a capture is written in.

    Raises:
        ConfigError: the file is not there or cannot be read.
        PacketError: it is no capture.
        VtbridgeError: it holds no datagram.
    """
    from vtbridge.errors import ConfigError, VtbridgeError
    from vtbridge.tracking.recordings.udpcap import iter_capture

    try:
        if capture.exists() and not (capture.is_file() or capture.is_dir()):
            raise ConfigError(f"{capture} is no file; name a .udpcap capture")
        first = next(iter_capture(capture), None)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no capture {capture}; leave it out to send the performance"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the capture {capture} cannot be read: {error.strerror}; check the file and its "
            "permissions"
        ) from error
    if first is None:
        raise VtbridgeError(f"{capture} holds no datagram; nothing was sent")
    is_osc = first.data.startswith((b"#bundle", b"/"))
    return ProtocolName.VMC if is_osc else ProtocolName.IFACIALMOCAP


def _bursts_of_performance(
    protocol: ProtocolName, packing: Packing, text_version: TextVersion, fps: float
) -> Iterator[Burst]:
    from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
    from vtbridge.tracking.senders.playback import bursts_of_performance
    from vtbridge.tracking.senders.vmc import encode_vmc

    if protocol is ProtocolName.VMC:
        return bursts_of_performance(lambda face: encode_vmc(face, packing), fps)
    return bursts_of_performance(lambda face: [encode_ifacialmocap(face, text_version)], fps)


class _Progress:
    """A bar on stderr for whatever takes over two seconds; also keeps the last summary."""

    def __init__(self, what: str, seconds: float | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        from vtbridge.tracking.senders.playback import PlaybackSummary

        self.sent = PlaybackSummary(0, 0, 0, 0.0)
        self._seconds = seconds
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[datagrams]} datagrams"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=seconds is not None and seconds < _PROGRESS_AFTER_S,
        )
        self._task = self._bar.add_task(f"sending {what}", total=seconds, datagrams=0)

    def __enter__(self) -> None:
        self._bar.start()

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def update(self, sent: PlaybackSummary) -> None:
        """Show how far it is."""
        self.sent = sent
        self._bar.update(self._task, completed=sent.seconds, datagrams=sent.datagrams)
