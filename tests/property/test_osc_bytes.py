"""On any bytes the OSC decoder returns or raises PacketError, and never dwells."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.support.captures import read_capture
from vtbridge.errors import PacketError
from vtbridge.osc import OscMessage, decode_packet

MUTATIONS = 100_000
SPECIALS = (
    *(b"\x7f\xc0\0\0", b"\x7f\x80\0\0", b"\xff\xff\xff\xff", b"\x80\0\0\0", bytes(4)),
    *(b"#bundle\0", b"\xff\xff\xff\xfc", b",[[[", b",bbb", b"/*?*"),
)


def mutated(source: random.Random, packet: bytes) -> bytes:
    """Return ``packet`` damaged in one of the ways that networks and attackers do."""
    damaged = bytearray(packet)
    place = source.randrange(len(damaged))
    match source.randrange(6):
        case 0:
            for _ in range(source.randrange(1, 8)):
                damaged[source.randrange(len(damaged))] = source.randrange(256)
        case 1:
            del damaged[place:]
        case 2:
            special = source.choice(SPECIALS)
            place -= place % 4
            damaged[place : place + len(special)] = special
        case 3:
            damaged[place:place] = source.randbytes(4 * source.randrange(1, 9))
        case 4:
            for _ in range(source.randrange(1, 12)):
                damaged[:0] = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", len(damaged))
        case _:
            del damaged[place - place % 4 : place + 4 * source.randrange(1, 9)]
    return bytes(damaged)


def test_mutated_captures_are_decoded_or_refused(captures: Path) -> None:
    names = ("vmc_node-osc", "vmc_osc-js_xranimator-layout", "vmc_vmcp-pypi")
    packets = sorted(
        {d.data for name in names for d in read_capture(captures / f"{name}.udpcap")},
        key=lambda packet: (len(packet), packet),
    )
    packets += [d.data for d in read_capture(captures / "osc_MediaPipe-OSC_8888.udpcap")[:500]]
    source = random.Random(20_240_501)
    decoded = refused = 0
    for _ in range(MUTATIONS):
        try:
            decode_packet(mutated(source, source.choice(packets)))
            decoded += 1
        except PacketError:
            refused += 1
    assert decoded > MUTATIONS // 100
    assert refused > MUTATIONS // 100


@given(st.binary(max_size=400))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        messages = decode_packet(data)
    except PacketError:
        return
    assert all(isinstance(message, OscMessage) for message in messages)


@given(st.binary(max_size=120), st.sampled_from([b"#bundle\0", b"/a\0\0,", b"/\0\0\0,f\0\0"]))
def test_bytes_after_a_good_start_are_decoded_or_refused(data: bytes, start: bytes) -> None:
    try:
        messages = decode_packet(start + data)
    except PacketError:
        return
    assert all(message.address.startswith("/") for message in messages)


ARGUMENTS = st.lists(
    st.one_of(
        st.integers(-(2**31), 2**31 - 1),
        st.floats(width=32, allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
        st.binary(min_size=1, max_size=40),
        st.booleans(),
        st.none(),
    ),
    max_size=20,
)
ADDRESSES = st.text("abcXYZ019_/*?[]{}", max_size=40).map(lambda rest: "/" + rest)


@given(ADDRESSES, ARGUMENTS)
def test_built_message_comes_back(
    address: str, arguments: list[int | float | str | bytes | bool | None]
) -> None:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    (message,) = decode_packet(builder.build().dgram)
    assert message.address == address
    assert list(message.arguments) == arguments


@pytest.mark.timeout(20)
@given(st.sampled_from("*?[]{}!,-"), st.integers(1, 200))
def test_patterns_cost_no_more_than_text(wildcard: str, count: int) -> None:
    packet = ("/" + wildcard * count).encode()
    packet += b"\0" * (4 - len(packet) % 4)
    assert decode_packet(packet) == [OscMessage("/" + wildcard * count)]
