"""One tracker at a time has the face, and it never runs backwards in time."""

from __future__ import annotations

from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.table import PROTOCOLS
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.receivers.inputs import StickyOwner
from vtbridge.tracking.settings import TrackingSettings

T0 = NS_PER_S
TAKEOVER_NS = 3 * NS_PER_S // 2
FRAME_NS = NS_PER_S // 60


class Stage:
    """A sticky owner, its slot and its counters."""

    def __init__(self) -> None:
        self.slot: LatestSlot[FaceFrame] = LatestSlot()
        self.telemetry = Telemetry()
        self.owner = StickyOwner(self.slot, self.telemetry, TAKEOVER_NS)

    def offer(self, source: str, t_ns: int, *, tracked: bool = True) -> bool:
        return self.owner.offer(FaceFrame(t_ns, source, tracked))

    @property
    def shown(self) -> str:
        newest = self.slot.peek()
        assert newest is not None
        return newest.value.source


def test_second_tracker_does_not_fight_for_the_face() -> None:
    stage = Stage()
    for frame in range(300):
        t_ns = T0 + frame * FRAME_NS
        assert stage.offer("phone", t_ns)
        assert not stage.offer("webcam", t_ns + 1)
        assert stage.shown == "phone"
    assert stage.telemetry.counters()["tracking.takeovers"] == 1
    assert stage.telemetry.counters()["tracking.not_owner"] == 300


def test_second_tracker_takes_over_after_silence() -> None:
    stage = Stage()
    stage.offer("phone", T0)
    assert not stage.offer("webcam", T0 + TAKEOVER_NS - 1)
    assert stage.offer("webcam", T0 + TAKEOVER_NS)
    assert not stage.offer("phone", T0 + TAKEOVER_NS + FRAME_NS)
    assert stage.owner.owner == "webcam"


def test_tracker_that_lost_the_face_keeps_it_until_another_sees_one() -> None:
    stage = Stage()
    stage.offer("phone", T0)
    for frame in range(1, 120):
        assert stage.offer("phone", T0 + frame * FRAME_NS, tracked=False)
    t_ns = T0 + 120 * FRAME_NS
    assert not stage.offer("webcam", t_ns, tracked=False)
    assert stage.offer("webcam", t_ns)
    assert stage.shown == "webcam"


def test_sender_of_hands_alone_leaves_the_face_to_a_phone() -> None:
    hand = OscMessageBuilder("/VMC/Ext/Bone/Pos")
    for argument in ("LeftHand", *(0.0,) * 6, 1.0):
        hand.add_arg(argument)
    apply = OscMessageBuilder("/VMC/Ext/Blend/Apply").build().dgram
    vmc = VmcProtocol()
    vmc.reset("vmc")
    stage = Stage()
    t_ns = TAKEOVER_NS
    for _ in range(60):
        t_ns += FRAME_NS
        for datagram in (hand.build().dgram, apply):
            for frame in vmc.feed(datagram, t_ns):
                stage.owner.offer(frame)
    assert stage.offer("phone", t_ns + 1)
    for frame in vmc.feed(apply, t_ns + 2):
        assert not stage.owner.offer(frame)
    assert stage.shown == "phone"


def test_late_frame_does_not_replace_a_newer_one() -> None:
    stage = Stage()
    stage.offer("phone", T0 + 2)
    assert not stage.offer("phone", T0 + 1)
    assert stage.telemetry.counters()["tracking.out_of_order"] == 1


def test_every_protocol_has_a_table_of_its_own_name() -> None:
    settings = TrackingSettings()
    for row in PROTOCOLS:
        assert row.settings(settings) is getattr(settings, row.name)
        protocol = row.create(settings)
        assert protocol.name == row.name
        assert protocol.default_port == row.settings(settings).port


def test_only_a_named_phone_is_greeted() -> None:
    silent = TrackingSettings.model_validate({})
    named = TrackingSettings.model_validate(
        {"ifacialmocap": {"phone": "192.168.1.20", "version": "v1"}}
    )
    row = next(row for row in PROTOCOLS if row.name == "ifacialmocap")
    assert row.create(silent).greeting(T0) is None
    greeting = row.create(named).greeting(T0)
    assert greeting is not None
    assert (greeting.host, greeting.port) == ("192.168.1.20", 49983)
    assert b"v2" not in greeting.data
