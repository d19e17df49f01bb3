"""Take frames out of another process's segment: verified copies, never torn."""

from __future__ import annotations

import errno
import mmap
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.closing import Closing
from vtbridge.datatypes import FrameFlag, U8Array, read_only
from vtbridge.errors import FrameTransportError
from vtbridge.publish import _vtbf
from vtbridge.publish.segment import (
    HUNG_AFTER_S,
    SEGMENT_DIRECTORY,
    AlphaMode,
    Liveness,
    SegmentState,
    SegmentStatus,
    check_header,
    open_segment,
    read_status,
    same_file,
    segment_path,
)

_CHECK_AFTER_S = 0.25  # a reader without a frame asks this often whether the writer still is
_REOPEN_EVERY_S = 0.05  # a reader without a segment looks this often for a new one
_OVERTAKEN_S = 0.0002  # pause of a reader that the writer overtook again and again


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedFrame:
    """A verified copy of one published frame.

    Attributes:
        rgba: uint8 [H, W, 4], read-only, in RGBA order whatever was sent.
        frame_no: counts up within one segment; what ``read_newer`` takes as ``seen``.
        epoch: start of the writer that published it.
        t_capture_ns: arrival of the face data it shows, monotonic.
        t_publish_ns: when its pixels were complete, monotonic.
        flags: see ``FrameFlag``.
        alpha_mode: see ``AlphaMode``.
    """

    rgba: U8Array
    frame_no: int
    epoch: int
    t_capture_ns: int
    t_publish_ns: int
    flags: FrameFlag
    alpha_mode: AlphaMode


class FrameReader(Closing):
    """One reader's view of the segment of an avatar; follows it when it moves.

    It never writes to the segment and never maps its pixels (a segment truncated by
    somebody is a short read here, not a fatal signal). Belongs to one thread.

    Attributes:
        torn: copies that the check threw away because the writer overtook them; such a
            copy is never handed out.
        reopened: times the reader followed the writer to a new segment.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Hold nothing yet; ``attach`` opens the segment."""
        self.torn = 0
        self.reopened = 0
        self._path = path
        self._clock = clock
        self._fd = -1
        self._page: mmap.mmap | None = None
        self._header = b""
        self._file_bytes = 0
        self._moved_in = False  # no frame was taken from this segment since a reopening

    @classmethod
    def attach(
        cls, name: str, *, directory: Path = SEGMENT_DIRECTORY, clock: Clock | None = None
    ) -> Self:
        """Open the segment of the avatar ``name``.

        Raises:
            FrameTransportError: nothing is there, or it cannot be trusted.
        """
        reader = cls(segment_path(name, directory=directory), clock or MonotonicClock())
        try:
            reader._open()
        except FileNotFoundError as error:
            raise FrameTransportError(
                f"no avatar named {name!r} is running ({reader._path} does not exist); start it "
                "with: vtbridge run"
            ) from error
        return reader

    @property
    def path(self) -> Path:
        """Where the segment lies."""
        return self._path

    def read_newer(self, seen: int, *, timeout_s: float) -> ReceivedFrame | None:
        """Return the newest frame with a number beyond ``seen``, or None if none came in time.

        Numbers start anew in a new segment; after a reopening its first frame counts as newer.

        Raises:
            FrameTransportError: what lies under the name now cannot be trusted.
        """
        deadline_ns = self._clock.now_ns() + round(timeout_s * NS_PER_S)
        while True:
            self._reopen()
            frame = self._take(0 if self._moved_in else seen)
            if frame is not None:
                self._moved_in = False
                return frame
            remaining_ns = deadline_ns - self._clock.now_ns()
            if remaining_ns <= 0:
                return None
            self._sleep(0 if self._moved_in else seen, remaining_ns)

    def status(self) -> SegmentStatus | None:
        """Return what the header says now, None if the segment was truncated."""
        return read_status(self._fd)

    def liveness(self) -> Liveness:
        """Return whether anybody still writes, by the lock and the heartbeat."""
        self._reopen()
        status = self.status()
        if status is not None and status.state is SegmentState.CLOSED:
            return Liveness.CLOSED
        if status is None or not _vtbf.is_locked(self._fd):
            return Liveness.GONE
        age_ns = self._clock.now_ns() - status.heartbeat_ns
        return Liveness.HUNG if age_ns > HUNG_AFTER_S * NS_PER_S else Liveness.LIVE

    def close(self) -> None:
        """Let go of the segment; further calls do nothing."""
        if self._page is not None:
            self._page.close()
            self._page = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        """Open what lies under the name and make it the reader's segment.

        Raises:
            FileNotFoundError: nothing lies there, or its writer has not finished the header.
            FrameTransportError: it cannot be trusted.
        """
        fd = open_segment(self._path, writable=False)
        kept = False
        try:
            file_bytes = os.fstat(fd).st_size
            header = os.pread(fd, _vtbf.HEADER_BYTES, 0)
            if file_bytes == 0 or _vtbf.check_header(header, file_bytes)[0] == _vtbf.NO_MAGIC:
                raise FileNotFoundError(errno.ENOENT, "its writer is still starting", self._path)
            check_header(self._path, header, file_bytes)
            # Only the kernel ever looks into this page, for the futex.
            page = mmap.mmap(fd, _vtbf.HEADER_BYTES, prot=mmap.PROT_READ)
            kept = True
        finally:
            if not kept:
                os.close(fd)
        self.close()
        self._fd, self._page = fd, page
        self._header, self._file_bytes = header, file_bytes

    def _reopen(self) -> bool:
        """Follow the writer to a new segment; return True if there was one.

        A segment that ended and still has its name has a writer that died while leaving:
        the next one goes on in it, so there is nothing to follow.
        """
        if same_file(self._fd, self._path):
            return False
        try:
            self._open()
        except FileNotFoundError:
            return False
        self._moved_in = True
        self.reopened += 1
        return True

    def _take(self, seen: int) -> ReceivedFrame | None:
        outcome, torn, slot, pixels = _vtbf.read_newest(
            self._fd, self._header, self._file_bytes, seen
        )
        self.torn += torn
        if outcome == _vtbf.READ_BAD:
            raise FrameTransportError(
                f"{self._path} breaks the frame protocol; stop what writes it (process "
                f"{self._writer_pid()}) and start vtbridge again"
            )
        if slot is None or pixels is None:
            return None
        return _received_frame(slot, pixels)

    def _writer_pid(self) -> int:
        status = self.status()
        return 0 if status is None else status.writer_pid

    def _sleep(self, seen: int, remaining_ns: int) -> None:
        """Wait for the futex, or a while if the segment is dead and only a new one can help."""
        # The wake word of before is waited on: a frame that comes after the check changes it. One
        # reading of both would not do, for a copy of the header is not made at one moment.
        before, status = self.status(), self.status()
        if (
            before is None
            or status is None
            or self._page is None
            or status.state is not SegmentState.LIVE
        ):
            time.sleep(min(remaining_ns / NS_PER_S, _REOPEN_EVERY_S))
            return
        if status.latest > seen:
            time.sleep(_OVERTAKEN_S)
            return
        slice_ns = min(remaining_ns, round(_CHECK_AFTER_S * NS_PER_S))
        if _vtbf.wait(self._page, before.wake, slice_ns) == errno.EFAULT:
            time.sleep(min(remaining_ns / NS_PER_S, _REOPEN_EVERY_S))


def _received_frame(slot: _vtbf.Slot, pixels: bytes) -> ReceivedFrame:
    number, epoch, t_capture_ns, t_publish_ns, width, height, stride, fourcc, flags = slot[:9]
    rgba: U8Array = np.ndarray(
        (height, width, _vtbf.BYTES_PER_PIXEL),
        np.uint8,
        pixels,
        strides=(stride, _vtbf.BYTES_PER_PIXEL, 1),
    )
    if fourcc == _vtbf.FOURCC_BGRA:
        rgba = read_only(np.ascontiguousarray(rgba[:, :, [2, 1, 0, 3]]))
    return ReceivedFrame(
        rgba=rgba,
        frame_no=number,
        epoch=epoch,
        t_capture_ns=t_capture_ns,
        t_publish_ns=t_publish_ns,
        flags=FrameFlag(flags),
        alpha_mode=AlphaMode(slot[10]),
    )
