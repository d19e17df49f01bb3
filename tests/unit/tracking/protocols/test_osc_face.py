"""A face in many messages is complete when it should be, and keeps what is good."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.osc_face import (
    LONGEST_WAIT_NS,
    Handler,
    OscArguments,
    OscFaceProtocol,
    leading_addresses,
    numbers_from,
    quaternion_from,
)
from vtbridge.tracking.protocols.protocol import QUIET_NS

T0 = 1_000_000_000


class TwoShapes(OscFaceProtocol):
    """A protocol with a jaw, a funnel and an end."""

    name = "two_shapes"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        return b"/jaw" in datagram

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {
            "/jaw": lambda arguments: self._keep_weight("jawOpen", arguments[0]),
            "/end": self._take_end,
            "/room": self._take_nothing,
        }

    def _find_handler(self, address: str) -> Handler | None:
        if not address.endswith("/funnel"):
            return None
        return lambda arguments: self._keep_weight("mouthFunnel", arguments[0])

    def _take_end(self, arguments: OscArguments) -> bool:
        self._ended = True
        return False


@pytest.fixture
def protocol() -> TwoShapes:
    protocol = TwoShapes()
    protocol.reset("two_shapes:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def test_end_of_a_bundle_completes_the_face(protocol: TwoShapes) -> None:
    frame = only(protocol.feed(bundle(message("/jaw", 0.5), message("/a/funnel", 0.25)), T0))
    assert (frame.t_ns, frame.source, frame.tracked) == (T0, "two_shapes:test", True)
    assert frame.blendshapes == {"jawOpen": 0.5, "mouthFunnel": 0.25}
    assert not protocol.waiting


def test_bundle_without_values_completes_nothing(protocol: TwoShapes) -> None:
    assert protocol.feed(bundle(message("/room", 1.0)), T0) == []
    assert not protocol.waiting


def test_single_messages_wait_for_quiet(protocol: TwoShapes) -> None:
    assert protocol.feed(message("/jaw", 0.5), T0) == []
    assert protocol.feed(message("/b/funnel", 0.5), T0 + 1) == []
    assert protocol.waiting
    assert protocol.flush(T0 + QUIET_NS) == []
    frame = only(protocol.flush(T0 + 1 + QUIET_NS))
    assert (frame.t_ns, len(frame.blendshapes)) == (T0 + 1, 2)
    assert protocol.flush(T0 + 2 * QUIET_NS) == []


def test_next_face_completes_one_that_nobody_flushed(protocol: TwoShapes) -> None:
    protocol.feed(message("/jaw", 0.5), T0)
    frames = protocol.feed(message("/jaw", 0.75), T0 + QUIET_NS)
    assert only(frames).blendshapes == {"jawOpen": 0.5}
    assert protocol.waiting


def test_known_end_completes_the_face_at_once(protocol: TwoShapes) -> None:
    protocol.feed(message("/jaw", 0.5), T0)
    assert only(protocol.feed(message("/end"), T0 + 1)).blendshapes == {"jawOpen": 0.5}
    assert not protocol.waiting
    assert protocol.feed(message("/jaw", 0.25), T0 + 2) == []


def test_sender_that_never_pauses_still_gives_faces(protocol: TwoShapes) -> None:
    step_ns = 1_000_000
    frames = [protocol.feed(message("/jaw", 0.5), T0 + i * step_ns) for i in range(100)]
    assert sum(map(len, frames)) == 100 * step_ns // (LONGEST_WAIT_NS + step_ns)


def test_what_a_face_leaves_out_keeps_its_value(protocol: TwoShapes) -> None:
    protocol.feed(bundle(message("/jaw", 0.5)), T0)
    frame = only(protocol.feed(bundle(message("/c/funnel", 1.0)), T0 + 1))
    assert frame.blendshapes == {"jawOpen": 0.5, "mouthFunnel": 1.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, "wide", None])
def test_senseless_value_is_dropped_counted_and_the_last_kept(
    protocol: TwoShapes, value: float | str | None
) -> None:
    protocol.feed(bundle(message("/jaw", 0.5)), T0)
    frame = only(protocol.feed(bundle(message("/jaw", value), message("/d/funnel", 1.0)), T0 + 1))
    assert frame.blendshapes == {"jawOpen": 0.5, "mouthFunnel": 1.0}
    assert protocol.values_dropped == 1


def test_foreign_osc_is_refused_and_changes_nothing(protocol: TwoShapes) -> None:
    with pytest.raises(PacketError) as refusal:
        protocol.feed(bundle(message("/volume", 1.0)), T0)
    assert refusal.value.reason == "not two_shapes"
    assert not protocol.waiting


def test_foreign_messages_in_a_bundle_are_passed_over(protocol: TwoShapes) -> None:
    packet = bundle(message("/volume", 1.0), message("/jaw", 0.5), message("/e", "text"))
    assert only(protocol.feed(packet, T0)).blendshapes == {"jawOpen": 0.5}
    assert protocol.values_dropped == 0


def test_sender_that_never_said_a_part_of_a_face_is_not_tracked(protocol: TwoShapes) -> None:
    assert not only(protocol.feed(message("/end"), T0)).tracked


def test_reset_forgets_the_sender(protocol: TwoShapes) -> None:
    protocol.feed(message("/jaw", 0.5), T0)
    protocol.reset("two_shapes:other")
    assert not protocol.waiting
    frame = only(protocol.feed(message("/end"), T0))
    assert (frame.source, frame.blendshapes) == ("two_shapes:other", {})


def test_faces_handed_out_do_not_change_later(protocol: TwoShapes) -> None:
    first = only(protocol.feed(bundle(message("/jaw", 0.5)), T0))
    protocol.feed(bundle(message("/jaw", 1.0)), T0 + 1)
    assert first.blendshapes == {"jawOpen": 0.5}


@pytest.mark.parametrize(
    ("packet", "addresses"),
    [
        (message("/a/b", 1.0), [b"/a/b"]),
        (bundle(message("/a", 1), message("/b", "text")), [b"/a", b"/b"]),
        (bundle(bundle(message("/a", 1), message("/b"))), [b"/a", b"/b"]),
        (bundle(), []),
        (b"", []),
        (b"#bundle\0", []),
        (b"eyeBlink&12|", []),
        (bundle(message("/a"))[:20] + b"\xff\xff\xff\xff", []),
    ],
)
def test_leading_addresses_are_seen(packet: bytes, addresses: list[bytes]) -> None:
    assert list(leading_addresses(packet)) == addresses


def test_only_the_first_addresses_are_looked_at() -> None:
    packet = bundle(*(message(f"/{number}") for number in range(100)))
    assert list(leading_addresses(packet)) == [f"/{number}".encode() for number in range(8)]


@pytest.mark.parametrize("arguments", [(1.0,), (1.0, "2"), (1.0, 99.0), (1.0, True), (1.0, None)])
def test_numbers_are_all_there_or_none(arguments: tuple[float | str | bool | None, ...]) -> None:
    assert numbers_from((1, 2.5, "more"), 2, 10.0) == (1.0, 2.5)
    assert numbers_from(arguments, 2, 10.0) is None


def test_quaternion_becomes_of_norm_1() -> None:
    assert quaternion_from((0, 0, 0, 2)) == (0.0, 0.0, 0.0, 1.0)
    assert quaternion_from((0.0, 0.0, 0.0, 0.0)) is None
    assert quaternion_from((0.0, 0.0, 1.0)) is None
