"""One writer to the store at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.flow.file_lock import FileLock, LocksUnsupported

LOCK_FILE = ".lock"
_RETRY_S = 0.2


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
    with FileLock(root / LOCK_FILE) as lock:
        deadline = time.monotonic() + timeout_s
        told = False
        while not _acquired(lock, root):
            if time.monotonic() >= deadline:
                raise WeightsError(
                    f"another vtbridge ({lock.holder()}) has been writing to {root} for "
                    f"{timeout_s:.0f} s: wait until it is done, or end it"
                )
            if waiting is not None and not told:
                waiting()
                told = True
            time.sleep(_RETRY_S)
        yield


def _acquired(lock: FileLock, root: Path) -> bool:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return lock.acquire()
    except LocksUnsupported as error:
        raise WeightsError(
            f"the store {root} cannot be locked ({error}): set VTBRIDGE_WEIGHTS_DIR to a folder "
            "on a local disk"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"the store {root} cannot be written ({error}): set VTBRIDGE_WEIGHTS_DIR to a "
            "folder of yours"
        ) from error
