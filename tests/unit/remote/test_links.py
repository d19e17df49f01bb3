"""Both ends of the wire, with a network between them that tests can bend."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.errors import PacketError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.remote.renderer_link import RELEASE_NS, Address, RendererLink, Taken
from vtbridge.remote.tracker_link import LinkState, TrackerLink
from vtbridge.remote.wire import Code, Command, Kind, PoseMessage, parse

SECRET = b"s" * 32
GAMING: Address = ("192.168.1.10", 40000)
OTHER: Address = ("192.168.1.11", 40000)
BEAT_NS = NS_PER_S // 60
ZERO = np.zeros(POSE_SIZE, np.float32)


def numbered(seed: int) -> Callable[[int], bytes]:
    """Return a source of bytes that differ each time, the same ones in each run."""
    return random.Random(seed).randbytes


class Room:
    """A renderer, and trackers at addresses."""

    def __init__(self, **settings: object) -> None:
        self.now_ns = NS_PER_S
        self.renderer = RendererLink(SECRET, random=numbered(1), **settings)  # type: ignore[arg-type]
        self.recorded: list[bytes] = []
        self.commands: list[Command] = []
        self.asked: list[Command] = []
        self.poses = 0
        self.begun = 0

    def deliver(self, datagram: bytes, sender: Address, tracker: TrackerLink | None = None) -> None:
        self.recorded.append(datagram)
        taken: Taken = self.renderer.take(datagram, sender, self.now_ns)
        self.begun += taken.begun
        self.poses += taken.pose is not None
        if taken.command is not None:
            self.commands.append(taken.command)
        if taken.reply is not None and tracker is not None:
            tracker.take(taken.reply, self.now_ns)

    def beat(
        self,
        tracker: TrackerLink,
        sender: Address = GAMING,
        *,
        lose: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """Let one beat pass, and return the reasons of what was refused."""
        self.now_ns += BEAT_NS
        refused = []
        pose = tracker.pose(lambda taken: PoseMessage(ZERO, taken=taken), self.now_ns)
        for datagram in (*tracker.due(self.now_ns), *([] if pose is None else [pose])):
            if lose():
                continue
            try:
                self.deliver(datagram, sender, tracker)
            except PacketError as error:
                refused.append(error.reason)
        for datagram in self.renderer.due(self.now_ns):
            if self.renderer.owner == sender and not lose():
                try:
                    self.asked += tracker.take(datagram, self.now_ns)
                except PacketError as error:
                    refused.append(error.reason)
        return refused


def tracker_at(seed: int, secret: bytes = SECRET) -> TrackerLink:
    return TrackerLink(secret, random=numbered(seed))


def test_tracker_with_the_key_is_heard_after_one_call() -> None:
    room, tracker = Room(), tracker_at(2)
    assert room.beat(tracker) == []
    assert tracker.state is LinkState.CONNECTED
    assert room.renderer.owner is None, "a call alone gives no place"
    assert room.beat(tracker) == []
    assert (room.poses, room.begun) == (1, 1)
    assert [room.renderer.owner] == [GAMING]


def test_tracker_with_another_key_gets_no_answer() -> None:
    room, tracker = Room(), tracker_at(2, b"t" * 32)
    reasons = [reason for _ in range(120) for reason in room.beat(tracker)]
    assert set(reasons) == {"wrong key"}
    assert len(reasons) <= 5, "it calls twice a second, no more"
    assert tracker.state is LinkState.CALLING


def test_host_outside_the_allow_list_is_refused_even_with_the_key() -> None:
    room, tracker = Room(allow=["192.168.1.11"]), tracker_at(2)
    assert room.beat(tracker) == ["not allowed"]
    assert room.beat(tracker_at(3), OTHER) == []


def test_nothing_that_was_recorded_is_ever_taken_again() -> None:
    room, tracker = Room(), tracker_at(2)
    tracker.outbox.add(Command(Code.SWITCH, "smile", True), room.now_ns)
    for _ in range(100):
        room.beat(tracker)
    recorded, poses = list(room.recorded), room.poses
    assert room.commands == [Command(Code.SWITCH, "smile", True)]
    for datagram in recorded:
        with contextlib.suppress(PacketError):
            assert room.renderer.take(datagram, GAMING, room.now_ns) == Taken()
    room.now_ns += 10 * RELEASE_NS
    fresh = Room()  # the renderer was started again, and knows nothing of before
    fresh.renderer = RendererLink(SECRET, random=numbered(9))
    for datagram in recorded:
        try:
            taken = fresh.renderer.take(datagram, OTHER, room.now_ns)
        except PacketError:
            continue
        assert parse(datagram).kind is Kind.HELLO
        assert taken.pose is None
        assert taken.command is None
    assert fresh.renderer.owner is None
    assert room.poses == poses
    assert len(room.commands) == 1


def test_what_one_end_says_is_not_taken_from_the_other() -> None:
    room, tracker = Room(), tracker_at(2)
    for _ in range(30):
        room.beat(tracker)
    pose = tracker.pose(lambda taken: PoseMessage(ZERO), room.now_ns)
    assert pose is not None
    with pytest.raises(PacketError, match="nothing for a tracker"):
        tracker.take(pose, room.now_ns)
    (report,) = itertools.islice(
        (one for step in range(99) for one in room.renderer.due(room.now_ns + step * BEAT_NS)), 1
    )
    with pytest.raises(PacketError, match="nothing for a renderer"):
        room.renderer.take(report, GAMING, room.now_ns)


def test_second_tracker_waits_until_the_first_is_silent() -> None:
    room, first, second = Room(), tracker_at(2), tracker_at(3)
    for _ in range(10):
        room.beat(first)
    assert {reason for _ in range(30) for reason in room.beat(second, OTHER)} == {"other sender"}
    assert room.renderer.owner == GAMING
    room.now_ns += RELEASE_NS
    for _ in range(60):
        room.beat(second, OTHER)
    assert room.renderer.owner == OTHER


def test_tracker_that_is_started_again_has_its_place_back_within_a_second() -> None:
    room, first = Room(), tracker_at(2)
    for _ in range(10):
        room.beat(first)
    again = tracker_at(4)
    for _ in range(60):
        room.beat(again)
    assert room.begun == 2
    assert room.poses > 40


def test_renderer_that_is_started_again_is_called_anew() -> None:
    room, tracker = Room(), tracker_at(2)
    for _ in range(10):
        room.beat(tracker)
    room.renderer = RendererLink(SECRET, random=numbered(8))
    before = room.poses
    for _ in range(4 * 60):
        room.beat(tracker)
    assert tracker.state is LinkState.CONNECTED
    assert room.poses - before > 60


def test_reordered_poses_arrive_each_once() -> None:
    room, tracker = Room(), tracker_at(2)
    room.beat(tracker)
    poses = []
    for _ in range(200):
        room.now_ns += BEAT_NS
        pose = tracker.pose(lambda taken: PoseMessage(ZERO), room.now_ns)
        assert pose is not None
        poses.append(pose)
    shuffled = [pose for pair in zip(poses[1::2], poses[::2], strict=True) for pose in pair]
    for pose in shuffled:
        room.deliver(pose, GAMING)
        with pytest.raises(PacketError, match="came before"):
            room.renderer.take(pose, GAMING, room.now_ns)
    assert room.poses == 200
    assert room.renderer.lost == 0


@pytest.mark.parametrize("seed", range(3))
def test_commands_come_once_and_in_order_over_a_network_that_loses_a_third(seed: int) -> None:
    room, tracker, rng = Room(), tracker_at(2), random.Random(seed)
    while tracker.state is not LinkState.CONNECTED:
        room.beat(tracker)
    wanted = [Command(Code.PRESS, f"e{number}", number % 2 == 0) for number in range(20)]
    for command in wanted:
        tracker.outbox.add(command, room.now_ns)
        room.renderer.outbox.add(Command(Code.CALIBRATE), room.now_ns)
        for _ in range(20):
            room.beat(tracker, lose=lambda: rng.random() < 0.3)
    for _ in range(60):
        room.beat(tracker)
    assert room.commands == wanted
    assert room.asked == [Command(Code.CALIBRATE)] * 20
    assert 0.2 < room.renderer.lost / (20 * 20) < 0.5


def test_command_that_nobody_heard_for_two_seconds_is_dropped() -> None:
    room, tracker = Room(), tracker_at(2)
    tracker.outbox.add(Command(Code.SWITCH, "smile"), room.now_ns)
    room.now_ns += 3 * NS_PER_S
    for _ in range(60):
        room.beat(tracker)
    assert room.commands == []
    assert tracker.outbox.dropped == 1


def test_flood_of_commands_keeps_the_newest() -> None:
    room, tracker = Room(), tracker_at(2)
    for number in range(500):
        tracker.outbox.add(Command(Code.SWITCH, f"e{number}"), room.now_ns)
    for _ in range(119):
        room.beat(tracker)
    assert room.commands[0].name == "e436"


def test_flood_of_calls_does_not_keep_the_owner_from_its_place() -> None:
    room, tracker = Room(), tracker_at(2)
    for _ in range(10):
        room.beat(tracker)
    refused = []
    for seed in range(500):
        (call,) = tracker_at(100 + seed).due(room.now_ns)
        try:
            room.deliver(call, OTHER)
        except PacketError as error:
            refused.append(error.reason)
    assert set(refused) == {"too many"}
    assert len(refused) >= 470
    assert room.beat(tracker) == []
    assert room.renderer.owner == GAMING


def test_session_belongs_to_the_host_that_began_it() -> None:
    room, tracker = Room(), tracker_at(2)
    for _ in range(10):
        room.beat(tracker)
    pose = tracker.pose(lambda taken: PoseMessage(ZERO), room.now_ns)
    assert pose is not None
    with pytest.raises(PacketError, match="did not begin"):
        room.renderer.take(pose, OTHER, room.now_ns)
    room.deliver(pose, (GAMING[0], 50000))
    assert room.renderer.owner == (GAMING[0], 50000), "from another port it goes on"


@pytest.mark.parametrize("junk", [b"", b"\0" * 40, b"VTBR" + b"\0" * 60, b"x" * 5000])
def test_junk_is_refused_and_changes_nothing(junk: bytes) -> None:
    room, tracker = Room(), tracker_at(2)
    for _ in range(10):
        room.beat(tracker)
    for end in (
        lambda: room.renderer.take(junk, GAMING, room.now_ns),
        lambda: tracker.take(junk, room.now_ns),
    ):
        with pytest.raises(PacketError):
            end()
    assert room.beat(tracker) == []
