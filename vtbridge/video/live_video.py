"""Pictures into a video while they come; the file can be played whatever ends it."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from vtbridge.atomic_file import whole
from vtbridge.closing import Closing
from vtbridge.datatypes import U8Array
from vtbridge.video.bleed import bled_quickly
from vtbridge.video.formats import OutputFormat
from vtbridge.video.growing_file import GrowingFile
from vtbridge.video.stream import add_pictures, pixel_format_of, video_frame

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet

KEYFRAME_EVERY_S = 2
LEAST_RESERVE = 4 << 20
"""Bytes; an index of ten hours of WebM takes a tenth of it."""

_RESERVED_PICTURES = 8
"""Half a second of Animation, packed, is about as much."""


class PictureFile(Protocol):
    """Where a recording goes; used from one thread, closed exactly once."""

    @property
    def size(self) -> int:
        """Bytes so far."""

    @property
    def full(self) -> OSError | None:
        """Why the disk takes no more, None while it does; then close it, the end still fits."""

    def write(self, premultiplied: U8Array, tick: int, *, repeated: bool) -> None:
        """Add a picture, uint8 [H, W, 4] with premultiplied alpha, at a higher tick than before.

        Raises:
            OSError: the disk is full or cannot be written.
        """

    def finish(self, end_tick: int) -> None:
        """End the file; the last picture stays until ``end_tick``.

        Raises:
            OSError: it could not be ended as it should; what is there can be read.
        """


class LiveVideo(Closing):
    """A WebM or QuickTime file that grows picture by picture.

    Args:
        path: of the new file.
        output: one of ``LIVE_FORMATS``.
        size: width and height of its pictures; where the format wants even sides, a
            transparent column or row is added.
        rate: pictures a second, on average.
        time_base: seconds of one tick.
        reserve_bytes: kept for the end on a full disk, None = by the pictures' size.

    Raises:
        OSError: the file cannot be made, or is there already.
    """

    def __init__(
        self,
        path: Path,
        output: OutputFormat,
        size: tuple[int, int],
        rate: Fraction,
        time_base: Fraction,
        *,
        reserve_bytes: int | None = None,
    ) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self._path = path
        self._output = output
        self._time_base = time_base
        self._padding = _padding(size) if output.even else (0, 0)
        size = (size[0] + self._padding[0], size[1] + self._padding[1])
        self._pixel_format = pixel_format_of(output, transparent=True)
        self._reformatter = VideoReformatter()
        self._frame: VideoFrame | None = None
        self._waiting: Packet[Any] | None = None
        self._is_broken = False
        self._header_bytes = 0
        if reserve_bytes is None:
            reserve_bytes = LEAST_RESERVE + _RESERVED_PICTURES * size[0] * size[1] * 4
        self._file = GrowingFile(path, reserve_bytes=reserve_bytes)
        try:
            self._container = av.open(
                self._file,
                "w",
                format=output.container,
                container_options=dict(output.container_options),
            )
            self._stream = add_pictures(
                self._container,
                output,
                output.options,
                rate.limit_denominator(1001),
                size,
                transparent=True,
                keyframe_every=max(round(KEYFRAME_EVERY_S * rate), 1),
            )
            self._stream.time_base = time_base
            self._stream.codec_context.time_base = time_base
            # Slices, not whole frames: what was encoded must not wait for what comes after it.
            self._stream.codec_context.thread_type = "SLICE"
            self._stream.metadata.update(output.stream_metadata)
        except BaseException:
            self._file.discard()
            raise

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.size

    @property
    def full(self) -> OSError | None:
        """Why the disk takes no more, None while it does."""
        return self._file.full

    def write(self, premultiplied: U8Array, tick: int, *, repeated: bool) -> None:
        """Add a picture at ``tick``.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        if self._frame is None or not repeated:
            self._frame = video_frame(
                self._straight(premultiplied), self._pixel_format, self._reformatter
            )
        self._frame.pts, self._frame.time_base = tick, self._time_base
        for packet in self._stream.encode(self._frame):
            self._mux(packet)

    def finish(self, end_tick: int) -> None:
        """Write what waits and the index, and close the file.

        Raises:
            OSError: there was no room for it; all but the last second or two can be read.
            av.FFmpegError: FFmpeg could not; likewise.
        """
        with self._file:
            trouble: Exception | None = None
            try:
                if not self._is_broken:
                    self._write_rest(end_tick)
                self._container.close()
            except Exception as error:  # noqa: BLE001 - raised again below
                trouble = error
                with contextlib.suppress(Exception):  # to free what it holds
                    self._container.close()
            if self._is_broken or trouble is not None:
                if not self._file.mend():
                    self._file.discard()
                raise self.full or trouble or OSError(f"{self._path} could not be ended")

    def close(self) -> None:
        """Close the file as it is; after ``finish`` it does nothing."""
        self._file.close()

    def _write_rest(self, end_tick: int) -> None:
        for packet in self._stream.encode():
            self._mux(packet)
        if self._waiting is not None:
            self._write(self._waiting, end_tick)
            self._waiting = None

    def _mux(self, packet: Packet[Any]) -> None:
        """Write the packet before ``packet``: only now is it known how long it is shown."""
        if self._waiting is not None and packet.pts is not None:
            self._write(self._waiting, packet.pts)
        self._waiting = packet

    def _write(self, packet: Packet[Any], until: int) -> None:
        import av

        if packet.pts is not None:
            packet.duration = until - packet.pts
        # FFmpeg crashes when a container goes on whose beginning could not be written.
        self._is_broken = True
        try:
            self._container.mux(packet)
        except av.FFmpegError as error:  # which may hide what the disk said
            raise self.full or error from error
        self._is_broken = False
        self._header_bytes = self._header_bytes or self._file.size
        if self._file.size > self._header_bytes:
            self._file.mark()

    def _straight(self, premultiplied: U8Array) -> U8Array:
        if any(self._padding):
            right, below = self._padding
            premultiplied = np.pad(premultiplied, ((0, below), (0, right), (0, 0)))
        if self._output.lossy:
            return bled_quickly(premultiplied)
        return np.asarray(cv2.cvtColor(premultiplied, cv2.COLOR_mRGBA2RGBA), np.uint8)


class PngFiles:
    """A folder of numbered PNG files, straight alpha, lossless; one a tick.

    Args:
        folder: made if it is not there.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.size = 0
        self.full: OSError | None = None
        self._folder = folder
        self._last: Path | None = None

    def write(self, premultiplied: U8Array, tick: int, *, repeated: bool) -> None:
        """Write the file of ``tick``; a picture shown again is a second name of the same file.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        path = self._folder / f"{tick:06d}.png"
        if not (repeated and self._linked(path)):
            straight = cv2.cvtColor(premultiplied, cv2.COLOR_mRGBA2RGBA)
            is_done, content = cv2.imencode(".png", cv2.cvtColor(straight, cv2.COLOR_RGBA2BGRA))
            if not is_done:
                raise ValueError(f"{path}: no PNG can be made of {premultiplied.shape}")
            with whole(path) as part:
                part.write_bytes(content.tobytes())
            self.size += len(content)
        self._last = path

    def finish(self, end_tick: int) -> None:
        """Do nothing: every file is whole."""
        del end_tick

    def _linked(self, path: Path) -> bool:
        if self._last is None:
            return False
        try:
            path.hardlink_to(self._last)
        except OSError:  # a disk without links, or with too many to this file
            return False
        return True


def _padding(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] % 2, size[1] % 2
