"""``vtbridge calibrate``: take the face, or the voice's vowels, as they are now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from vtbridge.tracking.microphone.recording import VowelRecording
    from vtbridge.tracking.microphone.sound import SoundBlock
    from vtbridge.tracking.microphone.vowels import Separation, Vowel
    from vtbridge.tracking.settings import MicrophoneSettings

_LONGEST_WAIT_S = 20.0
_TOLD_APART = 0.6
_SURE = 0.9
_METER_CELLS = 20
_QUIETEST_DB = -70.0
_VOICE_ABOVE_QUIET_DB = 25.0
_AS_IN = {"A": "father", "I": "see", "U": "food", "E": "bed", "O": "more"}


def calibrate(
    name: Annotated[
        str | None, typer.Argument(help="The avatar.", show_default="from config.toml")
    ] = None,
    config: ConfigOption = None,
    vowels: Annotated[
        bool, typer.Option("--vowels", help="Learn the five vowels of your voice instead.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="With --vowels: number or name of the microphone.",
            show_default="from config.toml",
        ),
    ] = None,
    wav: Annotated[
        list[str] | None,
        typer.Option(
            "--wav",
            metavar="VOWEL=FILE",
            help="With --vowels: a recording instead of the microphone; five times.",
        ),
    ] = None,
) -> None:
    """Take your face as it is for the next second as the neutral one.

    Look straight ahead, relaxed, mouth closed. The same happens on the page's button,
    on c and Enter in the daemon's terminal, and on OSC /vtbridge/calibrate.

    With [bold]--vowels[/bold], say A, I, U, E and O when asked and hold each for two
    seconds; the microphone then tells them apart where config.toml says
    [bold]shapes = "vowels"[/bold].

    [bold]Examples[/bold]

      vtbridge calibrate

      vtbridge calibrate stream                the avatar that runs as "stream"

      vtbridge calibrate --vowels              with the microphone of your config.toml

      vtbridge calibrate --vowels --wav a=a.wav --wav i=i.wav ...    from recordings
    """
    if vowels:
        _learn_vowels(config, device, wav or [])
        return
    if device is not None or wav:
        raise typer.BadParameter("--device and --wav belong to --vowels")
    _take_neutral_face(name, config)


def _take_neutral_face(name: str | None, config: Path | None) -> None:
    """Ask the daemon that runs here to calibrate."""
    from vtbridge.config.load import load_config
    from vtbridge.control.ask import address_of, order

    name = name or load_config(config).publish.name
    order(name, address_of(name), "calibrate")
    typer.echo("hold still for a second")


def _learn_vowels(config: Path | None, device: str | None, wavs: list[str]) -> None:
    """Listen to the five vowels, tell how well they are told apart, and keep them."""
    from rich.console import Console

    from vtbridge.app.vowel_file import save_vowels
    from vtbridge.config.load import load_config
    from vtbridge.errors import VtbridgeError
    from vtbridge.tracking.microphone.vowels import VowelProfile, separation

    settings = load_config(config).tracking.microphone
    console = Console(stderr=True, highlight=False)
    if wavs:
        recordings = _vowels_of_files(wavs, settings)
    else:
        recordings = _vowels_of_microphone(device, settings, console)
    samples = {vowel: recording.coefficients for vowel, recording in recordings.items()}
    profile = VowelProfile.from_samples(samples)
    found = separation(samples)
    if found.recognised < _TOLD_APART:
        raise VtbridgeError(
            f"these do not sound like five vowels: {found.recognised:.0%} can be told apart; "
            "nothing was saved. Say them again, in the order asked for, more distinctly"
        )
    path = save_vowels(profile)
    _tell_separation(found, console)
    _tell_settings(recordings, settings, console)
    typer.echo(f"your vowels are saved in {path}; `vtbridge run` uses them from its next start")


def _vowels_of_files(wavs: list[str], settings: MicrophoneSettings) -> dict[Vowel, VowelRecording]:
    from vtbridge.tracking.microphone.loudness import LoudnessMouth
    from vtbridge.tracking.microphone.recording import VowelRecording
    from vtbridge.tracking.microphone.sound import SoundBlock
    from vtbridge.tracking.microphone.sound_file import blocks_of_file
    from vtbridge.tracking.microphone.vowels import Vowel

    files: dict[Vowel, Path] = {}
    for wav in wavs:
        letter, _, file = wav.partition("=")
        if letter.upper() not in Vowel.__members__ or not file:
            raise typer.BadParameter(f"--wav {wav}: write it as a=FILE, i=FILE, u=, e= or o=")
        files[Vowel[letter.upper()]] = Path(file)
    if missing := [vowel.name for vowel in Vowel if vowel not in files]:
        raise typer.BadParameter(f"--wav is missing for {', '.join(missing)}")
    recordings = {}
    for vowel in Vowel:
        recording = VowelRecording(LoudnessMouth(settings))
        for samples in blocks_of_file(files[vowel]):
            recording.hear(SoundBlock(samples, 0))
        recordings[vowel] = recording
    return recordings


def _vowels_of_microphone(
    device: str | None, settings: MicrophoneSettings, console: Console
) -> dict[Vowel, VowelRecording]:
    import threading

    from vtbridge.clock import MonotonicClock
    from vtbridge.tracking.microphone.portaudio import recorded

    chosen = settings.device if device is None else int(device) if device.isdigit() else device
    blocks = recorded(
        chosen,
        MonotonicClock(),
        threading.Event(),
        lambda name: console.print(f"listening to {name}", markup=False),
    )
    return listen_to_vowels(blocks, settings, console)


def listen_to_vowels(
    blocks: Iterator[SoundBlock], settings: MicrophoneSettings, console: Console
) -> dict[Vowel, VowelRecording]:
    """Ask for the five vowels one after the other and listen until each has been heard.

    Raises:
        VtbridgeError: a vowel did not come, or ``blocks`` raised.
    """
    from rich.progress import BarColumn, Progress, TextColumn

    from vtbridge.clock import NS_PER_S
    from vtbridge.errors import VtbridgeError
    from vtbridge.tracking.microphone.loudness import LoudnessMouth
    from vtbridge.tracking.microphone.recording import VOWEL_HEARD_S, VowelRecording
    from vtbridge.tracking.microphone.vowels import Vowel

    mouth = LoudnessMouth(settings)
    recordings = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("[cyan]{task.fields[meter]}[/cyan]"),
    )
    with Progress(*columns, console=console) as progress:
        for vowel in Vowel:
            asked = f"hold [bold]{vowel.name}[/bold] as in {_AS_IN[vowel.name]:<7}"
            task = progress.add_task(asked, total=VOWEL_HEARD_S, meter="")
            recording = VowelRecording(mouth, after_pause=True)
            started_ns: int | None = None
            for block in blocks:
                recording.hear(block)
                progress.update(
                    task, completed=recording.heard_s, meter=level_meter(recording.level_db)
                )
                if recording.heard_s >= VOWEL_HEARD_S:
                    break
                started_ns = block.t_ns if started_ns is None else started_ns
                if block.t_ns - started_ns > _LONGEST_WAIT_S * NS_PER_S:
                    raise VtbridgeError(
                        f"no {vowel.name} was heard for {_LONGEST_WAIT_S:.0f} s, only "
                        f"{recording.level_db:.0f} dB; is this the right microphone (--device), "
                        "unmuted? Below tracking.microphone.quiet_db all is silence"
                    )
            recordings[vowel] = recording
    return recordings


def level_meter(level_db: float) -> str:
    """Return loudness as a bar of fixed width with its number."""
    share = min(max(1.0 - level_db / _QUIETEST_DB, 0.0), 1.0)
    cells = round(share * _METER_CELLS)
    return "▮" * cells + "▯" * (_METER_CELLS - cells) + f" {max(level_db, -99.0):4.0f} dB"


def _tell_separation(found: Separation, console: Console) -> None:
    console.print(f"told apart: {found.recognised:.0%}")
    for pair in found.confusions[:3]:
        console.print(
            f"  {pair.first.name} and {pair.second.name} sound alike {pair.share:.0%} of the time"
        )
    if found.recognised < _SURE:
        console.print("  say those more distinctly and calibrate again for a steadier mouth")


def _tell_settings(
    recordings: Mapping[Vowel, VowelRecording], settings: MicrophoneSettings, console: Console
) -> None:
    """Name what in config.toml does not fit this voice yet."""
    from vtbridge.tracking.settings import MouthShapes

    hints = []
    if not settings.enabled:
        hints.append("enabled = true")
    if settings.shapes is not MouthShapes.VOWELS:
        hints.append('shapes = "vowels"')
    voice_db = round(sum(one.voice_db for one in recordings.values()) / len(recordings))
    if voice_db < (settings.quiet_db + settings.loud_db) / 2:
        hints.append(f"loud_db = {voice_db}")
        if voice_db - settings.quiet_db < _VOICE_ABOVE_QUIET_DB:
            hints.append(f"quiet_db = {voice_db - _VOICE_ABOVE_QUIET_DB:g}")
    if hints:
        console.print("for your voice, set in config.toml:", markup=False)
        console.print("  [tracking.microphone]", markup=False)
        for hint in hints:
            console.print(f"  {hint}", markup=False)
