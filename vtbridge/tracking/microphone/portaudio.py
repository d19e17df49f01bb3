"""A microphone of this computer, through PortAudio."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.sound import SAMPLE_RATE, BlockCutter, SoundBlock

_BLOCKS_A_SECOND = 50
_MOST_CHANNELS = 2
_WAITING_BLOCKS = 25
"""Half a second; a listener that falls further behind hears the newest."""
_GONE_AFTER_NS = 2 * NS_PER_S
_WAKE_S = 0.2


def recorded(
    device: int | str,
    clock: Clock,
    stopping: threading.Event,
    on_open: Callable[[str], object] = lambda name: None,
    on_overflow: Callable[[], object] = lambda: None,
) -> Iterator[SoundBlock]:
    """Yield what the microphone hears until ``stopping``.

    Args:
        device: number or part of the name; "" = the system's default.
        clock: the time of arrival.
        stopping: ends the generator.
        on_open: told the microphone's full name.
        on_overflow: told each time sound was lost.

    Raises:
        VtbridgeError: PortAudio is missing or does not start, there is no such microphone,
            it is taken, or it fell silent; the message tells the remedy.
    """
    sounddevice = _sounddevice()
    pieces: queue.Queue[tuple[F32Array, int]] = queue.Queue(_WAITING_BLOCKS)

    def arrived(samples: F32Array, frames: int, time: object, status: Any) -> None:
        if status.input_overflow:
            on_overflow()
        # As loud as FFmpeg mixes a file: a voice in one channel loses 3 dB, in both it gains 3.
        piece = samples.sum(axis=1) / math.sqrt(samples.shape[1]), clock.now_ns()
        try:
            pieces.put_nowait(piece)
        except queue.Full:
            on_overflow()
            with suppress(queue.Empty):
                pieces.get_nowait()
            with suppress(queue.Full):
                pieces.put_nowait(piece)

    try:
        facts = sounddevice.query_devices(None if device == "" else device, "input")
        rate = round(facts["default_samplerate"])
        stream = sounddevice.InputStream(
            samplerate=rate,
            blocksize=rate // _BLOCKS_A_SECOND,
            device=facts["index"],
            channels=min(facts["max_input_channels"], _MOST_CHANNELS),
            dtype="float32",
            latency="low",  # a mouth that lags is worse than one that misses a block
            callback=arrived,
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise VtbridgeError(_no_microphone(sounddevice, device, error)) from error
    on_open(facts["name"])
    to_blocks = _Resampler(rate)
    cutter = BlockCutter()
    last_ns = clock.now_ns()
    try:
        with stream:
            while not stopping.is_set():
                try:
                    samples, last_ns = pieces.get(timeout=_WAKE_S)
                except queue.Empty:
                    if clock.now_ns() - last_ns > _GONE_AFTER_NS:
                        raise VtbridgeError(
                            f"the microphone {facts['name']!r} gives no sound any more; "
                            "is it still plugged in?"
                        ) from None
                    continue
                for block in cutter.cut(to_blocks.resampled(samples)):
                    yield SoundBlock(block, last_ns)
    except sounddevice.PortAudioError as error:
        raise VtbridgeError(_no_microphone(sounddevice, device, error)) from error


@dataclass(frozen=True, slots=True)
class Microphone:
    """One device that PortAudio can record from.

    Attributes:
        number: what PortAudio counts it as; changes when devices come and go.
        name: what the system calls it.
        is_default: True for the system's choice.
    """

    number: int
    name: str
    is_default: bool


def microphones() -> list[Microphone]:
    """Return every microphone that is plugged in.

    Raises:
        VtbridgeError: PortAudio is missing or does not start.
    """
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    try:
        devices = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise _no_start(error) from error
    return [
        Microphone(facts["index"], facts["name"], facts["index"] == default)
        for facts in devices
        if facts["max_input_channels"]
    ]


class _Resampler:
    """Bring pieces of sound from the device's rate to ``SAMPLE_RATE``."""

    def __init__(self, rate: int) -> None:
        import av

        self._rate = rate
        self._frame = av.AudioFrame
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)

    def resampled(self, samples: F32Array) -> F32Array:
        """Return what float32 [N] makes ready, float32 [M]."""
        if self._rate == SAMPLE_RATE:
            return samples
        frame = self._frame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = self._rate
        pieces: list[F32Array] = [
            resampled.to_ndarray()[0] for resampled in self._resampler.resample(frame)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _sounddevice() -> ModuleType:
    """Return sounddevice with a fresh look at what is plugged in.

    Raises:
        VtbridgeError: the PortAudio library is missing, or does not start.
    """
    try:
        import sounddevice
    except OSError as error:
        raise VtbridgeError(
            f"the microphone needs PortAudio ({error}); "
            "on Debian or Ubuntu: sudo apt-get install libportaudio2"
        ) from error
    except Exception as error:
        # The import starts PortAudio, but does not leave the class of its errors behind.
        if type(error).__name__ != "PortAudioError":
            raise
        raise _no_start(error) from error
    # PortAudio lists devices once, when it starts; this is how sounddevice starts it anew.
    with suppress(sounddevice.PortAudioError):  # it did not start the last time
        sounddevice._terminate()
    try:
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise _no_start(error) from error
    module: ModuleType = sounddevice
    return module


def _no_start(error: Exception) -> VtbridgeError:
    return VtbridgeError(
        f"PortAudio does not start ({error}); is a sound server running, and may this program "
        "use it?"
    )


def _no_microphone(sounddevice: ModuleType, device: int | str, error: Exception) -> str:
    names = _names(sounddevice)
    wanted = "the system's default microphone" if device == "" else f"the microphone {device!r}"
    remedy = (
        f"set tracking.microphone.device to one of: {', '.join(names)}"
        if names
        else "no microphone is plugged in, or this program may not use it"
    )
    return f"{wanted} cannot be opened ({error}); {remedy}"


def _names(sounddevice: ModuleType) -> list[str]:
    """Return what the microphones are called, as far as PortAudio can tell."""
    try:
        devices = sounddevice.query_devices()
    except (sounddevice.PortAudioError, ValueError):
        return []
    return sorted({facts["name"] for facts in devices if facts["max_input_channels"]})
