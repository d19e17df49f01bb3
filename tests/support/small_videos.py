"""Small videos made on the spot: flat grey pictures, which tell their index by brightness."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vtbridge.datatypes import U8Array

SIDE_W, SIDE_H = 96, 64
GREY_STEP = 10


def grey_picture(index: int, *, width: int = SIDE_W, height: int = SIDE_H) -> U8Array:
    """Return the picture number ``index``."""
    return np.full((height, width, 3), 20 + GREY_STEP * index, np.uint8)


def grey_index(rgb: U8Array) -> int:
    """Return which ``grey_picture`` this is after coding and decoding."""
    return round((float(np.median(rgb)) - 20) / GREY_STEP)


def write_video(
    path: Path,
    pictures: list[U8Array],
    *,
    times: list[float] | None = None,
    fps: int = 25,
    with_sound: bool = False,
) -> Path:
    """Code ``pictures`` as MPEG-4 and return ``path``; ``times`` makes the rate uneven."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=fps)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.bit_rate = 4_000_000
        video.codec_context.time_base = Fraction(1, 1000)
        if with_sound:
            sound = container.add_stream("aac", rate=16_000)
            block = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
            block.sample_rate = 16_000
            block.pts = 0
            container.mux(sound.encode(block))
            container.mux(sound.encode(None))
        for index, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            seconds = times[index] if times is not None else index / fps
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """Write half a second of silence and return ``path``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000)
        silence = np.zeros((1, 8000), np.int16)
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn_clockwise(path: Path) -> None:
    """Mark an mp4 as a phone does that was held upright: to be turned right when shown."""
    content = bytearray(path.read_bytes())
    # The display matrix of ISO 14496-12's track header, version 0, 40 bytes after its name.
    matrix = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    turned = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    content[matrix : matrix + len(turned)] = turned
    path.write_bytes(content)
