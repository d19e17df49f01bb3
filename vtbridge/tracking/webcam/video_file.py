"""Video files as upright RGB pictures with their times, whatever container and codec."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtbridge.closing import Closing
from vtbridge.datatypes import U8Array, read_only
from vtbridge.errors import VtbridgeError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

MOST_PIXELS = 8192 * 4320
LONGEST_SIDE = 16_384
"""The largest picture that is decoded; a header can claim any size."""

_USUAL_FPS = Fraction(30)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class VideoPicture:
    """One picture of a video.

    Attributes:
        rgb: uint8 [H, W, 3], upright, read-only.
        t_s: when it is shown, seconds since the file's start, never falling.
        index: how many pictures come before it.
    """

    rgb: U8Array
    t_s: float
    index: int


class VideoFile(Closing):
    """One open video; made by ``open_video``.

    Attributes:
        path: the file.
        fps: pictures a second on average; the pictures' own times may be uneven.
        width: of the upright pictures, pixels.
        height: of the upright pictures, pixels.
        frame_count: pictures by the file's own count, None if it does not say; decoding
            may give a few less.
        duration_s: length by the file's own word, 0 if it does not say.
        has_sound: True if there is a sound track beside the pictures.
        is_still: True if it is a picture file, such as PNG or JPEG, and no video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container = self._open()
        try:
            stream = _video_stream(self._container, path)
            turns = self._first_frame_turns(stream)
        except BaseException:
            self._container.close()
            raise
        sideways = turns % 2 == 1
        self.fps: Fraction = stream.average_rate or stream.guessed_rate or _USUAL_FPS
        self.width: int = stream.height if sideways else stream.width
        self.height: int = stream.width if sideways else stream.height
        self.frame_count: int | None = stream.frames or None
        self.duration_s = _duration_s(self._container, stream, self.fps)
        self.has_sound = bool(self._container.streams.audio)
        self.is_still = _is_still(self._container)

    def close(self) -> None:
        """Close the file; an iteration that still runs ends with an error."""
        self._container.close()

    def pictures(self, start: int = 0) -> Iterator[VideoPicture]:
        """Yield every picture from the ``start``-th on; a new call begins anew.

        What comes before ``start`` is decoded and dropped: with uneven frame rates and
        edit lists, that alone finds the same picture again. Damaged stretches are left out.

        Raises:
            VtbridgeError: the file is gone, or claims pictures too large to decode.
        """
        self._container.close()
        self._container = self._open()
        stream = _video_stream(self._container, self.path)
        begin_s = (self._container.start_time or 0) / _MICROSECONDS
        last_s = 0.0
        for index, frame in enumerate(self._frames(stream)):
            t_s = index / float(self.fps) if frame.pts is None else frame.time - begin_s
            last_s = max(last_s, t_s)
            if index >= start:
                yield VideoPicture(_upright_rgb(frame), last_s, index)

    def _open(self) -> InputContainer:
        import av

        if self.path.is_dir():
            raise VtbridgeError(f"the video {self.path} is a folder: name a video file in it")
        if not self.path.exists():
            raise VtbridgeError(f"the video {self.path} does not exist: check the path")
        if not self.path.is_file():
            raise VtbridgeError(f"the video {self.path} is no file: name a video file")
        try:
            # An absolute path cannot be taken for the address of some network protocol.
            return av.open(str(self.path.absolute()))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error

    def _unreadable(self, why: str) -> VtbridgeError:
        return VtbridgeError(
            f"{self.path} cannot be read as a video ({why}): convert it, for example with "
            f"`ffmpeg -i {self.path.name} -c:v libx264 converted.mp4`"
        )

    def _frames(self, stream: VideoStream) -> Iterator[VideoFrame]:
        """Yield what can be decoded; a damaged packet costs only its own pictures."""
        import av

        damaged = 0
        packets = self._container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.error.FFmpegError as error:
                log.warning("%s ends early, it is damaged: %s", self.path, error)
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                if not damaged:
                    log.warning("%s is damaged in places, which are left out: %s", self.path, error)
                damaged += 1
                continue
            for frame in frames:
                self._check_size(frame.width, frame.height)
                yield frame

    def _check_size(self, width: int, height: int) -> None:
        if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
            raise self._unreadable(f"its pictures are {width}x{height}")

    def _first_frame_turns(self, stream: VideoStream) -> int:
        self._check_size(stream.width, stream.height)
        for frame in self._frames(stream):
            return _quarter_turns(frame)
        raise self._unreadable("no picture in it can be decoded")


def open_video(path: Path) -> VideoFile:
    """Open a video file; use it in a ``with`` statement.

    Raises:
        VtbridgeError: it does not exist, is no video, or no picture in it can be decoded;
            the message names the file and the remedy.
    """
    return VideoFile(Path(path))


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        container.close()
        raise VtbridgeError(f"{path} holds no pictures, only sound: choose a video file")
    return container.streams.video[0]


def _duration_s(container: InputContainer, stream: VideoStream, fps: Fraction) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / _MICROSECONDS
    return float(stream.frames / fps)


def _is_still(container: InputContainer) -> bool:
    """Return True for FFmpeg's formats of one picture: png_pipe, jpeg_pipe, ...; image2."""
    return container.format.name == "image2" or container.format.name.endswith("_pipe")


def _quarter_turns(frame: VideoFrame) -> int:
    """Return by how many quarter turns, counter-clockwise, the picture is to be turned."""
    return round(frame.rotation / 90) % 4


def _upright_rgb(frame: VideoFrame) -> U8Array:
    rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if turns := _quarter_turns(frame):
        rgb = np.ascontiguousarray(np.rot90(rgb, turns))
    return read_only(rgb)
