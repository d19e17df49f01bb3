"""A disk with little room, for code that writes with ``os.write`` into files of its own."""

from __future__ import annotations

import errno
import os
import tempfile
from types import SimpleNamespace
from typing import IO, Any

import pytest


class SmallDisk:
    """Let ``GrowingFile`` write ``room`` bytes, its reserve counted until it is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, room: int) -> None:
        self.room = room
        self.used = 0
        real_write, real_file = os.write, tempfile.TemporaryFile
        disk = self

        def write(descriptor: int, data: Any) -> int:
            at, end = os.lseek(descriptor, 0, os.SEEK_CUR), os.fstat(descriptor).st_size
            free = disk.room - disk.used + max(end - at, 0)
            if not free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken = real_write(descriptor, memoryview(data)[:free])
            disk.used += max(at + taken - end, 0)
            return taken

        class Reserve:
            def __init__(self, **options: Any) -> None:
                self._file: IO[bytes] = real_file(**options)
                self._size = 0

            def write(self, data: bytes) -> int:
                if disk.used + len(data) > disk.room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                disk.used += len(data)
                self._size += len(data)
                return len(data)

            def close(self) -> None:
                disk.used -= self._size
                self._size = 0
                self._file.close()

        module = "vtbridge.video.growing_file"
        monkeypatch.setattr(f"{module}.os", SimpleNamespace(**(vars(os) | {"write": write})))
        monkeypatch.setattr(f"{module}.tempfile", SimpleNamespace(TemporaryFile=Reserve))
