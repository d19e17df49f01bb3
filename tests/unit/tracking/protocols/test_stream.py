"""A TCP stream becomes the records that UDP would bring, whatever the cuts and the damage."""

from __future__ import annotations

import pytest

from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.fmv3_messages import Kind, Message, encode_message
from vtbridge.tracking.protocols.stream import (
    MAX_TEXT_BYTES,
    TEXT_END,
    Fmv3Framer,
    StreamFramer,
    TextFramer,
)

TEXTS = [b"jawOpen&50|=head#1,2,3,4,5,6|", b"jawOpen-25|"]
TEXT_STREAM = b"".join(text + TEXT_END for text in TEXTS)
MESSAGES = [
    encode_message(Message(Kind.FRAME, 7, 1, number, body=bytes(48 + number)))[0]
    for number in range(3)
]


def fed(framer: StreamFramer, stream: bytes, size: int) -> list[bytes]:
    return [
        record
        for start in range(0, len(stream), size)
        for record in framer.feed(stream[start : start + size])
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 14, 15, 16, 44, 1000])
def test_cuts_do_not_matter(size: int) -> None:
    assert fed(TextFramer(), TEXT_STREAM, size) == TEXTS
    assert fed(Fmv3Framer(), b"".join(MESSAGES), size) == MESSAGES


def test_text_goes_on_behind_damage_and_keeps_the_records_before_it() -> None:
    framer = TextFramer()
    too_long = b"x" * (MAX_TEXT_BYTES + 1)
    with pytest.raises(PacketError):
        framer.feed(TEXTS[0] + TEXT_END + too_long + TEXT_END + TEXTS[1] + TEXT_END)
    assert not framer.broken
    assert framer.feed(TEXT_STREAM) == [*TEXTS, *TEXTS]


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_text_without_an_end_is_told_once_and_not_kept(size: int) -> None:
    framer, refused = TextFramer(), 0
    for _ in range(200_000 // size):
        try:
            assert framer.feed(b"x" * size) == []
        except PacketError:
            refused += 1
        assert len(framer._buffer) < MAX_TEXT_BYTES + len(TEXT_END) + size
    assert refused == 1
    assert framer.feed(b"rest" + TEXT_END[:4]) == []
    assert framer.feed(TEXT_END[4:] + TEXTS[0] + TEXT_END) == [TEXTS[0]]


def test_longest_text_is_no_damage() -> None:
    longest = b"x" * MAX_TEXT_BYTES
    assert fed(TextFramer(), longest + TEXT_END, 1000) == [longest]


@pytest.mark.parametrize(
    "damage",
    [
        b"FMV4" + MESSAGES[0][4:],
        MESSAGES[0][:4] + b"\x0a" + MESSAGES[0][5:],
        MESSAGES[0][:28] + b"\xff\xff\xff\x7f" + MESSAGES[0][32:36] + b"\xff\xff\xff\x7f",
        encode_message(Message(Kind.FRAME, 7, 1, body=bytes(600)), datagram=576)[0],
    ],
    ids=["magic", "type", "length", "piece"],
)
def test_damaged_fmv3_stream_is_broken_for_good(damage: bytes) -> None:
    framer = Fmv3Framer()
    with pytest.raises(PacketError):
        framer.feed(MESSAGES[0] + damage + MESSAGES[1])
    assert framer.broken
    assert framer.feed(b"") == [MESSAGES[0]]  # what came whole before is not lost
    with pytest.raises(PacketError):
        framer.feed(MESSAGES[1])
