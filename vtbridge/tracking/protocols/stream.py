"""Cut a TCP stream into what would be datagrams over UDP, no socket.

The records go to the same protocol's ``feed``. Memory is bounded by the longest record
and what was read last, whatever arrives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from vtbridge.errors import PacketError
from vtbridge.tracking.protocols import fmv3_messages as fmv3

TEXT_END = b"___iFacialMocap"
"""Ends each record of iFacialMocap's text."""
MAX_TEXT_BYTES = 8192


class StreamFramer(ABC):
    """Find the records in the bytes of one connection; a new connection wants a new one.

    Attributes:
        broken: True once the stream cannot be followed any further: close the connection.
    """

    def __init__(self) -> None:
        self.broken = False
        self._buffer = bytearray()
        self._found: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read, any number of bytes, and return the records it completes.

        Raises:
            PacketError: it holds a record that is longer than any can be, or none of the
                protocol. Good records beside it are returned by the next call.
        """
        found = self._found
        self._found = []
        if not self.broken:
            self._buffer += data
            try:
                found += self._cut()
            except PacketError:
                self._found = found + self._found
                raise
        elif not found:
            raise PacketError("the stream was damaged before", reason="damaged stream")
        return found

    @abstractmethod
    def _cut(self) -> list[bytes]:
        """Take whole records off the buffer; those found before an error go to ``_found``."""


class TextFramer(StreamFramer):
    """iFacialMocap's text: each record ends with ``___iFacialMocap``.

    After damage it goes on behind the next end.
    """

    def __init__(self) -> None:
        super().__init__()
        self._skipping = False

    def _cut(self) -> list[bytes]:
        *whole, rest = bytes(self._buffer).split(TEXT_END)
        too_long = 0
        for record in whole:
            if self._skipping:
                self._skipping = False  # the rest of what was too long
            elif len(record) > MAX_TEXT_BYTES:
                too_long = len(record)
            elif record:
                self._found.append(record)
        if len(rest) >= MAX_TEXT_BYTES + len(TEXT_END):
            if not self._skipping:
                too_long = len(rest)
            self._skipping = True
            rest = rest[-len(TEXT_END) :]  # may be the first half of an end
        self._buffer[:] = rest
        if too_long:
            raise PacketError(
                f"a record of {too_long} bytes or more in iFacialMocap's stream; "
                f"{MAX_TEXT_BYTES} are the most",
                reason="ifacialmocap size",
            )
        found, self._found = self._found, []
        return found


class Fmv3Framer(StreamFramer):
    """FMV3: each header tells its message's length. Damage is the end of the connection."""

    def _cut(self) -> list[bytes]:
        try:
            while len(self._buffer) >= fmv3.HEADER.size:
                size = fmv3.message_bytes(bytes(self._buffer[: fmv3.HEADER.size]))
                if len(self._buffer) < size:
                    break
                self._found.append(bytes(self._buffer[:size]))
                del self._buffer[:size]
        except PacketError:
            self.broken = True
            self._buffer.clear()
            raise
        found, self._found = self._found, []
        return found
