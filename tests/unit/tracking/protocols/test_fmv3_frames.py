"""FMV3's frames are read by their own schema, in order, and only as far as they can be right."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.support.fmv3 import FACE, SESSION, T0, connected, frame, give, receiver, with_schema
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import Gaze
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.fmv3_messages import (
    Kind,
    Message,
    Schema,
    encode_message,
    parse_message,
)
from vtbridge.tracking.senders.fmv3 import Fmv3Phone


def test_lost_face_keeps_its_numbers() -> None:
    protocol, phone = connected()
    (face,) = give(protocol, phone.frames(dataclasses.replace(FACE, tracked=False)), T0)
    assert not face.tracked
    assert face.blendshapes == FACE.blendshapes


def test_changed_names_are_read_by_the_new_schema() -> None:
    protocol, phone = connected()
    give(protocol, phone.frames(FACE), T0)
    old_frame = phone.frames(FACE)
    schema = phone.change_names(("jawOpen", "mouthSmileLeft"), T0 + NS_PER_S)
    assert phone.frames(FACE) == []
    assert len(give(protocol, old_frame, T0)) == 1
    assert give(protocol, schema, T0 + NS_PER_S) == []
    for reply in protocol.replies():
        phone.receive(reply, T0 + NS_PER_S)
    (face,) = give(protocol, phone.frames(FACE), T0 + NS_PER_S)
    assert face.blendshapes == {"jawOpen": 0.25, "mouthSmileLeft": 0.25}
    assert give(protocol, old_frame, T0 + NS_PER_S) == []  # of the old schema: late
    assert protocol.lost == 0


def test_frame_of_an_unknown_schema_is_not_read_but_asked_about() -> None:
    protocol, phone = connected()
    phone.change_names(("jawOpen",), T0)  # lost on its way
    phone.receive(encode_message(Message(Kind.SCHEMA_ACK, SESSION, 2))[0], T0)
    assert give(protocol, phone.frames(FACE), T0) == []
    (request,) = protocol.replies()
    assert parse_message(request) == Message(Kind.GET_SCHEMA, SESSION, 2)
    assert give(protocol, phone.frames(FACE), T0 + 1) == []
    assert protocol.replies() == []
    now_ns = T0 + NS_PER_S
    give(protocol, phone.receive(request, now_ns), now_ns)
    assert len(give(protocol, phone.frames(FACE), now_ns)) == 1


def test_missing_frames_are_counted_and_late_ones_dropped() -> None:
    protocol, phone = connected()
    frames = [phone.frames(FACE) for _ in range(6)]
    assert [len(give(protocol, frames[i], T0)) for i in (0, 1, 4, 3, 4, 5)] == [1, 1, 1, 0, 0, 1]
    assert protocol.lost == 2


def test_frame_numbers_may_wrap() -> None:
    schema = Schema(("jawOpen",))
    protocol = with_schema(schema)
    for sequence in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1):
        assert len(protocol.feed(frame(schema, [1], [0.0] * 12, sequence), T0)) == 1
    assert protocol.lost == 0


def test_number_far_ahead_freezes_the_face_for_a_moment_only() -> None:
    schema = Schema(("jawOpen",))
    protocol = with_schema(schema)

    def faces(sequence: int, after_s: float) -> int:
        datagram = frame(schema, [1], [0.0] * 12, sequence)
        return len(protocol.feed(datagram, T0 + round(after_s * NS_PER_S)))

    assert [faces(1, 0.0), faces(1 << 30, 0.016)] == [1, 1]
    assert [faces(3, 0.032), faces(4, 0.25)] == [0, 0]
    assert [faces(5, 0.27), faces(6, 0.28), faces(5, 0.29)] == [1, 1, 0]
    assert faces(6, 9.0) == 0  # the same number again is a doubled datagram, however late
    assert protocol.lost == 0


def test_large_frame_comes_in_pieces() -> None:
    names = (*(f"custom_{i:04d}" for i in range(500)), "jawOpen")
    phone, protocol = Fmv3Phone(names, encoding="i32"), receiver(None)
    give(protocol, phone.start(T0), T0)
    for reply in protocol.replies():
        phone.receive(reply, T0)
    pieces = phone.frames(FACE)
    assert len(pieces) == 2
    assert give(protocol, pieces[:0:-1], T0) == []
    (face,) = give(protocol, pieces[:1], T0)
    assert face.blendshapes == {"jawOpen": 0.25}


@pytest.mark.parametrize("place", [0, 2, 6, 8, 9, 11])
@pytest.mark.parametrize("angle", [math.nan, math.inf])
def test_angle_that_is_not_finite_is_refused(place: int, angle: float) -> None:
    pose = [0.0] * 12
    pose[place] = angle
    schema = Schema(("jawOpen",))
    with pytest.raises(PacketError):
        with_schema(schema).feed(frame(schema, [1], pose), T0)


def test_impossible_values_are_dropped_and_the_rest_kept() -> None:
    schema = Schema(("jawOpen", "mouthSmileLeft", "mouthClose"))
    protocol = with_schema(schema)
    (face,) = protocol.feed(frame(schema, [2000, 150, -25], [400.0] + [0.0] * 11), T0)
    assert face.blendshapes == {"mouthSmileLeft": 1.0, "mouthClose": 0.0}
    assert face.head is None
    assert face.left_eye == Gaze(-0.0, -0.0)
    assert protocol.values_dropped == 2


def test_frame_that_does_not_fit_its_schema_is_refused() -> None:
    protocol = with_schema(Schema(("jawOpen",)))
    with pytest.raises(PacketError):
        protocol.feed(frame(Schema(("a", "b")), [1, 2], [0.0] * 12), T0)
