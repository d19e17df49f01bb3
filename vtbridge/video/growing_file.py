"""A file that grows until it is ended, or until the disk is full, and can be read either way."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import IO

from vtbridge.closing import Closing

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_BLOCK = bytes(1 << 20)


class GrowingFile(Closing):
    """What PyAV writes a container into; belongs to one thread.

    Beside the file lies a reserve without a name, which the system frees with the process. On
    a full disk it makes room for what ends the file: the last packets and the index.

    Attributes:
        size: bytes so far.
        full: what the disk said when it took no more, None while it does.

    Args:
        path: of the new file.
        reserve_bytes: what is kept for the end.

    Raises:
        FileExistsError: there is one already.
        OSError: it cannot be made, or there is not even room for the reserve.
    """

    def __init__(self, path: Path, *, reserve_bytes: int) -> None:
        self.size = 0
        self.full: OSError | None = None
        self._path = path
        self._whole = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        self._reserve: IO[bytes] | None = None
        try:
            self._reserve = _reserved(path.parent, reserve_bytes)
        except OSError as error:
            self.discard()
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error

    def write(self, data: bytes) -> int:
        """Write all of ``data`` and return its length.

        Raises:
            OSError: the disk takes no more, not even in place of the reserve.
        """
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._file, view) :]
            except OSError as error:
                self.full = self.full or error
                if self._reserve is None or error.errno not in _NO_ROOM:
                    raise
                self._reserve.close()
                self._reserve = None
        self.size = max(self.size, self.tell())
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file and return it."""
        return os.lseek(self._file, offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return os.lseek(self._file, 0, os.SEEK_CUR)

    def mark(self) -> None:
        """Note that all written so far can be read, whatever follows."""
        self._whole = self.size

    def mend(self) -> bool:
        """Cut off what was written since the last mark; return whether anything is left."""
        os.ftruncate(self._file, self._whole)
        self.size = self._whole
        return self._whole > 0

    def close(self) -> None:
        """Close the file and free the reserve; further calls do nothing."""
        if self._reserve is not None:
            with contextlib.suppress(OSError):
                self._reserve.close()
            self._reserve = None
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    def discard(self) -> None:
        """Close the file and delete it."""
        self.close()
        self._path.unlink(missing_ok=True)


def _reserved(folder: Path, size: int) -> IO[bytes]:
    """Return a file without a name that takes up ``size`` bytes of the disk."""
    # Not buffered: what could not be written must not be tried once more when it is closed.
    file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - kept open
    try:
        while size > 0:
            size -= file.write(_BLOCK[:size])
    except OSError:
        file.close()
        raise
    return file
