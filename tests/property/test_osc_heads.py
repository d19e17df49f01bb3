"""What the OSC decoder remembers of messages changes how long it takes and nothing else."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import read_capture
from vtbridge.errors import PacketError
from vtbridge.osc import (
    MAX_ELEMENTS,
    MAX_HEADS,
    MAX_LAYOUTS,
    MAX_PACKET_ARGUMENTS,
    MessageHeads,
    decode_packet,
)

NUMBERS = {"i": "i", "f": "f", "h": "q", "d": "d", "t": "Q"}
PLAIN = MessageHeads(capacity=0)
"""Remembers nothing: each packet is read as if it were the first."""


def outcome(data: bytes, heads: MessageHeads) -> str:
    """Return all that a caller can see, types included."""
    try:
        return repr(decode_packet(data, heads))
    except PacketError as error:
        return f"{error.reason}: {error}"


def padded(raw: bytes) -> bytes:
    return raw + b"\0" * (4 - len(raw) % 4)


def bundle(elements: list[bytes]) -> bytes:
    sized = (struct.pack(">i", len(element)) + element for element in elements)
    return b"#bundle\0" + bytes(8) + b"".join(sized)


ADDRESSES = st.sampled_from([b"/a", b"/b", b"/abc", b"/VMC/Ext/Blend/Val", b"/\xff", b"/,f"])
TAGS = st.text("ifhdtsSbcTFNI[]", max_size=5) | st.sampled_from(
    ["f", "sf", "sfffffff", "if", "ff", "fT", "Tf", "[sf]f", "bf", "cf", "x", "i", "N", "[s]d"]
)
STRINGS = st.sampled_from([b"Joy", b"jawOpen", b"Neck", b"", b"\xff\xfe", b"ab,f"])
FLOAT_BITS = st.sampled_from(
    [bytes(4), b"\x3f\x80\0\0", b"\x7f\xc0\0\1", b"\xff\x80\0\0", b"\x7f\x7f\xff\xff", b"/a\0\0"]
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    tags = draw(TAGS)
    body = b""
    for tag in tags:
        if tag in NUMBERS:
            body += draw(FLOAT_BITS)
            body += draw(FLOAT_BITS) if NUMBERS[tag] in "qdQ" else b""
        elif tag in "sS":
            body += padded(draw(STRINGS))
        elif tag == "b":
            blob = draw(STRINGS)
            body += struct.pack(">i", len(blob)) + blob + bytes(-len(blob) % 4)
        elif tag == "c":
            body += draw(st.sampled_from([b"\0\0\0A", b"\0\0\xd8\0"]))
    return padded(draw(ADDRESSES)) + padded(b"," + tags.encode()) + body


PACKETS = st.recursive(messages(), lambda inner: st.lists(inner, max_size=5).map(bundle))


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Return packets of few kinds, again and again, some of them damaged."""
    kinds = draw(st.lists(PACKETS, min_size=1, max_size=4))
    source = draw(st.randoms(use_true_random=False))
    sent = []
    for _ in range(draw(st.integers(2, 12))):
        packet = bytearray(source.choice(kinds))
        place = source.randrange(len(packet))
        match source.randrange(6):
            case 0:
                packet[place] = source.choice([0, 1, 4, 44, 127, 255, source.randrange(256)])
            case 1:
                del packet[place:]
            case 2:
                packet[place - place % 4 : place - place % 4] = source.choice(kinds)[:16]
            case 3:  # other numbers at the end
                packet[-4:] = source.choice([b"\x7f\xc0\0\0", b"\x3f\0\0\0", b"\xff\x80\0\0"])
        sent.append(bytes(packet))
    return sent


@given(streams(), st.sampled_from([1, 3, MAX_HEADS]))
def test_remembering_decoder_says_what_a_forgetful_one_says(
    stream: list[bytes], capacity: int
) -> None:
    heads = MessageHeads(capacity)
    for packet in stream:
        assert outcome(packet, heads) == outcome(packet, PLAIN)


def test_damaged_captures_are_understood_alike(captures: Path) -> None:
    names = ("vmc_node-osc", "vmc_osc-js_xranimator-layout", "vmc_vmcp-pypi")
    packets = [d.data for name in names for d in read_capture(captures / f"{name}.udpcap")[:150]]
    packets += [d.data for d in read_capture(captures / "osc_MediaPipe-OSC_8888.udpcap")[:300]]
    source = random.Random(7)
    heads = MessageHeads()
    for _ in range(5000):
        packet = bytearray(source.choice(packets))
        for _ in range(source.randrange(3)):
            packet[source.randrange(len(packet))] = source.choice((0, 4, 44, 127, 255))
        if source.random() < 0.2:
            del packet[source.randrange(len(packet)) :]
        assert outcome(bytes(packet), heads) == outcome(bytes(packet), PLAIN)


def test_bundle_learnt_by_heart_is_still_read_to_the_last_byte() -> None:
    known = bundle([b"/a\0\0,i\0\0\0\0\0\1", b"/b\0\0,sf\0Joy\0\x3f\0\0\0", b"/c\0\0,T\0\0"])
    heads = MessageHeads()
    for _ in range(6):
        decode_packet(known, heads)
    layout = heads.locate(known)
    assert layout is not None
    assert layout.learnt
    for place in range(len(known)):
        for change in (1, 4, 0x80, 0xFF):
            damaged = bytearray(known)
            damaged[place] ^= change
            assert outcome(bytes(damaged), heads) == outcome(bytes(damaged), PLAIN)
            for _ in range(4):
                assert outcome(known, heads) == outcome(known, PLAIN)


def test_layouts_are_remembered_in_bounded_space() -> None:
    heads = MessageHeads()
    sizes = range(2, 3 * MAX_LAYOUTS)
    for count in (*sizes, *sizes):
        decode_packet(bundle([PING] * count), heads)
    kept = [heads.locate(bundle([PING] * count)) for count in sizes]
    again = [heads.locate(bundle([PING] * count)) for count in sizes]
    same = sum(one is other for one, other in zip(kept, again, strict=True))
    assert same <= MAX_LAYOUTS


PING = b"/a\0\0,i\0\0\0\0\0\1"
JOY = b"/a\0\0,s\0\0Joy\0"
MANY = b"/n\0\0" + padded(b"," + b"T" * 100)


@pytest.mark.parametrize(
    "packet",
    [
        bundle([PING] * (MAX_ELEMENTS - 1)),
        bundle([PING] * MAX_ELEMENTS),
        bundle([PING] * (MAX_ELEMENTS + 1)),
        bundle([MANY] * (MAX_PACKET_ARGUMENTS // 100)),
        bundle([MANY] * (MAX_PACKET_ARGUMENTS // 100 + 1)),
        bundle([PING] * MAX_ELEMENTS) + b"\0\0",
        bundle([PING, PING])[:-4],
        bundle([PING, PING[:-4]]),
        bundle([]),
        bundle([])[:12],
    ],
    ids=len,
)
def test_bounds_hold_for_what_is_remembered(packet: bytes) -> None:
    heads = MessageHeads()
    decode_packet(bundle([PING, JOY, MANY]), heads)
    decode_packet(PING, heads)
    for _ in range(2):
        assert outcome(packet, heads) == outcome(packet, PLAIN)


def test_strangers_cannot_make_it_remember_without_end() -> None:
    heads = MessageHeads()
    for number in range(3 * MAX_HEADS):
        decode_packet(padded(b"/%d" % number) + b",f\0\0" + bytes(4), heads)
        decode_packet(
            padded(b"/" + b"x" * 200)
            + padded(b",%s" % (b"f" * (number % 64)))
            + bytes(4 * (number % 64)),
            heads,
        )
    assert 0 < heads.count <= MAX_HEADS


def test_repeated_messages_are_remembered() -> None:
    heads = MessageHeads()
    for value in (b"\0\0\0\1", b"\0\0\0\2"):
        decode_packet(bundle([PING[:-4] + value, JOY]), heads)
    assert heads.count == 2


def test_numbers_that_are_not_last_are_not_worth_remembering() -> None:
    heads = MessageHeads()
    decode_packet(b"/a\0\0,fT\0\0\0\0\1", heads)
    decode_packet(b"/a\0\0,fs\0\0\0\0\1Joy\0", heads)
    assert heads.count == 0
