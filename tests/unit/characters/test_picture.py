"""load_picture: every kind of file becomes the one kind posers take, or a sentence."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from vtbridge.characters import MAX_FILE_BYTES, inspect_picture, load_picture
from vtbridge.characters.decode import decode_drawing, decode_picture
from vtbridge.datatypes import U8Array
from vtbridge.errors import PictureError

REPOSITORY = Path(__file__).parents[3]
PngWriter = Callable[..., Path]

# PNG's colour types.
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def save(rgba: U8Array, path: Path, **options: object) -> Path:
    Image.fromarray(rgba, "RGBA").save(path, **options)  # type: ignore[arg-type]
    return path


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_fitting_png_comes_back_pixel_for_pixel(character: U8Array, tmp_path: Path) -> None:
    picture = load_picture(save(character, tmp_path / "hero.png"), credit="me")
    assert np.array_equal(picture.rgba, character)
    assert picture.name == "hero.png"
    assert picture.credit == "me"
    assert picture.digest == hashlib.sha256(character.tobytes()).hexdigest()
    assert not picture.rgba.flags.writeable


def test_lossless_webp_equals_png(character: U8Array, tmp_path: Path) -> None:
    webp = load_picture(save(character, tmp_path / "a.webp", lossless=True, exact=True))
    png = load_picture(save(character, tmp_path / "a.png"))
    assert webp.digest == png.digest


def test_colour_under_transparent_pixels_is_cleared(character: U8Array, tmp_path: Path) -> None:
    dirty = character.copy()
    dirty[dirty[..., 3] == 0] = (255, 0, 255, 0)
    picture = load_picture(save(dirty, tmp_path / "dirty.png"))
    assert np.array_equal(picture.rgba, character)


@pytest.mark.parametrize("side", [300, 1024, 1400])
def test_scaling_leaves_no_fringe(character: U8Array, tmp_path: Path, side: int) -> None:
    source = np.array(
        Image.fromarray(character, "RGBA").resize((side, side), Image.Resampling.NEAREST)
    )
    source[source[..., 3] == 0] = (0, 0, 0, 0)
    rgba = load_picture(save(source, tmp_path / "scaled.png")).rgba
    assert rgba.shape == (512, 512, 4)
    edge = (rgba[..., 3] >= 64) & (rgba[..., 3] < 255)
    assert edge.sum() > 100
    off = np.abs(rgba[edge][:, :3].astype(int) - (200, 150, 120))
    assert off.max() <= 4, "edge pixels must keep the colour of the inside"


@pytest.mark.parametrize("side", [300, 1024])
def test_scaling_leaves_no_second_outline(character: U8Array, tmp_path: Path, side: int) -> None:
    source = np.array(
        Image.fromarray(character, "RGBA").resize((side, side), Image.Resampling.NEAREST)
    )
    alpha = load_picture(save(source, tmp_path / "scaled.png")).rgba[..., 3]
    for row in (100, 128, 160):
        visible = np.flatnonzero(alpha[row])
        assert np.diff(visible).max() == 1, "one connected run in each row of a disc"


@pytest.mark.parametrize(
    ("depth", "expected"),
    [(1, [0, 255]), (2, [0, 85, 170, 255]), (4, [0, 17, 136, 255]), (8, [0, 40, 157, 255])],
)
def test_grey_with_colour_key_of_any_depth(
    write_png: PngWriter, depth: int, expected: list[int]
) -> None:
    top = (1 << depth) - 1
    levels = np.array([[level * top // 255 for level in expected]])
    path = write_png(levels, depth, GREY, chunk(b"tRNS", struct.pack(">H", int(levels[0, 1]))))
    rgba = decode_picture(path).rgba[0]
    assert rgba[:, 0].tolist() == expected
    assert rgba[:, 3].tolist() == [0 if i == 1 else 255 for i in range(len(expected))]


def test_16_bit_grey_is_scaled_not_clipped(write_png: PngWriter) -> None:
    levels = np.array([[0, 300, 40000, 65535]])
    path = write_png(levels, 16, GREY, chunk(b"tRNS", struct.pack(">H", 300)))
    rgba = decode_picture(path).rgba[0]
    assert rgba[:, 0].tolist() == [0, 1, 156, 255]
    assert rgba[:, 3].tolist() == [255, 0, 255, 255]


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_with_alpha(write_png: PngWriter, depth: int) -> None:
    unit = 1 if depth == 8 else 257
    samples = np.array([[[156, 255], [20, 7]]]) * unit
    assert decode_picture(write_png(samples, depth, GREY_ALPHA)).rgba[0].tolist() == [
        [156, 156, 156, 255],
        [20, 20, 20, 7],
    ]


@pytest.mark.parametrize("depth", [8, 16])
def test_rgba_of_8_and_16_bits(write_png: PngWriter, depth: int) -> None:
    unit = 1 if depth == 8 else 257
    pixels = [[250, 3, 77, 255], [1, 2, 3, 128]]
    samples = np.array([pixels]) * unit
    assert decode_picture(write_png(samples, depth, RGBA)).rgba[0].tolist() == pixels


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_with_transparency(write_png: PngWriter, depth: int) -> None:
    colours = bytes([9, 8, 7, 200, 100, 50]) + bytes(3 * ((1 << depth) - 2))
    extra = chunk(b"PLTE", colours) + chunk(b"tRNS", bytes([0, 130]))
    path = write_png(np.array([[0, 1, 1, 0]]), depth, PALETTE, extra)
    assert decode_picture(path).rgba[0].tolist() == [
        [9, 8, 7, 0],
        [200, 100, 50, 130],
        [200, 100, 50, 130],
        [9, 8, 7, 0],
    ]


def test_rgb_with_colour_key(write_png: PngWriter) -> None:
    samples = np.array([[[1, 2, 3], [3, 2, 1]]])
    path = write_png(samples, 8, RGB, chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    assert decode_picture(path).rgba[0].tolist() == [[1, 2, 3, 0], [3, 2, 1, 255]]


@pytest.mark.parametrize(
    ("samples", "depth", "colour", "extra"),
    [
        (np.zeros((4, 4)), 8, GREY, b""),
        (np.zeros((4, 4)), 16, GREY, b""),
        (np.zeros((4, 4, 3)), 8, RGB, b""),
        (np.zeros((4, 4)), 8, PALETTE, chunk(b"PLTE", bytes(6))),
    ],
)
def test_file_without_alpha_is_refused(
    write_png: PngWriter, samples: NDArray[np.float64], depth: int, colour: int, extra: bytes
) -> None:
    with pytest.raises(PictureError, match=r"no transparency.*alpha channel"):
        load_picture(write_png(samples.astype(np.int64), depth, colour, extra))


def test_16_bit_colour_key_is_refused_not_guessed(write_png: PngWriter) -> None:
    key = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    with pytest.raises(PictureError, match="colour key"):
        load_picture(write_png(np.ones((4, 4, 3), np.int64), 16, RGB, key))


def test_bomb_is_refused_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_a, **_k: pytest.fail("a decoder saw the bomb"))
    row = b"\0" + bytes(4 * 9000)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(9000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 9000, 9000, 8, RGBA, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )
    assert path.stat().st_size < 400_000
    with pytest.raises(PictureError, match=r"9000x9000.*4096"):
        load_picture(path)


@pytest.mark.parametrize("size", [(4097, 8), (8, 4097), (0, 8), (8, 0), (2**31, 2**31)])
def test_each_side_is_bounded(tmp_path: Path, size: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *size, 8, RGBA, 0, 0, 0)
    path = tmp_path / "strip.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b""))
    with pytest.raises(PictureError, match=f"{size[0]}x{size[1]} pixels"):
        load_picture(path)


def test_a_second_header_cannot_state_another_size(tmp_path: Path) -> None:
    small, large = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, RGBA, 0, 0, 0)) for side in (8, 6000)
    )
    rows = zlib.compress(bytes(6000 * (1 + 4 * 6000)), 1)
    path = tmp_path / "two.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + small + large + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    with pytest.raises(PictureError, match="states two sizes, 8x8 and 6000x6000"):
        load_picture(path)


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_huge_webp_is_refused_from_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    monkeypatch.setattr(Image, "open", lambda *_a, **_k: pytest.fail("a decoder saw the bomb"))
    body = {
        b"VP8X": bytes([0x10, 0, 0, 0]) + (9999).to_bytes(3, "little") * 2,
        b"VP8L": b"\x2f" + (9999 | 9999 << 14).to_bytes(4, "little") + bytes(5),
        b"VP8 ": b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", 10000, 10000),
    }[kind]
    chunked = b"WEBP" + kind + struct.pack("<I", len(body)) + body
    path = tmp_path / "bomb.webp"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunked)) + chunked)
    with pytest.raises(PictureError, match="10000x10000"):
        load_picture(path)


def test_oversized_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        os.truncate(file.fileno(), MAX_FILE_BYTES + 10)
    with pytest.raises(PictureError, match="larger than 64 MiB"):
        load_picture(path)


LARGEST = """
import resource, sys
from pathlib import Path
import numpy as np
from PIL import Image, ImageCms
from vtbridge.characters import load_picture
rgba = np.zeros((4096, 4096, 4), np.uint8)
rgba[512:, 1536:2560] = 255
Image.fromarray(rgba, "RGBA").save(sys.argv[1], compress_level=1)
del rgba
Path("/proc/self/clear_refs").write_text("5")
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
load_picture(Path(sys.argv[1]))
sys.stdout.write(str((peak() - before) // 1024))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_largest_allowed_picture_stays_within_400_mib(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LARGEST, str(tmp_path / "large.png")],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert 60 < int(result.stdout) < 400


@pytest.mark.parametrize(
    ("format_", "suffix", "words"),
    [
        ("JPEG", "jpg", "JPEG"),
        ("GIF", "gif", "GIF"),
        ("BMP", "bmp", "BMP"),
        ("TIFF", "tif", "TIFF"),
    ],
)
def test_other_formats_are_named(
    character: U8Array, tmp_path: Path, format_: str, suffix: str, words: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(character, "RGBA").convert("RGB").save(path, format=format_)
    with pytest.raises(PictureError, match=f"{words}.*PNG"):
        load_picture(path)


def test_cmyk_is_refused(character: U8Array, tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(character, "RGBA").convert("RGB").convert("CMYK").save(path)
    with pytest.raises(PictureError, match="JPEG"):
        load_picture(path)


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animation_is_refused(character: U8Array, tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(character, "RGBA"), Image.fromarray(character[:, ::-1] // 2, "RGBA")]
    path = tmp_path / f"moving.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(PictureError, match="animated"):
        load_picture(path)


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.99])
def test_truncated_file_is_refused(
    character: U8Array, tmp_path: Path, suffix: str, kept: float
) -> None:
    noisy = character.copy()
    noisy[..., :3] ^= np.random.default_rng(1).integers(0, 64, (512, 512, 3), np.uint8)
    whole = save(noisy, tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(PictureError, match=r"damaged|no PNG"):
        load_picture(path)


def swapped_profile() -> bytes:
    """Return a valid RGB profile that is not sRGB: red and blue have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.find(b"rXYZ"), profile.find(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("profile", [None, swapped_profile()], ids=["plain", "with profile"])
def test_exif_orientation_turns_the_picture_upright(
    character: U8Array, tmp_path: Path, profile: bytes | None
) -> None:
    lying = Image.fromarray(character, "RGBA").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown upright after turning 90 degrees clockwise
    path = tmp_path / "lying.png"
    lying.save(path, exif=exif, icc_profile=profile)
    assert np.array_equal(load_picture(path).rgba[..., 3], character[..., 3])


def test_foreign_profile_is_converted(character: U8Array, tmp_path: Path) -> None:
    path = save(character, tmp_path / "wide.png", icc_profile=swapped_profile())
    picture, findings = inspect_picture(path)
    assert any("converted from test" in finding.sentence for finding in findings)
    assert np.abs(picture.rgba[128, 256].astype(int) - (120, 150, 200, 255)).max() <= 2


def test_srgb_profile_changes_no_pixel(character: U8Array, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture, findings = inspect_picture(save(character, tmp_path / "s.png", icc_profile=profile))
    assert np.array_equal(picture.rgba, character)
    assert findings == []


def test_broken_profile_is_told_and_ignored(character: U8Array, tmp_path: Path) -> None:
    path = save(character, tmp_path / "bad.png", icc_profile=b"not a profile" * 20)
    picture, findings = inspect_picture(path)
    assert np.array_equal(picture.rgba, character)
    assert ["profile was ignored" in finding.sentence for finding in findings] == [True]


def test_tall_picture_is_padded_on_both_sides(character: U8Array, tmp_path: Path) -> None:
    tall = np.zeros((512, 300, 4), np.uint8)
    tall[:] = character[:, 106:406]
    picture, findings = inspect_picture(save(tall, tmp_path / "tall.png"))
    assert not picture.rgba[:, :106].any()
    assert np.array_equal(picture.rgba[:, 106:406], tall)
    assert [finding.sentence for finding in findings] == [
        "it is 300x512, not square, and was padded transparently"
    ]


def test_wide_picture_is_padded_above(character: U8Array, tmp_path: Path) -> None:
    wide = character[100:]
    picture, _ = inspect_picture(save(wide, tmp_path / "wide.png"))
    assert not picture.rgba[:100].any()
    assert np.array_equal(picture.rgba[100:], wide)


def test_small_picture_is_upscaled_with_a_warning(
    character: U8Array, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = character[::2, ::2].copy()
    with caplog.at_level(logging.WARNING):
        assert load_picture(save(small, tmp_path / "small.png")).rgba.shape == (512, 512, 4)
    assert "upscaled from 256x256" in caplog.text


@pytest.mark.parametrize("name", ["missing.png", "", "folder", "nul\0.png"])
def test_what_is_no_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PictureError, match=r"cannot be read|not a file"):
        load_picture(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO on this system")
def test_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="not a file"):
        load_picture(tmp_path / "pipe.png")


def test_error_findings_are_raised_with_the_path(tmp_path: Path) -> None:
    empty = np.zeros((512, 512, 4), np.uint8)
    with pytest.raises(PictureError, match=r"nothing\.png: the picture is empty"):
        load_picture(save(empty, tmp_path / "nothing.png"))


def test_same_pixels_have_the_same_digest_whatever_the_file(
    character: U8Array, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(character, "RGBA").save(buffer, "PNG", optimize=True)
    (tmp_path / "b.png").write_bytes(buffer.getvalue())
    first = load_picture(save(character, tmp_path / "a.png"))
    assert first.digest == load_picture(tmp_path / "b.png").digest


def test_jpeg_that_claims_a_third_of_a_gigapixel_is_refused_by_its_header() -> None:
    whole = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    frame = whole.index(b"\xff\xc0")
    huge = whole[: frame + 5] + struct.pack(">HH", 22_096, 14_368) + whole[frame + 9 :]
    with pytest.raises(PictureError, match=r"somewhere\.jpg .*Scale it down"):
        decode_drawing(huge, "somewhere.jpg")


def test_picture_whose_second_header_claims_gigapixels_is_refused(tmp_path: Path) -> None:
    one, other = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, RGBA, 0, 0, 0))
        for side in (64, 65_535)
    )
    path = tmp_path / "claims.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + one + other + chunk(b"IDAT", b""))
    with pytest.raises(PictureError, match=r"claims\.png"):
        load_picture(path)
