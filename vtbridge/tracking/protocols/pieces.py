"""Join the pieces of messages too large for one datagram, in bounded memory."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from vtbridge.errors import PacketError

MAX_OPEN = 8
"""Messages whose pieces are waited for at the same time; the oldest gives way."""
MAX_BYTES = 262_144
"""Bytes of all pieces kept."""


@dataclass(slots=True)
class _Open:
    since_ns: int
    wait_ns: int
    total: int
    count: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


class PieceJoiner:
    """Collect pieces until a message is whole, is too old, or gives way to newer ones."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Open] = {}
        self._size = 0

    def clear(self) -> None:
        """Forget every piece."""
        self._open.clear()
        self._size = 0

    def join(
        self,
        key: Hashable,
        piece: bytes,
        *,
        number: int,
        count: int,
        total: int,
        t_ns: int,
        wait_ns: int,
    ) -> bytes | None:
        """Take one piece; return the whole message once the last has come.

        Args:
            key: of the message; all of its pieces have the same.
            piece: its bytes.
            number: of the piece, 0 <= number < count.
            count: pieces of the message.
            total: bytes of the message.
            t_ns: arrival; old messages are forgotten by it.
            wait_ns: how long the message's pieces are worth waiting for.

        Raises:
            PacketError: the piece contradicts those before it; they are forgotten.
        """
        if count == 1:
            return piece
        self._forget_old(t_ns)
        message = self._open.setdefault(key, _Open(t_ns, wait_ns, total, count))
        if message.pieces.get(number) == piece and message.count == count:
            return None  # doubled on its way
        fits = message.total == total and message.count == count
        if not fits or number in message.pieces or message.size + len(piece) > total:
            self._forget(key)
            raise PacketError(
                f"piece {number} of {count} does not fit the pieces before it",
                reason="pieces disagree",
            )
        message.pieces[number] = piece
        message.size += len(piece)
        self._size += len(piece)
        if len(message.pieces) == count:
            self._forget(key)
            if message.size != total:
                raise PacketError(
                    f"{count} pieces make {message.size} bytes, not {total}",
                    reason="pieces disagree",
                )
            return b"".join(message.pieces[i] for i in range(count))
        self._make_room(key)
        return None

    def _forget(self, key: Hashable) -> None:
        self._size -= self._open.pop(key).size

    def _forget_old(self, t_ns: int) -> None:
        for key in [k for k, m in self._open.items() if t_ns - m.since_ns >= m.wait_ns]:
            self._forget(key)

    def _make_room(self, newest: Hashable) -> None:
        while len(self._open) > MAX_OPEN or self._size > MAX_BYTES:
            oldest = next(iter(self._open))
            if oldest == newest and len(self._open) > 1:
                oldest = next(key for key in self._open if key != newest)
            self._forget(oldest)
