"""Where vtbf segments lie, who may open one, and the words of their protocol.

A segment is a file in shared memory that only its owner may touch. Whatever lies
under its name and is anything else is refused, never followed and never deleted.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from pathlib import Path

from vtbridge.errors import FrameTransportError, SegmentsUnsupported
from vtbridge.publish import _vtbf

SEGMENT_DIRECTORY = Path("/dev/shm")  # noqa: S108 - shared memory is the point
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}"
"""Of an avatar; short because ``/vtbf-<uid>-<name>`` may have 30 characters on macOS."""

HUNG_AFTER_S = 1.0
"""Age of the heartbeat from which a living writer counts as hung."""


class SegmentState(IntEnum):
    """What the writer says of its segment."""

    INIT = _vtbf.STATE_INIT
    LIVE = _vtbf.STATE_LIVE
    CLOSED = _vtbf.STATE_CLOSED
    MOVED = _vtbf.STATE_MOVED


class HealthFlag(IntFlag):
    """How the daemon fares; every bit but READY is a reason why it is degraded."""

    NONE = 0
    READY = _vtbf.HEALTH_READY
    TRACKER_LOST = _vtbf.HEALTH_TRACKER_LOST
    INFERENCE_FAILED = _vtbf.HEALTH_INFERENCE_FAILED
    RUNTIME_FALLBACK = _vtbf.HEALTH_RUNTIME_FALLBACK
    SLOW = _vtbf.HEALTH_SLOW
    INPUT_DOWN = _vtbf.HEALTH_INPUT_DOWN
    OBS_UNREACHABLE = _vtbf.HEALTH_OBS_UNREACHABLE
    RECORDER_OFF = _vtbf.HEALTH_RECORDER_OFF


class AlphaMode(IntEnum):
    """What the fourth byte of a pixel means."""

    STRAIGHT = _vtbf.ALPHA_STRAIGHT
    PREMULTIPLIED = _vtbf.ALPHA_PREMULTIPLIED
    OPAQUE = _vtbf.ALPHA_OPAQUE


class Liveness(Enum):
    """Whether anybody still writes."""

    LIVE = "live"
    """The writer holds its lock and its heartbeat is fresh."""

    HUNG = "hung"
    """The writer holds its lock, but its render loop stands still."""

    GONE = "gone"
    """The writer died without a word."""

    CLOSED = "closed"
    """The writer ended on purpose."""


@dataclass(frozen=True, slots=True)
class SegmentStatus:
    """The changing part of a segment's header at one moment.

    Attributes:
        epoch: starts of a writer on this segment so far.
        writer_pid: for messages only; a dead writer's number may belong to anybody.
        state: see ``SegmentState``.
        uuid: of the writer's present start, 16 bytes.
        nominal_fps: what the writer aims at.
        latest: number of the newest complete frame, 0 = none.
        wake: the futex word.
        heartbeat_ns: monotonic time of the writer's last sign of life.
        health: see ``HealthFlag``.
    """

    epoch: int
    writer_pid: int
    state: SegmentState
    uuid: bytes
    nominal_fps: float
    latest: int
    wake: int
    heartbeat_ns: int
    health: HealthFlag


def segment_path(name: str, *, directory: Path = SEGMENT_DIRECTORY) -> Path:
    """Return the path of the segment that the avatar ``name`` of this user has.

    Raises:
        FrameTransportError: the name cannot be part of a file's name, or this system has no
            segments.
    """
    _require_support()
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise FrameTransportError(
            f"the avatar name {name!r} cannot be used; take 1 to 16 letters, digits, '-' or '_', "
            "a letter or digit first"
        )
    return directory / f"vtbf-{os.getuid()}-{name}"


def list_segments(*, directory: Path = SEGMENT_DIRECTORY) -> list[Path]:
    """Return the paths of this user's segments, living or left behind, sorted."""
    if not _vtbf.SUPPORTED:
        return []
    return sorted(directory.glob(f"vtbf-{os.getuid()}-*"))


def open_segment(path: Path, *, writable: bool) -> int:
    """Open a segment that exists and return its descriptor.

    Raises:
        FileNotFoundError: nothing lies there.
        FrameTransportError: it is no private file of this user.
    """
    access = os.O_RDWR if writable else os.O_RDONLY
    try:
        # O_NONBLOCK: opening a FIFO that somebody put there must not wait for its other end.
        fd = os.open(path, access | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "it is a symbolic link" if path.is_symlink() else str(error.strerror)
        raise refusal(path, reason) from error
    try:
        _require_private(path, os.fstat(fd))
    except FrameTransportError:
        os.close(fd)
        raise
    return fd


def same_file(fd: int, path: Path) -> bool:
    """Return True if ``path`` still names the open file."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def check_header(path: Path, header: bytes, file_bytes: int) -> None:
    """Refuse a header that breaks the protocol.

    Raises:
        FrameTransportError: names the path, what is wrong and the remedy.
    """
    problem, text, _ = _vtbf.check_header(header, file_bytes)
    if problem == _vtbf.FINE:
        return
    if problem == _vtbf.WRONG_ABI:
        raise FrameTransportError(
            f"{path} cannot be read: {text}; update vtbridge and what shows its frames together"
        )
    raise refusal(path, text)


def read_status(fd: int) -> SegmentStatus | None:
    """Return the changing part of the header, None if the file holds none (any more)."""
    live = _vtbf.read_live(fd)
    if live is None:
        return None
    epoch, pid, state, uuid, fps_x1000, latest, wake, heartbeat_ns, health = live
    try:
        known_state = SegmentState(state)
    except ValueError:
        return None
    return SegmentStatus(
        epoch=epoch,
        writer_pid=pid,
        state=known_state,
        uuid=uuid,
        nominal_fps=fps_x1000 / 1000,
        latest=latest,
        wake=wake,
        heartbeat_ns=heartbeat_ns,
        health=HealthFlag(health),
    )


def _require_support() -> None:
    if not _vtbf.SUPPORTED:
        raise SegmentsUnsupported(
            f"shared-memory frames are not supported yet on this system ({sys.platform}); "
            "OBS gets them over TCP as a Media Source: vtbridge obs setup"
        )


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise refusal(path, "it is no ordinary file")
    if found.st_uid != os.geteuid():
        raise refusal(path, f"it belongs to user {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise refusal(path, f"others may open it (mode {stat.S_IMODE(found.st_mode):04o})")


def refusal(path: Path, reason: str) -> FrameTransportError:
    """Return the error that says why ``path`` is left alone and what to do about it."""
    return FrameTransportError(
        f"{path} is not used, because {reason}; find out who made it, then remove it: rm {path}"
    )
