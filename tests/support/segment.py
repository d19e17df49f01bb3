"""Hand-made vtbf segments, byte by byte from the protocol, so that any field can be wrong."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PAGE = 4096
COLOUR = (200, 100, 50, 255)
_SIDE = 64
_PAYLOAD = _SIDE * _SIDE * 4
_STRIDE = (128 + _PAYLOAD + PAGE - 1) // PAGE * PAGE
_FOURCC_RGBA = 0x41424752


def segment_bytes(
    *,
    magic: bytes = b"VTBFRM1\0",
    abi_major: int = 1,
    header_bytes: int = PAGE,
    total_bytes: int = PAGE + 2 * _STRIDE,
    slot_count: int = 2,
    slot_header_bytes: int = 128,
    slot_stride: int = _STRIDE,
    max_payload: int = _PAYLOAD,
    state: int = 1,
    latest: int = 2,
    seq: int = 4,
    frame_no: int = 2,
    width: int = _SIDE,
    height: int = _SIDE,
    stride: int = _SIDE * 4,
    fourcc: int = _FOURCC_RGBA,
    payload: int = _PAYLOAD,
    alpha_mode: int = 1,
) -> bytes:
    """Return a segment of two 64x64 slots whose first shows frame 2, except for what is given.

    The heartbeat lies an hour ahead, so that the segment counts as alive meanwhile.
    """
    header = magic + struct.pack(
        "<HHIQIIQQQII16sI",
        abi_major,
        0,
        header_bytes,
        total_bytes,
        slot_count,
        slot_header_bytes,
        slot_stride,
        max_payload,
        1,
        os.getpid(),
        state,
        b"instance--------",
        30_000,
    )
    live = struct.pack("<QIIQI", latest, 0, 0, time.monotonic_ns() + 3_600_000_000_000, 0)
    metadata = struct.pack(
        "<QQQQQIIIIIII4B",
        seq,
        frame_no,
        1,
        0,
        0,
        width,
        height,
        stride,
        fourcc,
        payload,
        0,
        0,
        alpha_mode,
        1,
        13,
        1,
    )
    slot = (metadata.ljust(128, b"\0") + bytes(COLOUR) * (_SIDE * _SIDE)).ljust(_STRIDE, b"\0")
    return (header.ljust(128, b"\0") + live).ljust(PAGE, b"\0") + slot + bytes(_STRIDE)


class Segment:
    """A file in shared memory that holds given bytes, and the lock that a living writer holds."""

    def __init__(self, path: Path, content: bytes, *, locked: bool = True) -> None:
        self._path = path
        self._content = content
        self._locked = locked
        self._descriptor = -1

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        if self._locked:
            whole_file = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, whole_file)
        os.pwrite(self._descriptor, self._content, 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._path.unlink()
        os.close(self._descriptor)

    def overwrite(self, offset: int, content: bytes) -> None:
        """Change the bytes from ``offset`` on."""
        os.pwrite(self._descriptor, content, offset)
