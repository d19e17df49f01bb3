"""Pictures into pieces of the output: a few seconds of video, or one PNG file, at a time.

A piece is whole or absent, and depends on nothing but its own pictures; that is what lets a
run go on where another was broken off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vtbridge.atomic_file import whole
from vtbridge.datatypes import U8Array
from vtbridge.video.formats import OutputFormat, Quality
from vtbridge.video.stream import add_pictures, pixel_format_of, video_frame

if TYPE_CHECKING:
    from av.video.stream import VideoStream

PIECE_PICTURES = 64
"""Pictures of one piece of video: what a broken-off run loses, and the distance of keyframes."""

_PNG_LEVEL = 4


class PieceEncoder(Protocol):
    """Writes pieces of one output."""

    @property
    def pictures_per_piece(self) -> int:
        """How many pictures each piece but the last one holds."""

    def path(self, folder: Path, piece: int) -> Path:
        """Return where a piece lies in ``folder``."""

    def write(self, pictures: Iterable[U8Array], path: Path) -> None:
        """Write one piece: it is at ``path`` whole, or not at all.

        Raises:
            OSError: the disk is full or cannot be written.
        """


class VideoPieces:
    """Pieces of a video, each starting with a keyframe, in the output's own container.

    Args:
        output: the format.
        quality: of the encoder.
        fps: pictures a second, on average; the finished file has each picture's own time.
        transparent: whether pictures come with alpha.
    """

    def __init__(
        self, output: OutputFormat, quality: Quality, fps: Fraction, *, transparent: bool
    ) -> None:
        self._output = output
        self._options = output.encoder_options(quality)
        # A rate such as 90000/1001 confuses rate control; a plain one is near enough.
        self._fps = fps.limit_denominator(1001)
        self._transparent = transparent
        self._pixel_format = pixel_format_of(output, transparent=transparent)

    @property
    def pictures_per_piece(self) -> int:
        """How many pictures each piece but the last one holds."""
        return PIECE_PICTURES

    def path(self, folder: Path, piece: int) -> Path:
        """Return where a piece lies in ``folder``."""
        return folder / f"{piece:06d}.{self._output.container}"

    def write(self, pictures: Iterable[U8Array], path: Path) -> None:
        """Write one piece; pictures are uint8 [H, W, 3] or [H, W, 4] with straight alpha."""
        import av
        from av.video.reformatter import VideoReformatter

        with (
            whole(path) as part,
            av.open(str(part), "w", format=self._output.container) as container,
        ):
            stream: VideoStream | None = None
            reformatter = VideoReformatter()
            for number, pixels in enumerate(pictures):
                if stream is None:
                    stream = add_pictures(
                        container,
                        self._output,
                        self._options,
                        self._fps,
                        (pixels.shape[1], pixels.shape[0]),
                        transparent=self._transparent,
                        keyframe_every=PIECE_PICTURES,
                    )
                frame = video_frame(pixels, self._pixel_format, reformatter)
                frame.pts, frame.time_base = number, 1 / self._fps
                container.mux(stream.encode(frame))
            if stream is None:
                raise ValueError(f"{path} would hold no picture")
            container.mux(stream.encode())


class PngPieces:
    """Numbered PNG files, one picture each, straight alpha."""

    @property
    def pictures_per_piece(self) -> int:
        """One."""
        return 1

    def path(self, folder: Path, piece: int) -> Path:
        """Return where a piece lies in ``folder``."""
        return folder / f"{piece:06d}.png"

    def write(self, pictures: Iterable[U8Array], path: Path) -> None:
        """Write the only one of ``pictures``."""
        from PIL import Image

        (pixels,) = pictures
        with whole(path) as part:
            Image.fromarray(pixels).save(part, format="PNG", compress_level=_PNG_LEVEL)


def pieces_done(encoder: PieceEncoder, folder: Path, pictures: int) -> int:
    """Return how many pieces, from the first one on, are there."""
    for piece in range(pieces_needed(encoder, pictures)):
        if not encoder.path(folder, piece).is_file():
            return piece
    return pieces_needed(encoder, pictures)


def pieces_needed(encoder: PieceEncoder, pictures: int) -> int:
    """Return how many pieces ``pictures`` pictures make."""
    return math.ceil(pictures / encoder.pictures_per_piece)
