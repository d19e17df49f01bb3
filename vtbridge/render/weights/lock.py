"""One writer at a time: a file lock that dies with its holder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vtbridge.errors import WeightsError

LOCK_FILE = ".lock"
_RETRY_S = 0.2

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _locked(handle: int, root: Path) -> bool:
    try:
        return _try_lock(handle)
    except OSError as error:  # such as a network drive without locks
        raise WeightsError(
            f"the store {root} cannot be locked ({error}): set VTBRIDGE_WEIGHTS_DIR to a folder "
            "on a local disk"
        ) from error


@contextmanager
def writing(
    root: Path, *, timeout_s: float = 900.0, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the store's write lock; kill -9 releases it, so nothing is ever left locked.

    Args:
        root: the store's folder; created if it is missing.
        timeout_s: how long to wait for another writer.
        waiting: called once if another writer has to be waited for.

    Raises:
        WeightsError: another writer did not finish in time, or the folder cannot be made or
            locked.
    """
    path = root / LOCK_FILE
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise WeightsError(
            f"the store {root} cannot be written ({error}): set VTBRIDGE_WEIGHTS_DIR to a "
            "folder of yours"
        ) from error
    try:
        deadline = time.monotonic() + timeout_s
        told = False
        while not _locked(handle, root):
            if time.monotonic() >= deadline:
                raise WeightsError(
                    f"another vtbridge has been writing to {root} for {timeout_s:.0f} s: "
                    "wait until it is done, or end it"
                )
            if waiting is not None and not told:
                waiting()
                told = True
            time.sleep(_RETRY_S)
        yield
    finally:
        os.close(handle)
