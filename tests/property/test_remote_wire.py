"""The wire between two computers: what is sent comes out, what is not sent never does."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vtbridge.datatypes import F32Array
from vtbridge.errors import PacketError
from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE, PoseParam
from vtbridge.remote.wire import (
    SHAPES,
    Code,
    Command,
    Kind,
    PoseMessage,
    Report,
    encode,
    encode_command,
    encode_pose,
    encode_report,
    parse,
    parse_command,
    parse_pose,
    parse_report,
)

KEY = bytes(range(32))
U32 = st.integers(1, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
SHARES = hnp.arrays(np.float32, POSE_SIZE, elements=st.floats(0, 1, width=32))
SIGNED = np.array([param.signed for param in PoseParam])
STEP = np.where(SIGNED, 1 / 32767, 1 / 65535)


@st.composite
def poses(draw: st.DrawFn) -> F32Array:
    shares = draw(SHARES)
    low, high = np.array(POSE_MIN, np.float32), np.array(POSE_MAX, np.float32)
    values: F32Array = (low + (high - low) * shares).astype(np.float32)
    return values


@settings(max_examples=50)
@given(
    values=poses(),
    presence=st.floats(0, 1),
    tracked=st.booleans(),
    age_us=st.none() | st.integers(0, 2**32 - 2),
    coverage=st.none() | SHARES,
    shapes=st.just(())
    | st.lists(st.none() | st.floats(0, 1), min_size=SHAPES, max_size=SHAPES).map(tuple),
    taken=st.integers(0, 2**32 - 1),
)
def test_pose_comes_out_as_it_went_in_but_for_half_a_step(
    values: F32Array,
    presence: float,
    tracked: bool,
    age_us: int | None,
    coverage: F32Array | None,
    shapes: tuple[float | None, ...],
    taken: int,
) -> None:
    sent = PoseMessage(values, presence, tracked, age_us, coverage, shapes, taken)
    payload = encode_pose(sent)
    got = parse_pose(payload)
    assert np.all(np.abs(got.values - values) <= STEP / 2 + 1e-7)
    assert abs(got.presence - presence) <= 0.5 / 65535 + 1e-9
    assert (got.tracked, got.age_us, got.taken) == (tracked, age_us, taken)
    if coverage is None:
        assert got.coverage is None
    else:
        assert got.coverage is not None
        assert np.abs(got.coverage - coverage).max() <= 0.5 / 255 + 1e-6
    assert len(got.shapes) == len(shapes)
    for one, other in zip(got.shapes, shapes, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert abs(one - other) <= 0.5 / 254 + 1e-9
    assert encode_pose(got) == payload, "nothing is lost at a second computer"


def test_ends_and_rest_of_every_range_are_exact() -> None:
    for ends in (POSE_MIN, POSE_MAX, (0.0,) * POSE_SIZE):
        values = np.array(ends, np.float32)
        assert np.array_equal(parse_pose(encode_pose(PoseMessage(values))).values, values)


@given(hnp.arrays(np.float32, POSE_SIZE, elements=st.floats(width=32)), st.floats(), st.floats())
def test_no_number_however_wild_leaves_the_range(
    values: F32Array, presence: float, shape: float
) -> None:
    got = parse_pose(encode_pose(PoseMessage(values, presence, shapes=(shape,) * SHAPES)))
    assert np.all(np.isfinite(got.values))
    assert np.all(got.values >= POSE_MIN)
    assert np.all(got.values <= POSE_MAX)
    assert 0 <= got.presence <= 1
    assert all(one is not None and 0 <= one <= 1 for one in got.shapes)


@given(
    kind=st.sampled_from(Kind),
    session=U64,
    sequence=U32,
    sent_us=U64,
    payload=st.binary(max_size=300),
)
def test_envelope_comes_out_as_it_went_in(
    kind: Kind, session: int, sequence: int, sent_us: int, payload: bytes
) -> None:
    envelope = parse(encode(kind, session, sequence, sent_us, payload, KEY))
    assert envelope.kind is kind
    assert (envelope.session, envelope.sequence) == (session, sequence)
    assert (envelope.sent_us, envelope.payload) == (sent_us, payload)
    assert envelope.is_signed_with(KEY)
    assert not envelope.is_signed_with(bytes(32))


@given(U32, st.sampled_from(Code), st.text(max_size=16), st.sampled_from([True, False, None]))
def test_command_comes_out_as_it_went_in(
    number: int, code: Code, name: str, on: bool | None
) -> None:
    command = Command(code, name, on)
    assert parse_command(encode_command(number, command)) == (number, command)


@given(U32, U32, U32)
def test_report_comes_out_as_it_went_in(taken: int, newest: int, count: int) -> None:
    report = Report(taken, newest, count)
    assert parse_report(encode_report(report)) == report


@settings(max_examples=150)
@given(st.data())
def test_one_changed_bit_is_noticed(data: st.DataObject) -> None:
    payload = encode_pose(PoseMessage(np.zeros(POSE_SIZE, np.float32)))
    datagram = bytearray(encode(Kind.POSE, 7, 3, 1_000_000, payload, KEY))
    bit = data.draw(st.integers(0, 8 * len(datagram) - 1))
    datagram[bit // 8] ^= 1 << bit % 8
    try:
        assert not parse(bytes(datagram)).is_signed_with(KEY)
    except PacketError:
        return


@given(
    st.binary(max_size=700) | st.binary(max_size=480).map(lambda rest: b"VTBR\x01\x03\0\0" + rest)
)
def test_any_bytes_are_a_message_or_a_packet_error(noise: bytes) -> None:
    for read in (parse, parse_pose, parse_report, parse_command):
        with contextlib.suppress(PacketError):
            read(noise)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((0, 0x57), "not recognised"),
        ((4, 2), "version"),
        ((5, 9), "kind"),
        ((7, 1), "header"),
    ],
)
def test_foreign_header_is_refused_by_its_reason(change: tuple[int, int], reason: str) -> None:
    datagram = bytearray(encode(Kind.REPORT, 1, 1, 1, b"", KEY))
    datagram[change[0]] = change[1]
    with pytest.raises(PacketError) as refusal:
        parse(bytes(datagram))
    assert refusal.value.reason == reason


def test_pose_of_a_whole_face_fits_twenty_kilobytes_a_second() -> None:
    message = PoseMessage(
        np.zeros(POSE_SIZE, np.float32),
        coverage=np.zeros(POSE_SIZE, np.float32),
        shapes=(0.5,) * SHAPES,
    )
    ip_and_udp = 28
    size = len(encode(Kind.POSE, 1, 1, 1, encode_pose(message), KEY)) + ip_and_udp
    assert 60 * size < 20_000
