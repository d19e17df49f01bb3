"""The short ways of the hot path say what the long ways say, whatever arrives."""

from __future__ import annotations

import json
import math
import random
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.osc_packets import bundle, message
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES, ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols import ifacialmocap, vts_phone
from vtbridge.tracking.protocols.ifacialmocap import parse_text
from vtbridge.tracking.protocols.osc_reading import PacketReader
from vtbridge.tracking.protocols.protocol import QUIET_NS
from vtbridge.tracking.protocols.spellings import ARKIT_BY_SPELLING
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow, Wire
from vtbridge.tracking.protocols.vts_phone import VtsPhoneProtocol
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.settings import TrackingSettings

T0 = 1_000_000_000
OSC_ROWS = [row for row in PROTOCOLS if row.wire is Wire.OSC]
NEVER = re.compile(r"(?!)")


@contextmanager
def long_ways_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PacketReader, "reading", lambda self, packet: None)
        patch.setattr(ifacialmocap, "ARKIT_BY_SPELLING", {})
        patch.setattr(ifacialmocap, "_THREE_ANGLES", NEVER)
        patch.setattr(vts_phone, "ARKIT_BY_SPELLING", {})
        yield


def outcomes(row: ProtocolRow, datagrams: list[bytes]) -> list[str]:
    """Return all that can be seen of a tracker that is fed ``datagrams``, types included."""
    protocol = row.create(TrackingSettings())
    protocol.reset("test")
    seen = []
    for number, datagram in enumerate(datagrams):
        t_ns = T0 + number * QUIET_NS // 2
        try:
            seen.append(repr(protocol.feed(datagram, t_ns)))
        except PacketError as error:
            seen.append(f"{error.reason}: {error}")
        seen.append(f"{protocol.waiting} {protocol.values_dropped}")
    return [*seen, repr(protocol.flush(T0 + 10**12))]


Value = float | int | str | bool
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.floats(-1.5, 1.5, width=32),
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 1.0, 12.0, -12.0]),
    st.integers(-3, 60),
    st.booleans(),
    st.sampled_from(["Neck", "Head", "LeftEye", "Hips", "jawOpen", "A", "Joy", "nothing"]),
)
ADDRESSES = st.sampled_from(
    [
        *("/W", "/HR", "/HRQ", "/HT", "/ELR", "/jawOpen", "/mouthClose", "/cheekPuffLeft"),
        *("/phiz/headRotation", "/phiz/leftEyeRotation", "/_neutral", "/stranger"),
        *("/x/facerotation", "/x/facejawOpen", "/x/faceposition", "/avatar/parameters/JawOpen"),
        *(f"/avatar/parameters/v2/{name}" for name in ("JawX", "JawOpen", "Head/Yaw", "EyeX")),
        *("/avatar/parameters/EyeTrackingActive", "/avatar/parameters/v2/EyeTrackingActive"),
        *("/VMC/Ext/Bone/Pos", "/VMC/Ext/Blend/Val", "/VMC/Ext/Blend/Apply", "/VMC/Ext/OK"),
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Return packets of a few makes, each again and again with other values."""
    makes = draw(
        st.lists(
            st.tuples(
                st.booleans(),
                st.lists(
                    st.tuples(ADDRESSES, st.lists(VALUES, max_size=8)), min_size=1, max_size=5
                ),
            ),
            min_size=1,
            max_size=3,
        )
    )
    packets = []
    for _ in range(draw(st.integers(1, 9))):
        for bundled, messages in makes:
            made = [
                message(address, *[draw(fresh(value)) for value in values])
                for address, values in messages
            ]
            packets += [bundle(*made)] if bundled else made
    return packets


def fresh(value: Value) -> st.SearchStrategy[Value]:
    """Return other values of the type of ``value``; texts mostly stay as they are."""
    if isinstance(value, float):
        return st.floats(-0.25, 1.25, width=32) | st.floats(width=32)
    return st.just(value)


@pytest.mark.parametrize("row", OSC_ROWS, ids=[row.name for row in OSC_ROWS])
@given(packets=streams())
@settings(max_examples=40)
def test_remembered_osc_packets_give_the_faces_of_unknown_ones(
    row: ProtocolRow, packets: list[bytes]
) -> None:
    short = outcomes(row, packets)
    with long_ways_only():
        assert outcomes(row, packets) == short


ODD = [struct.pack(">f", number) for number in (2.0, 11.0, -0.5, -0.0, math.inf, math.nan, 1e30)]


def repeated_and_damaged(row: ProtocolRow, count: int) -> list[bytes]:
    """Return datagrams of real faces, of which here and there one number is odd."""
    source, encode = random.Random(20_261_122), row.encoder()
    sent: list[bytes] = []
    for number in range(count):
        for datagram in encode(face_at(number / 60, T0)):
            damaged = bytearray(datagram)
            if source.random() < 0.5:
                place = 4 * source.randrange(max(len(datagram) // 4 - 1, 1))
                # Numbers stand at the end of what is sent alone, anywhere in a bundle.
                place = len(damaged) - 4 if source.random() < 0.3 else place
                damaged[place : place + 4] = source.choice(ODD)
            sent.append(bytes(damaged))
    return sent


@pytest.mark.parametrize("row", OSC_ROWS, ids=[row.name for row in OSC_ROWS])
def test_odd_numbers_in_remembered_packets_are_refused_as_in_unknown_ones(row: ProtocolRow) -> None:
    datagrams = repeated_and_damaged(row, 200 if row.name != "mediapipe_osc" else 30)
    short = outcomes(row, datagrams)
    with long_ways_only():
        assert outcomes(row, datagrams) == short


PARTS = st.one_of(
    st.tuples(
        st.sampled_from([*sorted(ARKIT_BY_SPELLING), "JAWOPEN", "=jawOpen", " jawOpen ", "FM_x"]),
        st.sampled_from(["-", "&", " & ", "--", "#"]),
        st.sampled_from(["0", "7", "100", "101", "007", "+5", "-3", "12.5", "1e2", "nan", ""]),
    ).map("".join),
    st.tuples(
        st.sampled_from(["head", "=head", "leftEye", "rightEye", "==head", "Head"]),
        st.just("#"),
        st.lists(
            st.sampled_from(["0", "-1.5", "361", "0.25", "1e1", "", "x", "12.", ".5", "-0"])
            | st.sampled_from(["0", "2.5"]),
            min_size=2,
            max_size=5,
        ).map(",".join),
        st.sampled_from(["", "", "\0", "\n", "&5", "-5", ","]),
    ).map("".join),
    st.sampled_from(["", "trackingStatus-1", "trackingStatus&0", "=", "jawOpen"]),
)


@given(st.lists(PARTS, max_size=8))
def test_plain_parts_of_text_say_what_any_part_says(parts: list[str]) -> None:
    datagram = "|".join(["jawOpen&1", *parts]).encode("latin-1")
    short = repr(parse_text(datagram))
    with long_ways_only():
        assert repr(parse_text(datagram)) == short


SHAPES = st.one_of(
    st.fixed_dictionaries(
        {
            "k": st.sampled_from(["EyeBlinkLeft", "eyeBlink_L", "JAWOPEN", "x", ""]) | st.none(),
            "v": st.floats(-0.5, 1.5) | st.integers(0, 2) | st.booleans() | st.none(),
        }
    ),
    st.sampled_from([{}, {"k": "jawOpen"}, [], ["k", "v"], "kv", 3, None, {"k": [], "v": 0.5}]),
)


@given(st.lists(SHAPES, max_size=6))
def test_usual_names_of_a_phone_mean_what_any_spelling_means(shapes: list[object]) -> None:
    datagram = json.dumps({"FaceFound": True, "BlendShapes": shapes}).encode()

    def outcome() -> str:
        protocol = VtsPhoneProtocol()
        return f"{protocol.feed(datagram, T0)} {protocol.values_dropped}"

    short = outcome()
    with long_ways_only():
        assert outcome() == short


def test_usual_spellings_are_understood_alike_and_name_every_shape() -> None:
    assert set(ARKIT_BY_SPELLING.values()) == set(ARKIT_NAMES)
    for spelling, name in ARKIT_BY_SPELLING.items():
        shape = shape_from_spelling(spelling)
        assert shape is not None
        assert (shape.kind, shape.name) == (ShapeKind.ARKIT, name)


@pytest.mark.parametrize(
    "after", ["", ",", ",9", "1", "5.", ".5", "e1", "x", "&5", "-5", "\0", " "]
)
def test_three_angles_count_only_if_nothing_else_is_written_on_them(after: str) -> None:
    datagram = f"jawOpen&1|=head#1,2.5,-3{after}".encode("latin-1")
    short = repr(parse_text(datagram))
    with long_ways_only():
        assert repr(parse_text(datagram)) == short


@pytest.mark.parametrize("loaded", [math.nan, math.inf, 0.0, 1.0])
def test_status_of_a_repeated_packet_that_is_no_number_is_dropped(loaded: float) -> None:
    row = next(row for row in OSC_ROWS if row.name == "vmc")
    blend = message("/VMC/Ext/Blend/Val", "A", 0.5)
    packets = [bundle(blend, message("/VMC/Ext/OK", number)) for number in [1.0] * 6 + [loaded]]
    short = outcomes(row, packets)
    with long_ways_only():
        assert outcomes(row, packets) == short


def test_parameter_that_comes_later_counts_in_a_packet_whose_messages_are_known() -> None:
    row = next(row for row in OSC_ROWS if row.name == "vrcft")
    jaw = message("/avatar/parameters/v2/JawOpen", 0.5)
    lid = message("/avatar/parameters/v2/EyeClosedLeft", 0.25)
    packets = [bundle(jaw), bundle(jaw), bundle(jaw, lid), bundle(jaw)]
    outcomes(row, packets)
    short = outcomes(row, packets)
    assert "eyeBlinkLeft" in short[-1] + short[-3]
    with long_ways_only():
        assert outcomes(row, packets) == short
