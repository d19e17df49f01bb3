"""``vtbridge send``: be a tracker, from a recording or the built-in performance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.tracking.formats import Packing, ProtocolName, TextVersion

if TYPE_CHECKING:
    from vtbridge.datatypes import FaceFrame
    from vtbridge.tracking.recordings.open import Recording
    from vtbridge.tracking.senders.playback import Burst, PlaybackSummary

_LOOPBACK = "127.0.0.1"
_PROGRESS_AFTER_S = 2.0
_USUAL_FPS = 60.0


def send(
    recording: Annotated[
        Path | None,
        typer.Argument(
            help="A recording (.vtbrec, .udpcap, Live Link .csv, each also as .gz); the "
            "built-in performance if left out."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Where to send; this computer, and each protocol's own port.",
        ),
    ] = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            help="What to send the performance as, vmc if left out; of a recording it only "
            "chooses the port, which else each datagram's own protocol does."
        ),
    ] = None,
    packing: Annotated[
        Packing | None,
        typer.Option(
            help="VMC: one bundle a frame, several, or single messages.", show_default="bundle"
        ),
    ] = None,
    text_version: Annotated[
        TextVersion | None,
        typer.Option(help="iFacialMocap: which text format.", show_default="v2"),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=240, help="Frames a second of the performance.", show_default="60"),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0, help="Stop after this long; else at the recording's end, or never (Ctrl-C)."
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=100, help="2 = twice as fast.")] = 1.0,
    loop: Annotated[
        bool, typer.Option("--loop", help="Play the recording again and again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was sent as JSON.")] = False,
) -> None:
    """Send face data like a tracker, to try vtbridge (or any receiver) without one.

    Of a recording the datagrams are sent, bit for bit, and not what webcam or microphone
    saw; a Live Link CSV is sent as Live Link's datagrams. As fmv3 it acts as the phone:
    it begins a stream, waits until that is acknowledged, answers, and also sends to whoever
    asks at its port (49983, where that is free).

    [bold]Examples[/bold]

    vtbridge send                                    the performance as VMC, until Ctrl-C

    vtbridge send --protocol ifacialmocap --seconds 10

    vtbridge send --packing single --to 192.168.1.5:39539

    vtbridge send session.vtbrec --to 192.168.1.5 --speed 2 --loop
    """
    from vtbridge.clock import MonotonicClock
    from vtbridge.tracking.recordings.open import open_recording
    from vtbridge.tracking.senders.fmv3 import Fmv3Phone
    from vtbridge.tracking.senders.phone import play_as_phone
    from vtbridge.tracking.senders.playback import RecordingBursts, bursts_of_performance, play

    refuse_idle_options(
        recording, protocol, packing=packing, text_version=text_version, fps=fps, loop=loop
    )
    fps = fps or _USUAL_FPS
    played: RecordingBursts | None = None
    phone = Fmv3Phone()
    if recording is None:
        protocol = protocol or ProtocolName.VMC
        what = f"the performance as {protocol.value}"
        encode = encoder_of(protocol, packing or Packing.BUNDLE, text_version or TextVersion.V2)
        bursts: Iterable[Burst] = bursts_of_performance(encode, fps)
    else:
        opened = open_recording(recording)
        every_port = protocol is None and ":" not in (to or "")
        protocol = protocol or first_protocol(opened)
        bursts = played = RecordingBursts(
            opened,
            ports=default_ports() if every_port else {},
            loop=loop,
            encode=encoder_of(ProtocolName(opened.faces_are)) if opened.faces_are else None,
        )
        what = recording.name
    is_phone = recording is None and protocol is ProtocolName.FMV3
    address = address_from_option(to, protocol)
    progress = _Progress(f"{what} to {address[0]}", seconds)
    clock, interrupted = MonotonicClock(), False
    try:
        with progress:
            if is_phone:
                play_as_phone(
                    phone,
                    address,
                    clock,
                    fps=fps,
                    speed=speed,
                    seconds=seconds,
                    on_sent=progress.update,
                )
            else:
                play(
                    bursts,
                    address,
                    clock,
                    speed=speed,
                    seconds=seconds,
                    on_sent=progress.update,
                    on_refused=lambda to: progress.warn(nobody_listens(to)),
                )
    except KeyboardInterrupt:
        interrupted = True  # the usual end of an endless performance
    sent = progress.sent
    where = ", ".join(f"{address[0]}:{port}" for port in sent.ports or address[1:])
    left_out = 0 if played is None else played.faces_left_out
    if as_json:
        typer.echo(json.dumps({**asdict(sent), "to": where, "faces_left_out": left_out}))
        return
    typer.echo(
        f"sent {sent.datagrams} datagrams ({sent.bytes / 1024:.0f} KiB) of {what} "
        f"to {where} in {sent.seconds:.1f} s"
        f"{' until interrupted' if interrupted else ''}"
    )
    if is_phone and not phone.sending:
        typer.echo(
            f"nobody at {where} acknowledged the stream, so that no face was sent; does an FMV3 "
            "receiver listen there?",
            err=True,
        )
    if left_out:
        typer.echo(
            f"{left_out} faces of webcam or microphone were not sent: no datagram carried them",
            err=True,
        )


def refuse_idle_options(
    recording: Path | None,
    protocol: ProtocolName | None,
    *,
    packing: Packing | None,
    text_version: TextVersion | None,
    fps: float | None,
    loop: bool,
) -> None:
    """Refuse options that would change nothing; those not given are None or False.

    Raises:
        ConfigError: there is one; the message tells what it is for.
    """
    from vtbridge.errors import ConfigError

    if recording is None:
        if loop:
            raise ConfigError(
                "--loop repeats a recording, and the built-in performance has no end anyway: "
                "name a FILE, or leave --loop out"
            )
        of_protocol = (
            ("--packing", packing, ProtocolName.VMC),
            ("--text-version", text_version, ProtocolName.IFACIALMOCAP),
        )
        sent_as = protocol or ProtocolName.VMC
        for option, value, only in of_protocol:
            if value is not None and sent_as is not only:
                raise ConfigError(
                    f"{option} {value} is for {only}, and {sent_as} is sent: leave it out, or "
                    f"choose --protocol {only}"
                )
        return
    of_performance = {"--packing": packing, "--text-version": text_version, "--fps": fps}
    for option, given in of_performance.items():
        if given is not None:
            raise ConfigError(
                f"{option} is for the built-in performance, and {recording} is sent as it was "
                f"recorded: leave one of them out"
            )


def nobody_listens(address: tuple[str, int]) -> str:
    """Return what a user is told whose datagrams go nowhere."""
    return f"nobody listens at {address[0]}:{address[1]}: is `vtbridge run` on?"


def default_ports() -> dict[str, int]:
    """Return the port of each protocol."""
    from vtbridge.tracking.protocols.table import PROTOCOLS
    from vtbridge.tracking.settings import TrackingSettings

    return {row.name: row.settings(TrackingSettings()).port for row in PROTOCOLS}


def address_from_option(to: str | None, protocol: ProtocolName) -> tuple[str, int]:
    """Return the IPv4 address and port that ``--to`` names.

    Raises:
        ConfigError: it is not HOST, HOST:PORT or :PORT, or the host is unknown.
    """
    import socket

    from vtbridge.errors import ConfigError

    default_port = default_ports()[protocol.value]
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


def first_protocol(recording: Recording) -> ProtocolName:
    """Return what the first datagram of a recording is written in.

    Raises:
        VtbridgeError: it holds no datagram, or one that this vtbridge does not know.
    """
    from vtbridge.errors import VtbridgeError
    from vtbridge.tracking.recordings.session import RecordedDatagram

    name = recording.faces_are
    if name is None:
        records = recording.records()
        name = next((r.protocol for r in records if isinstance(r, RecordedDatagram)), None)
    if name is None:
        raise VtbridgeError(f"{recording.path} holds no datagram; nothing was sent")
    try:
        return ProtocolName(name)
    except ValueError as error:
        raise VtbridgeError(
            f"{recording.path} holds {name!r:.40}, which this vtbridge does not know; name a "
            "port: --to HOST:PORT --protocol vmc"
        ) from error


def encoder_of(
    protocol: ProtocolName,
    packing: Packing = Packing.BUNDLE,
    text_version: TextVersion = TextVersion.V2,
) -> Callable[[FaceFrame], list[bytes]]:
    """Return what writes a face as the datagrams of ``protocol``."""
    from vtbridge.tracking.protocols.table import PROTOCOLS
    from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
    from vtbridge.tracking.senders.vmc import encode_vmc

    if protocol is ProtocolName.VMC:
        return lambda face: encode_vmc(face, packing)
    if protocol is ProtocolName.IFACIALMOCAP:
        return lambda face: [encode_ifacialmocap(face, text_version)]
    return next(row for row in PROTOCOLS if row.name == protocol.value).encoder()


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

    def warn(self, sentence: str) -> None:
        """Tell something without breaking the bar."""
        self._bar.console.print(f"vtbridge: {sentence}", style="yellow", soft_wrap=True)

    def update(self, sent: PlaybackSummary) -> None:
        """Show how far it is."""
        self.sent = sent
        self._bar.update(self._task, completed=sent.seconds, datagrams=sent.datagrams)
