"""Read raw datagrams and their times from a file, to be played back bit for bit.

A ``.udpcap`` file is a sequence of records, all little-endian: float64 seconds since
the first datagram, uint32 length, that many bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vtbridge.errors import PacketError
from vtbridge.tracking.recordings.unpacked import UNPACKING_ERRORS, open_unpacked

MAX_DATAGRAM_BYTES = 65_535
MAX_CAPTURE_BYTES = 1 << 30
"""Longest file read: some ten hours of one phone."""
LONGEST_CAPTURE_S = 7 * 24 * 3600.0

_HEADER = struct.Struct("<dI")


@dataclass(frozen=True, slots=True)
class CapturedDatagram:
    """One datagram and when it came, in seconds since the first."""

    t_s: float
    data: bytes


def iter_capture(path: Path) -> Iterator[CapturedDatagram]:
    """Yield the datagrams of a capture, gzipped or not, reading no more than one ahead.

    Raises:
        PacketError: the file is no capture, is cut short, or its times run backwards;
            the message names the file and the place.
        OSError: it cannot be read.
    """
    with open_unpacked(path) as file:
        try:
            yield from _datagrams(path, file)
        except UNPACKING_ERRORS as error:
            raise _not_a_capture(path, file.tell(), f"gzip says: {error}") from error


def _datagrams(path: Path, file: BinaryIO) -> Iterator[CapturedDatagram]:
    last_s = 0.0
    while header := file.read(_HEADER.size):
        offset = file.tell() - len(header)
        if offset > MAX_CAPTURE_BYTES:
            raise _not_a_capture(path, offset, f"more than {MAX_CAPTURE_BYTES} bytes")
        if len(header) < _HEADER.size:
            raise _not_a_capture(path, offset, "the file ends inside a record")
        t_s, size = _HEADER.unpack(header)
        if not math.isfinite(t_s) or not last_s <= t_s <= LONGEST_CAPTURE_S:
            raise _not_a_capture(path, offset, f"a time of {t_s} s after {last_s} s")
        if size > MAX_DATAGRAM_BYTES:
            raise _not_a_capture(path, offset, f"a datagram of {size} bytes")
        data = file.read(size)
        if len(data) < size:
            raise _not_a_capture(path, offset, "the file ends inside a datagram")
        last_s = t_s
        yield CapturedDatagram(t_s, data)


def _not_a_capture(path: Path, offset: int, trouble: str) -> PacketError:
    return PacketError(
        f"{path} is not a whole .udpcap capture: {trouble} at byte {offset}; record it again",
        reason="capture",
    )
