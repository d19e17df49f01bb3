"""The OSC decoder understands real senders and refuses the packets known to hang others."""

from __future__ import annotations

import struct

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.errors import PacketError
from vtbridge.osc import (
    MAX_ARGUMENTS,
    MAX_BUNDLE_DEPTH,
    MAX_ELEMENTS,
    MAX_PACKET_BYTES,
    OscArgument,
    OscMessage,
    decode_packet,
)

NOW = struct.pack(">Q", 1)


def padded(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return raw + b"\0" * (4 - len(raw) % 4)


def message(address: str | bytes, tags: str = "", payload: bytes = b"") -> bytes:
    return padded(address) + padded("," + tags) + payload


def bundle(*elements: bytes, time_tag: bytes = NOW) -> bytes:
    return b"#bundle\0" + time_tag + b"".join(struct.pack(">i", len(e)) + e for e in elements)


def nested(depth: int) -> bytes:
    packet = message("/a")
    for _ in range(depth):
        packet = bundle(packet)
    return packet


PING = message("/a", "i", b"\0\0\0\1")

ATTACKS: dict[str, bytes] = {
    "element of negative size, the packet that hangs python-osc": (
        b"#bundle\0" + NOW + b"\xff\xff\xff\xfc"
    ),
    "element of size -8": b"#bundle\0" + NOW + b"\xff\xff\xff\xf8" + bytes(8),
    "element of size 0": b"#bundle\0" + NOW + bytes(4),
    "element larger than the packet": b"#bundle\0" + NOW + b"\x7f\xff\xff\xff" + PING,
    "element of odd size": b"#bundle\0" + NOW + b"\0\0\0\6" + PING,
    "bundle without a whole time tag": b"#bundle\0" + NOW[:4],
    "bundle cut short": bundle(PING)[:-3],
    "bundle ending in half a size": bundle(PING) + b"\0\0",
    "bundle of junk": bundle(b"junk"),
    "bundles nested too deep": nested(MAX_BUNDLE_DEPTH + 1),
    "bundles nested 1200 deep": nested(1200),
    "too many elements": bundle(*[message("/a")] * MAX_ELEMENTS),
    "as many empty bundles as fit": bundle(*[bundle()] * (MAX_PACKET_BYTES // 20 - 1)),
    "nothing": b"",
    "one slash": b"/",
    "address without an end": b"/VMC/Ext/OK",
    "address without padding": b"/abc\0",
    "address of 300 bytes": message("/" + "a" * 300),
    "address that is not UTF-8": message(b"/\xff\xfe"),
    "no slash": b"abcd" + bytes(4),
    "type tags without a comma": padded("/a") + padded("sf") + bytes(8),
    "type tags without an end": padded("/a") + b",iii",
    "unknown type tag": message("/a", "x", bytes(4)),
    "too many arguments": message("/a", "T" * (MAX_ARGUMENTS + 1)),
    "many free arguments in many messages": bundle(*[message("/a", "T" * 200)] * 50),
    "60 000 type tags": message("/a", "T" * 60_000),
    "60 000 brackets": message("/a", "[" * 30_000 + "]" * 30_000),
    "bracket closed twice": message("/a", "[]]"),
    "bracket left open": message("/a", "[[]"),
    "brackets nested too deep": message("/a", "[" * 5 + "]" * 5),
    "float cut short": message("/a", "f", b"\0\0"),
    "blob of negative size": message("/a", "b", b"\xff\xff\xff\xff"),
    "blob larger than the packet": message("/a", "b", b"\x7f\xff\xff\xff"),
    "string without an end": message("/a", "s", b"abcd"),
    "string of 60 000 bytes": message("/a", "s", padded("x" * 60_000)),
    "character beyond Unicode": message("/a", "c", b"\0\x11\0\0"),
    "half a surrogate pair": message("/a", "c", b"\0\0\xd8\0"),
    "bytes behind the arguments": PING + bytes(4),
    "more than a datagram holds": bytes(MAX_PACKET_BYTES + 1),
}

ODDITIES: dict[str, bytes] = {
    "64 wildcards": message("/" + "*" * 64, "f", bytes(4)),
    "128 wildcards": message("/" + "*?" * 64 + "Z", "f", bytes(4)),
    "unbalanced pattern": message("/VMC/[Ext/{OK", "f", bytes(4)),
    "a pattern that takes exponential time": message("/(a+)+$", "f", bytes(4)),
    "time tag six seconds ahead": bundle(PING, time_tag=b"\xff" * 8),
    "as deep as allowed": nested(MAX_BUNDLE_DEPTH),
    "empty bundle": bundle(),
    "all elements allowed": bundle(*[message("/a")] * (MAX_ELEMENTS - 1)),
    "all arguments allowed": message("/a", "T" * MAX_ARGUMENTS),
}


@pytest.mark.parametrize("packet", ATTACKS.values(), ids=ATTACKS.keys())
def test_attack_is_refused(packet: bytes) -> None:
    with pytest.raises(PacketError) as refusal:
        decode_packet(packet)
    assert refusal.value.reason.startswith("osc ")


@pytest.mark.parametrize("size", [-4, -8, -(2**31), 0, 2, 2**31 - 4])
def test_senseless_size_of_an_element_is_refused_as_such(size: int) -> None:
    with pytest.raises(PacketError) as refusal:
        decode_packet(b"#bundle\0" + NOW + struct.pack(">i", size) + PING)
    assert refusal.value.reason == "osc element size"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("packet", [*ATTACKS.values(), *ODDITIES.values()])
def test_no_packet_takes_long(packet: bytes) -> None:
    for _ in range(100):
        try:
            decode_packet(packet)
        except PacketError:
            continue


@pytest.mark.parametrize("packet", ODDITIES.values(), ids=ODDITIES.keys())
def test_oddity_is_decoded(packet: bytes) -> None:
    assert isinstance(decode_packet(packet), list)


def test_wildcards_are_plain_text() -> None:
    assert decode_packet(message("/VMC/Ext/*")) == [OscMessage("/VMC/Ext/*")]


@pytest.mark.parametrize(
    ("tags", "payload", "expected"),
    [
        ("i", struct.pack(">i", -5), (-5,)),
        ("f", struct.pack(">f", 0.5), (0.5,)),
        ("h", struct.pack(">q", -(2**40)), (-(2**40),)),
        ("d", struct.pack(">d", 0.1), (0.1,)),
        ("t", b"\xff" * 8, (2**64 - 1,)),
        ("s", padded("まばたき"), ("まばたき",)),
        ("S", padded("symbol"), ("symbol",)),
        ("b", b"\0\0\0\5abcde\0\0\0", (b"abcde",)),
        ("c", b"\0\0\0A", ("A",)),
        ("r", b"\1\2\3\4", (b"\1\2\3\4",)),
        ("m", b"\0\x90\x40\x7f", (b"\0\x90\x40\x7f",)),
        ("TFNI", b"", (True, False, None, True)),
        ("i[fs[T]]i", struct.pack(">if", 1, 2.0) + padded("x") + b"\0\0\0\3", None),
        ("siiiifii", padded("Head") + struct.pack(">iiiifii", 0, 0, 0, 0, 0.5, 0, 1), None),
    ],
)
def test_type_is_decoded(
    tags: str, payload: bytes, expected: tuple[OscArgument, ...] | None
) -> None:
    if expected is None:
        expected = {
            "i[fs[T]]i": (1, (2.0, "x", (True,)), 3),
            "siiiifii": ("Head", 0, 0, 0, 0, 0.5, 0, 1),
        }[tags]
    assert decode_packet(message("/a", tags, payload)) == [OscMessage("/a", expected)]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("tag", "form"), [("f", ">f"), ("d", ">d")])
def test_number_that_is_not_finite_becomes_none(number: float, tag: str, form: str) -> None:
    payload = b"\0\0\0\7" + struct.pack(form, number) + b"\0\0\0\7"
    (decoded,) = decode_packet(message("/a", f"i{tag}i", payload))
    assert decoded.arguments == (7, None, 7)


def test_doubles_whose_sum_overflows_are_kept() -> None:
    payload = struct.pack(">dd", 1.7e308, 1.7e308)
    assert decode_packet(message("/a", "dd", payload))[0].arguments == (1.7e308, 1.7e308)


def test_string_that_is_not_utf8_does_not_cost_the_packet() -> None:
    shift_jis = message("/b", "s", padded("まばたき".encode("shift_jis")))
    decoded = decode_packet(bundle(shift_jis, PING))
    assert [m.address for m in decoded] == ["/b", "/a"]
    assert "\N{REPLACEMENT CHARACTER}" in str(decoded[0].arguments[0])


def test_message_without_type_tags_has_no_arguments() -> None:
    assert decode_packet(padded("/VMC/Ext/Blend/Apply")) == [OscMessage("/VMC/Ext/Blend/Apply")]


def test_nested_bundles_are_flattened_in_order() -> None:
    packet = bundle(
        message("/1"), bundle(message("/2"), bundle(message("/3")), message("/4")), message("/5")
    )
    assert [m.address for m in decode_packet(packet)] == ["/1", "/2", "/3", "/4", "/5"]


def test_what_python_osc_builds_is_understood() -> None:
    builder = OscMessageBuilder("/VMC/Ext/Blend/Val")
    for argument in ("Joy", 0.5, 7, True, None, b"blob", [1, [0.25]]):
        builder.add_arg(argument)
    assert decode_packet(builder.build().dgram) == [
        OscMessage("/VMC/Ext/Blend/Val", ("Joy", 0.5, 7, True, None, b"blob", (1, (0.25,))))
    ]
