"""A writer of known frames: patches, soft edges and a counter at the top and the bottom.

Run as ``python -m tests.support.pattern NAME``; it prints ``ready`` after the first frame.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import Frame, FrameFlag, U8Array

REPOSITORY = Path(__file__).parents[2]
SIDE = 512
COUNTER_BITS = 24
CELL = 16
REPEATED_AFTER = 24
"""Different frames of a writer without a pause."""

BODY = slice(CELL, SIDE - CELL)
"""Rows without the counters."""

PATCHES = (
    (255, 0, 0, 255),
    (0, 255, 0, 128),
    (0, 0, 255, 64),
    (255, 255, 255, 0),
    (200, 100, 50, 192),
    (255, 255, 255, 128),
    (0, 0, 0, 128),
    (12, 34, 56, 255),
)
"""Straight-alpha colours of the row of patches."""


def patch_centre(index: int) -> tuple[int, int]:
    """Return row and column in the middle of a patch."""
    return 96, 64 * index + 32


@functools.cache
def straight_body() -> U8Array:
    """Return the picture without counters, uint8 [512, 512, 4], straight alpha."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    colour = np.stack([x // 2, y // 2, 255 - x // 2], -1)
    distance = np.hypot(x - 256, y - 320)
    alpha = np.clip((150 - distance) / 90, 0, 1) * 255
    picture: U8Array = np.rint(np.concatenate([colour, alpha[..., None]], -1)).astype(np.uint8)
    picture[64:128] = 0
    for index, patch in enumerate(PATCHES):
        picture[64:128, 64 * index : 64 * (index + 1)] = patch
    return picture


def premultiply(straight: U8Array) -> U8Array:
    """Return uint8 [H, W, 4] with premultiplied alpha."""
    result = straight.astype(np.float64)
    result[..., :3] *= result[..., 3:] / 255
    premultiplied: U8Array = np.rint(result).astype(np.uint8)
    return premultiplied


def unpremultiply(premultiplied: U8Array) -> U8Array:
    """Return uint8 [H, W, 4] with straight alpha, black where nothing is."""
    result = premultiplied.astype(np.float64)
    result[..., :3] *= 255 / np.maximum(result[..., 3:], 1)
    straight: U8Array = np.rint(np.minimum(result, 255)).astype(np.uint8)
    return straight


def frame_pixels(number: int) -> U8Array:
    """Return the premultiplied frame that shows ``number`` twice."""
    picture = _premultiplied_body().copy()
    for top in (0, SIDE - CELL):
        for bit in range(COUNTER_BITS):
            value = 255 if number >> bit & 1 else 0
            picture[top : top + CELL, bit * CELL : (bit + 1) * CELL] = (value, value, value, 255)
    return picture


@functools.cache
def _premultiplied_body() -> U8Array:
    return premultiply(straight_body())


def counters(shown: U8Array) -> tuple[int, int]:
    """Read the number at the top and at the bottom of the 512 rows of ``shown``."""
    return _counter(shown, CELL // 2), _counter(shown, SIDE - CELL // 2)


def _counter(shown: U8Array, row: int) -> int:
    # Blue: in the scenes' background it is dark, so a scene without the avatar reads as 0.
    blue = shown[row, CELL // 2 : COUNTER_BITS * CELL : CELL, 2]
    return sum(1 << bit for bit in range(COUNTER_BITS) if blue[bit] > 127)


def over(premultiplied: U8Array, background: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return float64 [H, W, 3]: the picture over ``background``, as browsers composite."""
    picture = premultiplied.astype(np.float64)
    behind = np.array(background, np.float64)
    composed: NDArray[np.float64] = picture[..., :3] + behind * (1 - picture[..., 3:] / 255)
    return composed


@contextlib.contextmanager
def writing(name: str, *, fps: float = 30.0, slots: int = 4) -> Iterator[subprocess.Popen[str]]:
    """Run a writer process for the avatar ``name``; it is ended at the latest with the block.

    With ``fps`` 0 it writes without a pause, and its numbers repeat.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.pattern", name, f"--fps={fps}", f"--slots={slots}"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda out: lines.put(out.readline()), args=(process.stdout,))
    reader.start()
    try:
        if lines.get(timeout=30).strip() != "ready":
            raise RuntimeError(f"the writer of {name} ended with {process.wait(5)}")
        yield process
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.communicate("", timeout=10)  # its standard input ends: it closes and leaves
        reader.join(5)


@contextlib.contextmanager
def showing(name: str, number: int) -> Iterator[None]:
    """Publish one frame, and keep its avatar alive until the block ends."""
    from vtbridge.publish.vtbf import FrameWriter

    ended = threading.Event()
    with FrameWriter.open(name) as writer:

        def beat() -> None:
            while not ended.wait(0.1):
                writer.write(Frame(frame_pixels(number), time.monotonic_ns()))

        thread = threading.Thread(target=beat)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(5)


def main() -> None:
    """Write frames until the standard input ends."""
    from vtbridge.publish.vtbf import FrameWriter

    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args()
    pause_s = 1 / options.fps if options.fps else 0.0
    pictures = functools.lru_cache(maxsize=None if pause_s == 0 else 1)(frame_pixels)
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    with FrameWriter.open(options.name, slot_count=options.slots) as writer:
        number = 0
        while not ended.wait(pause_s) if pause_s else not ended.is_set():
            number = number % REPEATED_AFTER + 1 if pause_s == 0 else number + 1
            writer.write(Frame(pictures(number), time.monotonic_ns(), FrameFlag.NONE))
            if number == 1:
                sys.stdout.write("ready\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
