"""Hand frames to other processes through a shared-memory segment of one's own."""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from vtbridge.closing import Closing
from vtbridge.datatypes import Frame
from vtbridge.errors import AlreadyRunning, FrameTransportError
from vtbridge.publish import _vtbf
from vtbridge.publish.segment import (
    SEGMENT_DIRECTORY,
    AlphaMode,
    HealthFlag,
    SegmentState,
    open_segment,
    read_status,
    refusal,
    same_file,
    segment_path,
)

log = logging.getLogger(__name__)

_START_PATIENCE_S = 0.5  # longest wait for the winner of a start race to write its pid
_RETRY_S = 1.0  # between attempts to replace a deleted segment where there is no room


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """A locked segment that frames can be stored in."""

    fd: int
    memory: mmap.mmap
    stores: _vtbf.Writer
    max_payload: int


class FrameWriter(Closing):
    """The only writer of one segment; belongs to the thread that renders.

    ``heartbeat`` and ``set_health`` may come from another thread.
    """

    def __init__(self, path: Path, slot_count: int, nominal_fps: float) -> None:
        """Hold nothing yet; ``open`` makes the segment."""
        self._path = path
        self._slot_count = slot_count
        self._fps_x1000 = round(nominal_fps * 1000)
        self._segment: _Segment | None = None
        self._retry_s = 0.0
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
        writer._segment = writer._acquire(max_width * max_height * _vtbf.BYTES_PER_PIXEL)
        with contextlib.suppress(OSError):
            writer._unfinished.unlink()  # of a writer that died while its segment moved
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
            FrameTransportError: the frame needs a larger segment and there is no room for one;
                smaller frames can still be written.
            AlreadyRunning: the segment was deleted and its name belongs to another writer.
            ValueError: the frame is not uint8 [H, W, 4], or the writer is closed.
        """
        rgba = frame.rgba
        if rgba.ndim != 3 or rgba.shape[2] != _vtbf.BYTES_PER_PIXEL or rgba.dtype != np.uint8:
            raise ValueError(f"a frame is uint8 [H, W, 4], not {rgba.dtype} {rgba.shape}")
        segment = self._open_segment()
        if rgba.nbytes > segment.max_payload:
            segment = self._move(segment, rgba.nbytes)
        elif os.fstat(segment.fd).st_nlink == 0:
            segment = self._restore(segment)
        pixels = rgba if rgba.flags.c_contiguous else np.ascontiguousarray(rgba)
        return segment.stores.publish(
            pixels,
            rgba.shape[1],
            rgba.shape[0],
            max(frame.t_capture_ns, 0),
            int(frame.flags),
            AlphaMode.PREMULTIPLIED,
        )

    def heartbeat(self) -> None:
        """Tell readers that the render loop lives although it has no new frame."""
        self._open_segment().stores.beat()

    def set_health(self, flags: HealthFlag) -> None:
        """Tell readers how the daemon fares."""
        segment = self._open_segment()
        self._health = flags  # first, so that a segment that takes over now has it too
        segment.stores.set_health(int(flags))

    def close(self) -> None:
        """Mark the segment closed and delete it; further calls do nothing."""
        if self._segment is None:
            return
        self._leave(self._segment, SegmentState.CLOSED)
        self._segment = None

    @property
    def _unfinished(self) -> Path:
        """Where the next segment lies until it is whole; no reader looks there."""
        return self._path.with_name(f".{self._path.name}.new")

    def _open_segment(self) -> _Segment:
        if self._segment is None:
            raise ValueError(f"the writer of {self._path} is closed")
        return self._segment

    def _acquire(self, max_payload: int) -> _Segment:
        """Create or take over the segment.

        The loop ends: each turn more means that another process just made or deleted it.
        """
        while True:
            try:
                fd = self._create(self._path)
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
                    self._allocate(fd, self._path, max_payload)
                    segment = self._start(fd, max_payload, latest=0)
                else:
                    takeover = self._take_over(fd, max_payload)
                    if takeover is None:
                        continue
                    segment = takeover
                kept = True
                return segment
            finally:
                if not kept:
                    os.close(fd)

    def _create(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except FileExistsError:
            raise
        except OSError as error:
            raise FrameTransportError(
                f"{path} cannot be created: {error.strerror}; shared memory must be mounted "
                f"at {path.parent} and writable for this user"
            ) from error
        os.fchmod(fd, 0o600)  # whatever the umask took away
        return fd

    def _allocate(self, fd: int, path: Path, max_payload: int) -> None:
        """Reserve every page now: a full file system is an error here and no SIGBUS later."""
        needed = _vtbf.total_bytes(self._slot_count, max_payload)
        try:
            os.posix_fallocate(fd, 0, needed)
        except OSError as error:
            path.unlink(missing_ok=True)
            free = os.statvfs(self._path.parent)
            raise FrameTransportError(
                f"{self._path} needs {needed / 1e6:.1f} MB, and {self._path.parent} has "
                f"{free.f_bavail * free.f_frsize / 1e6:.1f} MB free ({error.strerror}); free "
                f"some or enlarge it: sudo mount -o remount,size=1G {self._path.parent}"
            ) from error

    def _take_over(self, fd: int, max_payload: int) -> _Segment | None:
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

    def _start(self, fd: int, max_payload: int, *, latest: int) -> _Segment:
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        memory = mmap.mmap(fd, _vtbf.total_bytes(self._slot_count, max_payload), flags)
        self._epoch += 1
        stores = _vtbf.Writer(
            memory=memory,
            slot_count=self._slot_count,
            max_payload=max_payload,
            epoch=self._epoch,
            latest=latest,
            pid=os.getpid(),
            uuid=uuid.uuid4().bytes,
            fps_x1000=self._fps_x1000,
        )
        stores.set_health(int(self._health))
        return _Segment(fd, memory, stores, max_payload)

    def _move(self, old: _Segment, max_payload: int) -> _Segment:
        """Go on in a new segment; ``old`` stays as it is until the new one is there."""
        if same_file(old.fd, self._path):
            new = self._replace(max_payload)
        else:  # deleted by another program, and another writer may have the name by now
            new = self._acquire(max_payload)
        self._segment = new
        new.stores.set_health(int(self._health))  # which another thread may just have changed
        self._leave(old, SegmentState.MOVED)
        return new

    def _restore(self, old: _Segment) -> _Segment:
        """Give a deleted segment its name back; without room go on for the readers it has.

        Session clean-up (systemd's RemoveIPC) deletes the files of users who log out.
        """
        now_s = time.monotonic()
        if now_s < self._retry_s:
            return old
        try:
            segment = self._move(old, old.max_payload)
        except AlreadyRunning:
            raise
        except FrameTransportError as error:
            if not self._retry_s:
                log.warning("%s was deleted by another program; %s", self._path, error)
            self._retry_s = now_s + _RETRY_S
            return old
        log.warning("%s was deleted by another program; made anew", self._path)
        self._retry_s = 0.0
        return segment

    def _replace(self, max_payload: int) -> _Segment:
        """Finish a new segment beside the present one, then give it the name.

        The present one's lock keeps other writers away from the new one's temporary name.
        """
        unfinished = self._unfinished
        try:
            unfinished.unlink(missing_ok=True)
            fd = self._create(unfinished)
        except OSError as error:
            raise refusal(unfinished, str(error.strerror)) from error
        kept = False
        try:
            if not _vtbf.try_lock(fd):
                raise refusal(unfinished, "another program has locked it")
            self._allocate(fd, unfinished, max_payload)
            segment = self._start(fd, max_payload, latest=0)
            unfinished.replace(self._path)
            kept = True
            return segment
        finally:
            if not kept:
                unfinished.unlink(missing_ok=True)
                os.close(fd)

    def _leave(self, segment: _Segment, state: SegmentState) -> None:
        """Say goodbye, delete the name if it is still ours, and only then drop the lock."""
        segment.stores.release(int(state))
        if same_file(segment.fd, self._path):
            self._path.unlink(missing_ok=True)
        segment.memory.close()
        os.close(segment.fd)

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


def _has_open(pid: int, fd: int) -> bool:
    """Return True if process ``pid`` has the file behind our ``fd`` open."""
    here = os.fstat(fd)
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            there = link.stat()
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return True
    return False
