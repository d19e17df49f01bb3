"""One parent for each avatar's name, also while its renderer is between two starts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from vtbridge.errors import AlreadyRunning, VtbridgeError
from vtbridge.flow.file_lock import FileLock, LocksUnsupported

log = logging.getLogger(__name__)


def lock_path(name: str) -> Path:
    """Return the file that the parent of the avatar ``name`` locks."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False), f"{name}.lock")


@contextmanager
def held_name(name: str) -> Iterator[None]:
    """Hold the name of an avatar for the block.

    Raises:
        AlreadyRunning: another parent holds it; the message names that process.
        VtbridgeError: the lock cannot be made.
    """
    path = lock_path(name)
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not lock.acquire():
            raise AlreadyRunning(
                f"an avatar of this name is already running: {lock.holder()} keeps {name!r} "
                "running; stop it, or give this one another name with --name"
            )
    except LocksUnsupported:
        log.warning("%s cannot be locked: nothing keeps a second avatar %r away", path, name)
    except OSError as error:
        raise VtbridgeError(
            f"{path} cannot be made ({error.strerror}); make its folder writable"
        ) from error
    with lock:
        yield
