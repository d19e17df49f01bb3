"""Pieces are joined in any order, and never kept without bound."""

from __future__ import annotations

import itertools

import pytest

from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.pieces import MAX_BYTES, MAX_OPEN, PieceJoiner

WHOLE = bytes(range(25))
PIECES = [WHOLE[:10], WHOLE[10:20], WHOLE[20:]]
WAIT_NS = 1000


def give(
    joiner: PieceJoiner, number: int, *, key: object = "a", t_ns: int = 0, piece: bytes = b""
) -> bytes | None:
    return joiner.join(
        key,
        piece or PIECES[number],
        number=number,
        count=len(PIECES),
        total=len(WHOLE),
        t_ns=t_ns,
        wait_ns=WAIT_NS,
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_order_does_not_matter(order: tuple[int, ...]) -> None:
    joiner = PieceJoiner()
    *first, last = order
    assert [give(joiner, number) for number in first] == [None, None]
    assert give(joiner, last) == WHOLE


def test_doubled_piece_is_taken_once() -> None:
    joiner = PieceJoiner()
    assert [give(joiner, number) for number in (0, 0, 1, 1)] == [None] * 4
    assert give(joiner, 2) == WHOLE


@pytest.mark.parametrize("changed", [{"total": 26}, {"count": 4}, {"piece": b"other"}])
def test_contradiction_is_refused_and_forgets_the_message(changed: dict[str, object]) -> None:
    joiner = PieceJoiner()
    give(joiner, 0)
    known: dict[str, object] = {"piece": PIECES[0], "number": 0, "count": 3, "total": 25}
    if "piece" not in changed:
        known |= {"piece": PIECES[1], "number": 1}
    with pytest.raises(PacketError):
        joiner.join("a", **(known | changed), t_ns=0, wait_ns=WAIT_NS)  # type: ignore[arg-type]
    assert [give(joiner, number) for number in (1, 2)] == [None, None]
    assert give(joiner, 0) == WHOLE


def test_pieces_that_are_too_short_are_refused() -> None:
    joiner = PieceJoiner()
    give(joiner, 0)
    give(joiner, 1)
    with pytest.raises(PacketError):
        give(joiner, 2, piece=b"x")


def test_old_pieces_are_forgotten() -> None:
    joiner = PieceJoiner()
    give(joiner, 0)
    give(joiner, 1, t_ns=WAIT_NS - 1)
    assert give(joiner, 2, t_ns=WAIT_NS) is None
    joiner.clear()
    assert give(joiner, 1) is None


def test_oldest_message_gives_way() -> None:
    joiner = PieceJoiner()
    for number in range(MAX_OPEN + 1):
        give(joiner, 0, key=number)
    give(joiner, 1, key=0)
    assert give(joiner, 2, key=0) is None
    give(joiner, 1, key=MAX_OPEN)
    assert give(joiner, 2, key=MAX_OPEN) == WHOLE


def test_bytes_are_bounded_by_the_oldest_message() -> None:
    joiner, share = PieceJoiner(), MAX_BYTES // 3

    def take(key: int, number: int, size: int) -> bytes | None:
        return joiner.join(
            key, bytes(size), number=number, count=2, total=share + 1, t_ns=0, wait_ns=WAIT_NS
        )

    for key in range(20):
        assert take(key, 0, share) is None
        kept = sum(len(p) for message in joiner._open.values() for p in message.pieces.values())
        assert kept <= MAX_BYTES
    assert [take(key, 1, 1) for key in (19, 18, 17)] == [bytes(share + 1)] * 3
    assert take(16, 1, 1) is None


def test_bytes_of_finished_and_forgotten_messages_do_not_count() -> None:
    joiner, share = PieceJoiner(), MAX_BYTES // 2

    def take(key: int, number: int, size: int, t_ns: int) -> bytes | None:
        return joiner.join(
            key, bytes(size), number=number, count=2, total=share + 1, t_ns=t_ns, wait_ns=WAIT_NS
        )

    for key in range(0, 30, 3):
        t_ns = key * WAIT_NS
        take(key, 0, share, t_ns)
        assert take(key, 1, 1, t_ns) is not None
        take(key + 1, 0, share, t_ns)
        with pytest.raises(PacketError):
            take(key + 1, 1, 2, t_ns)
        take(key + 2, 0, share, t_ns)  # grows old
    joiner.clear()
    assert [take(key, 0, share, 0) for key in (1, 2)] == [None, None]
    assert [take(key, 1, 1, 0) for key in (1, 2)] == [bytes(share + 1)] * 2
