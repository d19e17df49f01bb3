"""A file that one process at a time holds: its lock dies with its holder."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import Self

_NAME_BYTES = 512

if sys.platform == "win32":
    import errno
    import msvcrt

    # Windows keeps others from reading what is locked; the holder's name must stay readable.
    _LOCKED_BYTE = 1 << 20

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class LocksUnsupported(OSError):
    """The disk has no locks, as some network drives have none."""


class FileLock:
    """A lock on a file, which names its holder; ``with`` lets it go at the end of the block.

    ``kill -9`` lets it go too, so nothing is ever left locked. It also keeps out another
    ``FileLock`` of the same process, but not a process forked while it is held. The file stays
    when the lock goes; nobody but the holder may delete it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> bool:
        """Return True if this process holds the lock from now on, False if another does.

        Raises:
            LocksUnsupported: the file can be had, but not locked.
            OSError: the file cannot be made or opened.
            ValueError: this object holds it already.
        """
        if self._descriptor is not None:
            raise ValueError(f"{self.path} is held already")
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        is_held = False
        try:
            is_held = self._lock(descriptor)
        finally:
            if not is_held:
                os.close(descriptor)
        if is_held:
            self._descriptor = descriptor
            _write_name(descriptor, f"{os.getpid()} {platform.node()}")
        return is_held

    def release(self) -> None:
        """Let the lock go if it is held."""
        if self._descriptor is None:
            return
        _write_name(self._descriptor, "")
        os.close(self._descriptor)
        self._descriptor = None

    def holder(self) -> str:
        """Return who holds the lock: ``pid 4711``, and on which computer if not on this one."""
        try:
            with self.path.open("rb") as file:
                pid, _, computer = file.read(_NAME_BYTES).decode("utf-8", "replace").partition(" ")
        except OSError:
            pid = computer = ""
        if not pid.isdecimal():
            return "pid unknown"
        return f"pid {pid}" if computer == platform.node() else f"pid {pid} on {computer}"

    def _lock(self, descriptor: int) -> bool:
        try:
            is_locked = _try_lock(descriptor)
        except OSError as error:
            raise LocksUnsupported(
                error.errno, error.strerror or str(error), str(self.path)
            ) from error
        return is_locked and self._is_in_place(descriptor)

    def _is_in_place(self, descriptor: int) -> bool:
        """Return False where the last holder deleted the file between opening and locking it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def _write_name(descriptor: int, name: str) -> None:
    # A full disk takes the name from a message, not the lock from its holder.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)  # it stands elsewhere on Windows
        os.write(descriptor, name.encode("utf-8", "replace"))
