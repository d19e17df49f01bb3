"""A sound file in place of a microphone: the same blocks, at their own pace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.sound import (
    BLOCK_SAMPLES,
    SAMPLE_RATE,
    BlockCutter,
    SoundBlock,
)

_BLOCK_NS = NS_PER_S * BLOCK_SAMPLES // SAMPLE_RATE
_LATEST_NS = NS_PER_S // 2


def is_sound_file(device: int | str) -> bool:
    """Return whether ``device`` of the settings means a file instead of a microphone."""
    if isinstance(device, int) or not device:
        return False
    return device.lower().endswith(".wav") or Path(device).is_file()


def read_sound(path: Path) -> Iterator[F32Array]:
    """Yield the sound of ``path`` in pieces, float32 [N], mono at ``SAMPLE_RATE``.

    Reads what FFmpeg reads: .wav, .flac, .mp3, the sound of a video.

    Raises:
        VtbridgeError: there is no such file, or no sound in it.
    """
    import av

    try:
        # Through an open file FFmpeg cannot take the name for an address.
        with path.open("rb") as file, av.open(file, mode="r") as container:
            if not container.streams.audio:
                raise VtbridgeError(f"{path} holds no sound; choose another file")
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
            for frame in container.decode(container.streams.audio[0]):
                for resampled in resampler.resample(frame):
                    yield resampled.to_ndarray()[0]
            for resampled in resampler.resample(None):
                yield resampled.to_ndarray()[0]
    except (OSError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VtbridgeError(
            f"{path} cannot be read as sound ({reason}); check the path, or save it as .wav"
        ) from error


def blocks_of_file(path: Path) -> Iterator[F32Array]:
    """Yield float32 [BLOCK_SAMPLES] from start to end; raises as ``read_sound`` does."""
    cutter = BlockCutter()
    for piece in read_sound(path):
        yield from cutter.cut(piece)


def played(path: Path, clock: Clock, stopping: threading.Event) -> Iterator[SoundBlock]:
    """Yield the blocks of ``path`` when they are due, again and again, until ``stopping``.

    Raises:
        VtbridgeError: it cannot be read, or is shorter than a block.
    """
    due_ns = clock.now_ns()
    while True:
        empty = True
        for samples in blocks_of_file(path):
            empty = False
            due_ns = max(due_ns + _BLOCK_NS, clock.now_ns() - _LATEST_NS)
            clock.sleep_until(due_ns)
            if stopping.is_set():
                return
            yield SoundBlock(samples, clock.now_ns())
        if empty:
            raise VtbridgeError(f"{path} holds no sound; choose another file")
