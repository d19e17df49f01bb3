"""Whatever bytes a picture file holds, it loads or raises PictureError."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vtbridge.characters import load_picture
from vtbridge.errors import PictureError


def encoded(format_: str, mode: str, **options: object) -> bytes:
    """Return a small valid picture with a body in the head box."""
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[8:, 20:44] = np.random.default_rng(3).integers(0, 256, (56, 24, 4), np.uint8)
    rgba[8:, 20:44, 3] |= 128
    image = Image.fromarray(rgba, "RGBA")
    if mode == "P":
        image = image.quantize(32)
    elif mode != "RGBA":
        image = image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 3
    buffer = io.BytesIO()
    image.save(buffer, format_, exif=exif, **options)
    return buffer.getvalue()


SEEDS = {
    "rgba": encoded("PNG", "RGBA"),
    "grey-alpha": encoded("PNG", "LA"),
    "palette": encoded("PNG", "P"),
    "interlaced-small": encoded("PNG", "RGBA", compress_level=0),
    "webp-lossless": encoded("WEBP", "RGBA", lossless=True),
    "webp-lossy": encoded("WEBP", "RGBA", quality=80),
}


def load_or_refuse(path: Path, data: bytes) -> bool:
    """Return True if ``data`` loads; anything but a PictureError fails the test."""
    path.write_bytes(data)
    try:
        picture = load_picture(path)
    except PictureError as error:
        if str(path) not in str(error):
            pytest.fail(f"the message does not name the file: {error}")
        return False
    assert picture.rgba.shape == (512, 512, 4)
    assert not picture.rgba[picture.rgba[..., 3] == 0].any()
    return True


def with_true_checksums(png: bytes) -> bytes:
    """Return ``png`` with its chunks' CRCs mended, so that mutations reach the decoder."""
    mended, at = bytearray(png[:8]), 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + length]
        mended += png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(mended)


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_itself_loads(seed: str, tmp_path: Path) -> None:
    assert load_or_refuse(tmp_path / "seed", SEEDS[seed])


@pytest.mark.parametrize("seed", SEEDS)
def test_200_mutated_pictures_load_or_raise_picture_error(seed: str, tmp_path: Path) -> None:
    rng = random.Random(seed)
    refused = 0
    for turn in range(200):
        data = bytearray(SEEDS[seed])
        for _ in range(rng.choice((1, 1, 2, 8, 40))):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at] = rng.choice((0, 1, 127, 128, 255))
                case 2:
                    del data[at : at + rng.randrange(1, 9)]
                case _:
                    data[at:at] = rng.randbytes(rng.randrange(1, 9))
        mutated = bytes(data)
        if turn % 2 and mutated.startswith(b"\x89PNG"):
            mutated = with_true_checksums(mutated)
        refused += not load_or_refuse(tmp_path / "mutated", mutated)
    assert refused > 20, "the mutations are too weak to test anything"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=4096), head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"RIFF"]))
def test_random_bytes_are_refused(tmp_path: Path, data: bytes, head: bytes) -> None:
    assert not load_or_refuse(tmp_path / "random", head + data)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    header=st.tuples(
        st.integers(0, 2**32 - 1) | st.integers(1, 300),
        st.integers(0, 2**32 - 1) | st.integers(1, 300),
        st.sampled_from([0, 1, 2, 4, 8, 16, 255]),
        st.integers(0, 7),
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 2),
    ),
    body=st.binary(max_size=2000),
    transparency=st.binary(max_size=300),
    palette=st.binary(max_size=780),
)
def test_hostile_png_headers_load_or_raise_picture_error(
    tmp_path: Path,
    header: tuple[int, ...],
    body: bytes,
    transparency: bytes,
    palette: bytes,
) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    load_or_refuse(
        tmp_path / "hostile",
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
        + chunk(b"PLTE", palette)
        + chunk(b"tRNS", transparency)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b""),
    )
