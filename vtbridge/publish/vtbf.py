"""Hand frames to other processes through shared memory, and take them out again.

One writer, any number of readers, no acknowledgements: no reader can block, slow or
crash the writer, and no reader ever shows a torn frame. ``integrations/PROTOCOL.md``
tells the protocol.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import mmap
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.datatypes import Frame, FrameFlag, U8Array, read_only
from vtbridge.errors import AlreadyRunning, FrameTransportError
from vtbridge.publish import _vtbf
from vtbridge.publish.segment import (
    HUNG_AFTER_S,
    SEGMENT_DIRECTORY,
    AlphaMode,
    HealthFlag,
    Liveness,
    SegmentState,
    SegmentStatus,
    check_header,
    list_segments,
    open_segment,
    read_status,
    refusal,
    same_file,
    segment_path,
)

__all__ = [
    "AlphaMode",
    "FrameReader",
    "FrameWriter",
    "HealthFlag",
    "Liveness",
    "ReceivedFrame",
    "SegmentState",
    "SegmentStatus",
    "list_segments",
    "segment_path",
]

log = logging.getLogger(__name__)

_CHECK_AFTER_S = 0.25  # a reader without a frame asks this often whether the writer still is
_OVERTAKEN_S = 0.0002  # pause of a reader that the writer overtook again and again
_REOPEN_EVERY_S = 0.05  # a reader without a segment looks this often for a new one
_START_PATIENCE_S = 0.5  # longest wait for the winner of a start race to write its pid


class FrameWriter:
    """The only writer of one segment; belongs to the thread that renders.

    ``heartbeat`` and ``set_health`` may come from another thread.
    """

    def __init__(self, path: Path, slot_count: int, nominal_fps: float) -> None:
        """Hold nothing yet; ``open`` makes the segment."""
        self._path = path
        self._slot_count = slot_count
        self._fps_x1000 = round(nominal_fps * 1000)
        self._fd = -1
        self._memory: mmap.mmap | None = None
        self._stores: _vtbf.Writer | None = None
        self._max_payload = 0
        self._epoch = 0
        self._health = HealthFlag.NONE

    @classmethod
    def open(
        cls,
        name: str,
        *,
        max_width: int = 512,
        max_height: int = 512,
        slot_count: int = 4,
        nominal_fps: float = 30.0,
        directory: Path = SEGMENT_DIRECTORY,
    ) -> Self:
        """Create the segment of the avatar ``name``, or take over a dead writer's.

        Args:
            name: of the avatar, 1 to 16 characters.
            max_width: of the largest frame expected, pixels; larger ones move the segment.
            max_height: likewise.
            slot_count: 2..16 frames held at once.
            nominal_fps: what the writer aims at; for readers' information.
            directory: of shared memory.

        Raises:
            AlreadyRunning: another living writer holds the segment.
            FrameTransportError: no room, no support, or the name is taken by something else.
            ValueError: a measure is out of range.
        """
        for side in (max_width, max_height):
            if not 1 <= side <= _vtbf.MAX_SIDE:
                raise ValueError(f"a frame's side must lie in 1..{_vtbf.MAX_SIDE}, not {side}")
        if not _vtbf.MIN_SLOTS <= slot_count <= _vtbf.MAX_SLOTS:
            raise ValueError(
                f"slot_count must lie in {_vtbf.MIN_SLOTS}..{_vtbf.MAX_SLOTS}, not {slot_count}"
            )
        if not 0 < nominal_fps <= 1000:
            raise ValueError(f"nominal_fps must lie in 0..1000, not {nominal_fps}")
        writer = cls(segment_path(name, directory=directory), slot_count, nominal_fps)
        writer._acquire(max_width * max_height * _vtbf.BYTES_PER_PIXEL)
        return writer

    @property
    def path(self) -> Path:
        """Where the segment lies."""
        return self._path

    @property
    def epoch(self) -> int:
        """Starts of a writer on this segment so far, this one included."""
        return self._epoch

    def write(self, frame: Frame) -> int:
        """Publish ``frame`` and return its number.

        A frame larger than any before moves the segment; readers follow by themselves.

        Raises:
            FrameTransportError: the segment had to move and there was no room.
            ValueError: the frame is not uint8 [H, W, 4], or the writer is closed.
        """
        rgba = frame.rgba
        if rgba.ndim != 3 or rgba.shape[2] != _vtbf.BYTES_PER_PIXEL or rgba.dtype != np.uint8:
            raise ValueError(f"a frame is uint8 [H, W, 4], not {rgba.dtype} {rgba.shape}")
        stores = self._open_stores()
        if rgba.nbytes > self._max_payload:
            stores = self._move(rgba.nbytes)
        elif os.fstat(self._fd).st_nlink == 0:
            # Session clean-up (systemd's RemoveIPC) deletes the files of users who log out.
            log.warning("%s was deleted by another program; making it anew", self._path)
            stores = self._move(self._max_payload)
        pixels = rgba if rgba.flags.c_contiguous else np.ascontiguousarray(rgba)
        return stores.publish(
            pixels,
            rgba.shape[1],
            rgba.shape[0],
            max(frame.t_capture_ns, 0),
            int(frame.flags),
            AlphaMode.PREMULTIPLIED,
        )

    def heartbeat(self) -> None:
        """Tell readers that the render loop lives although it has no new frame."""
        self._open_stores().beat()

    def set_health(self, flags: HealthFlag) -> None:
        """Tell readers how the daemon fares."""
        self._open_stores().set_health(int(flags))
        self._health = flags

    def close(self) -> None:
        """Mark the segment closed and delete it; further calls do nothing."""
        if self._stores is None:
            return
        self._leave(SegmentState.CLOSED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_stores(self) -> _vtbf.Writer:
        if self._stores is None:
            raise ValueError(f"the writer of {self._path} is closed")
        return self._stores

    def _acquire(self, max_payload: int) -> _vtbf.Writer:
        """Create or take over the segment.

        The loop ends: each turn more means that another process just made or deleted it.
        """
        while True:
            try:
                fd = self._create()
            except FileExistsError:
                try:
                    fd = open_segment(self._path, writable=True)
                except FileNotFoundError:
                    continue
            kept = False
            try:
                if not _vtbf.try_lock(fd):
                    raise self._already_running(fd)
                if not same_file(fd, self._path):
                    continue  # its last writer deleted it between our open and our lock
                if os.fstat(fd).st_size == 0:
                    self._allocate(fd, max_payload)
                    stores = self._start(fd, max_payload, latest=0)
                else:
                    takeover = self._take_over(fd, max_payload)
                    if takeover is None:
                        continue
                    stores = takeover
                kept = True
                return stores
            finally:
                if not kept:
                    os.close(fd)

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(self._path, flags, 0o600)
        except FileExistsError:
            raise
        except OSError as error:
            raise FrameTransportError(
                f"{self._path} cannot be created: {error.strerror}; shared memory must be mounted "
                f"at {self._path.parent} and writable for this user"
            ) from error
        os.fchmod(fd, 0o600)  # whatever the umask took away
        return fd

    def _allocate(self, fd: int, max_payload: int) -> None:
        """Reserve every page now: a full file system is an error here and no SIGBUS later."""
        needed = _vtbf.total_bytes(self._slot_count, max_payload)
        try:
            os.posix_fallocate(fd, 0, needed)
        except OSError as error:
            self._path.unlink(missing_ok=True)
            free = os.statvfs(self._path.parent)
            raise FrameTransportError(
                f"{self._path} needs {needed / 1e6:.1f} MB, and {self._path.parent} has "
                f"{free.f_bavail * free.f_frsize / 1e6:.1f} MB free ({error.strerror}); free "
                f"some or enlarge it: sudo mount -o remount,size=1G {self._path.parent}"
            ) from error

    def _take_over(self, fd: int, max_payload: int) -> _vtbf.Writer | None:
        """Go on in a dead writer's segment, or delete one that does not fit and return None.

        Raises:
            FrameTransportError: the file was never a segment, so it is not ours to delete.
        """
        header = os.pread(fd, _vtbf.HEADER_BYTES, 0)
        _, _, geometry = _vtbf.check_header(header, os.fstat(fd).st_size)
        if not header.startswith(_vtbf.MAGIC) and any(header[: len(_vtbf.MAGIC)]):
            raise refusal(self._path, "it is no vtbf segment")
        status = read_status(fd)
        if status is not None and geometry is not None:
            self._epoch = status.epoch
            slot_count, found_payload, native = geometry
            if native and slot_count == self._slot_count and found_payload >= max_payload:
                return self._start(fd, found_payload, latest=status.latest)
        # Ours (name, owner, mode, magic) and dead (we hold its lock), but of other measures, of
        # another version or never finished: readers see the deletion and follow.
        self._path.unlink()
        return None

    def _start(self, fd: int, max_payload: int, *, latest: int) -> _vtbf.Writer:
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        memory = mmap.mmap(fd, _vtbf.total_bytes(self._slot_count, max_payload), flags)
        self._epoch += 1
        self._stores = _vtbf.Writer(
            memory=memory,
            slot_count=self._slot_count,
            max_payload=max_payload,
            epoch=self._epoch,
            latest=latest,
            pid=os.getpid(),
            uuid=uuid.uuid4().bytes,
            fps_x1000=self._fps_x1000,
        )
        self._stores.set_health(int(self._health))
        self._fd, self._memory, self._max_payload = fd, memory, max_payload
        return self._stores

    def _move(self, max_payload: int) -> _vtbf.Writer:
        self._leave(SegmentState.MOVED)
        return self._acquire(max_payload)

    def _leave(self, state: SegmentState) -> None:
        """Say goodbye, delete the name if it is still ours, and only then drop the lock."""
        stores, memory = self._stores, self._memory
        if stores is None or memory is None:
            return
        stores.release(int(state))
        self._stores = None
        if same_file(self._fd, self._path):
            self._path.unlink(missing_ok=True)
        memory.close()
        os.close(self._fd)
        self._fd, self._memory = -1, None

    def _already_running(self, fd: int) -> AlreadyRunning:
        """Name the holder; while it starts, the header may still name the writer before it."""
        deadline = time.monotonic() + _START_PATIENCE_S
        holder = "another process"
        while time.monotonic() < deadline:
            status = read_status(fd)
            if status is not None and _has_open(status.writer_pid, fd):
                holder = f"process {status.writer_pid}"
                break
            time.sleep(0.01)
        return AlreadyRunning(
            f"an avatar of this name is already running: {holder} writes {self._path}; stop it, "
            "or give this one another name"
        )


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


class FrameReader:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
        status = self.status()
        if status is None or self._page is None or status.state is not SegmentState.LIVE:
            time.sleep(min(remaining_ns / NS_PER_S, _REOPEN_EVERY_S))
            return
        if status.latest > seen:
            time.sleep(_OVERTAKEN_S)
            return
        slice_ns = min(remaining_ns, round(_CHECK_AFTER_S * NS_PER_S))
        if _vtbf.wait(self._page, status.wake, slice_ns) == errno.EFAULT:
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


def _has_open(pid: int, fd: int) -> bool:
    """Return True if process ``pid`` has the file behind our ``fd`` open."""
    here = os.fstat(fd)
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            there = link.stat()
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return True
    return False
