"""Pictures made for the tests: PNG files of any kind, and silhouettes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.datatypes import Picture, U8Array

PngWriter = Callable[..., Path]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png_bytes(
    rows: NDArray[np.uint8], *, size: tuple[int, int], depth: int, colour: int, extra: bytes = b""
) -> bytes:
    """Return a PNG whose packed rows are ``rows`` [H, bytes a row]."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    filtered = b"".join(b"\0" + row.tobytes() for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(filtered, 1))
        + png_chunk(b"IEND", b"")
    )


@pytest.fixture
def write_png(tmp_path: Path) -> PngWriter:
    def write(samples: NDArray[np.integer], depth: int, colour: int, extra: bytes = b"") -> Path:
        """Write ``samples`` [H, W] or [H, W, C] of ``depth`` bits each."""
        height, width = samples.shape[:2]
        flat = samples.reshape(height, -1)
        if depth == 16:
            rows = flat.astype(">u2").view(np.uint8)
        elif depth == 8:
            rows = flat.astype(np.uint8)
        else:
            bits = (flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1
            rows = np.packbits(bits.astype(np.uint8).reshape(height, -1), axis=1)
        path = tmp_path / f"colour{colour}_depth{depth}.png"
        path.write_bytes(
            png_bytes(rows, size=(width, height), depth=depth, colour=colour, extra=extra)
        )
        return path

    return write


def character_mask() -> NDArray[np.bool_]:
    """Return a head in its box, a neck and a body: bool [512, 512]."""
    y, x = np.mgrid[:512, :512]
    head = ((x - 255.5) / 62) ** 2 + ((y - 127.5) / 63) ** 2 < 1
    neck = (abs(x - 255.5) < 20) & (y > 160) & (y < 240)
    body = ((x - 255.5) / 110) ** 2 + ((y - 470) / 250) ** 2 < 1
    return np.asarray(head | neck | body)


@pytest.fixture
def character() -> U8Array:
    """Return a well-placed silhouette, uint8 [512, 512, 4]."""
    rgba = np.zeros((512, 512, 4), np.uint8)
    rgba[character_mask()] = (200, 150, 120, 255)
    return rgba


@pytest.fixture
def as_picture() -> Callable[[U8Array], Picture]:
    return lambda rgba: Picture(rgba=rgba, name="test", digest="0" * 64)
