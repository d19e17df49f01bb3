"""Record what a running avatar shows; a process of its own, that the avatar knows nothing of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.publish.fitting import fitted
from vtbridge.publish.frame_feed import FedFrame, FrameFeed
from vtbridge.publish.vtbf import AlphaMode, FrameReader, Liveness, ReceivedFrame
from vtbridge.video.formats import FormatName, OutputFormat
from vtbridge.video.live_video import LiveVideo, PictureFile, PngFiles
from vtbridge.video.timeline import EvenTimes, OwnTimes, Placed, Timeline

log = logging.getLogger(__name__)

LAST_WRITE_S = 60.0
"""For so long the end of a recording waits for the encoder and the disk."""

_WAIT_S = 0.1
_LATE_NS = NS_PER_S // 2
"""No frame is expected to come later than this after it was published."""
_TIME_BASES = {FormatName.WEBM: Fraction(1, 1000), FormatName.MOV: Fraction(1, 90_000)}
"""The finest that each container keeps."""

OpenFile = Callable[[tuple[int, int]], PictureFile]


class VideoRecorder(ThreadService):
    """Encode what a feed brings until stopped, or until the disk is full.

    The first frame decides about the size. Later ones of another size are scaled to fit into
    it, in the middle of its lower edge, as the character stands.

    Attributes:
        frames: how many of the avatar's frames were taken.
        pictures: how many are in the file; at a constant rate some frames are shown several
            times, others not at all.
        size: width and height of the first one, None before it.
        rescaled: how many were of another size.
        trouble: what ended the recording, empty while it goes on.

    Args:
        feed: the frames; started and stopped with the recorder.
        timeline: when they are shown.
        open_file: makes the file once the size is known.
    """

    def __init__(
        self, feed: FrameFeed, timeline: Timeline[ReceivedFrame], open_file: OpenFile
    ) -> None:
        super().__init__("video")
        self.frames = 0
        self.pictures = 0
        self.size: tuple[int, int] | None = None
        self.rescaled = 0
        self.trouble = ""
        self._feed = feed
        self._timeline = timeline
        self._open_file = open_file
        self._file: PictureFile | None = None
        self._start_ns = self._newest_ns = 0

    @property
    def seconds(self) -> float:
        """Length of the recording so far."""
        if not self.frames:
            return 0.0
        return (max(self._newest_ns, self._feed.alive_ns) - self._start_ns) / NS_PER_S

    @property
    def bytes_written(self) -> int:
        """Size of what is on the disk."""
        return 0 if self._file is None else self._file.size

    @property
    def missed(self) -> int:
        """Frames that the avatar showed while this machine was too busy to look."""
        return self._feed.missed

    @property
    def dropped(self) -> int:
        """Frames that were left out because the encoder or the disk was behind."""
        return self._feed.dropped

    @property
    def away(self) -> bool:
        """True while nobody publishes frames; the last one is held until somebody does."""
        return self._feed.liveness is not Liveness.LIVE

    def serve(self) -> None:
        """Record; the file is ended whatever happens."""
        self._feed.start()
        try:
            while not (self.stopping.is_set() or self.trouble):
                fed = self._feed.get(timeout_s=_WAIT_S)
                self._guarded(self._hold if fed is None else self._taker(fed))
                if fed is None and not self._feed.alive:
                    self._give_up(self._feed.trouble or "its frames cannot be read any more")
        finally:
            self._feed.stop()
            while not self.trouble and (fed := self._feed.get(timeout_s=0.0)) is not None:
                self._guarded(self._taker(fed))
            self._guarded(self._finish)

    def stop(self, *, timeout_s: float = LAST_WRITE_S) -> bool:
        """Ask it to end the file and return whether it did in time."""
        stopped = super().stop(timeout_s=timeout_s)
        if not stopped:
            log.warning("the disk did not take the end of the recording within %g s", timeout_s)
        return stopped

    def _guarded(self, act: Callable[[], None]) -> None:
        """Call ``act``; trouble with disk or encoder ends the recording and nothing else."""
        import av

        try:
            act()
        except OSError as error:
            self._give_up(error.strerror or str(error))
        except (av.FFmpegError, ValueError) as error:
            self._give_up(str(error))
        if self._file is not None and self._file.full is not None:
            self._give_up(self._file.full.strerror or str(self._file.full))

    def _give_up(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble

    def _taker(self, fed: FedFrame) -> Callable[[], None]:
        return lambda: self._take(fed)

    def _take(self, fed: FedFrame) -> None:
        frame, t_ns = fed.frame, fed.t_ns
        if self._file is None:
            height, width = frame.rgba.shape[:2]
            self._file = self._open_file((width, height))
            self.size = (width, height)
            self._start_ns = t_ns
        self.rescaled += (frame.rgba.shape[1], frame.rgba.shape[0]) != self.size
        self._newest_ns = t_ns
        self._write(self._timeline.add(frame, t_ns))
        self.frames += 1

    def _hold(self) -> None:
        """Show the last frame on while its writer lives."""
        if self.frames:
            self._write(self._timeline.hold(self._feed.alive_ns - _LATE_NS))

    def _finish(self) -> None:
        if self._file is None:
            return
        end_ns = max(self._newest_ns, self._feed.alive_ns)
        file, full = self._file, self._file.full
        try:
            if not self.trouble:
                self._write(self._timeline.end(end_ns))
        finally:
            file.finish(self._timeline.end_tick(end_ns))
        if full is None and file.full is not None:
            self._give_up(file.full.strerror or str(file.full))

    def _write(self, placed: list[Placed[ReceivedFrame]]) -> None:
        if self._file is None or self.size is None:
            return
        for shown in placed:
            pixels = fitted(premultiplied_of(shown.picture), *self.size)
            self._file.write(pixels, shown.tick, repeated=shown.repeated)
            self.pictures += 1
            if self._file.full is not None:
                return


def open_video_recorder(
    name: str,
    target: Path,
    output: OutputFormat,
    clock: Clock,
    *,
    fps: float | None = None,
) -> VideoRecorder:
    """Return what records the running avatar ``name`` into the new ``target``; start it.

    Args:
        name: of the avatar.
        target: the file, or for PNG files the folder, which must be empty.
        output: one of ``LIVE_FORMATS``.
        clock: the monotonic clock.
        fps: pictures a second; None keeps each frame's own time, or in PNG files, which have
            none, the rate that the avatar aims at.

    Raises:
        FrameTransportError: no such avatar runs.
        VtbridgeError: the target is there already, or its folder is not.
    """
    import av.video.reformatter  # now, not while frames come  # noqa: F401

    check_new_video(target, output)
    reader = FrameReader.attach(name)
    status = reader.status()
    nominal = status.nominal_fps if status is not None and status.nominal_fps > 0 else 60.0
    if fps is None and output.name is FormatName.PNG:
        fps = nominal
    rate = Fraction(nominal if fps is None else fps).limit_denominator(1001)
    timeline: Timeline[ReceivedFrame] = (
        OwnTimes(_TIME_BASES[output.name]) if fps is None else EvenTimes(rate)
    )

    def open_file(size: tuple[int, int]) -> PictureFile:
        if output.name is FormatName.PNG:
            return PngFiles(target)
        return LiveVideo(target, output, size, rate, timeline.time_base)

    return VideoRecorder(FrameFeed(reader, clock), timeline, open_file)


def check_new_video(target: Path, output: OutputFormat) -> None:
    """Refuse a target at which something lies, or that cannot be made.

    Raises:
        VtbridgeError: names the remedy.
    """
    is_folder = output.name is FormatName.PNG and target.is_dir()
    if is_folder:
        if any(target.iterdir()):
            raise VtbridgeError(f"{target} holds files already; name a new or an empty folder")
    elif target.exists() or target.is_symlink():
        raise VtbridgeError(f"{target} is there already; name another file, or move it")
    elif not target.parent.is_dir():
        raise VtbridgeError(
            f"{target} cannot be made: there is no folder {target.parent}; make it first"
        )


def premultiplied_of(frame: ReceivedFrame) -> U8Array:
    """Return a frame's pixels, uint8 [H, W, 4], with premultiplied alpha."""
    rgba = frame.rgba
    match frame.alpha_mode:
        case AlphaMode.PREMULTIPLIED:
            return np.ascontiguousarray(rgba)
        case AlphaMode.STRAIGHT:
            return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2mRGBA), np.uint8)
        case AlphaMode.OPAQUE:
            opaque = rgba.copy()
            opaque[..., 3] = 255
            return opaque
