"""The renderer's side of two computers: held, eased to idle, eased back; commands let go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.expressions import library_of
from vtbridge.app.expressions import Expressions
from vtbridge.app.remote import BY, RemoteRenderer, own_address
from vtbridge.app.remote_poses import RemotePoses, pose_message
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame, Pose
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.news import ExpressionNews
from vtbridge.expressions.settings import IdleSettings
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.remote.key import new_key
from vtbridge.remote.renderer_link import Taken
from vtbridge.remote.wire import Code, Command, PoseMessage
from vtbridge.retarget.settings import DropoutSettings
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.source_status import SourceState

STEP_NS = NS_PER_S // 60
GAMING = ("192.168.1.10", 40000)


def mouth(opening: float, **fields: object) -> PoseMessage:
    values = np.zeros(POSE_SIZE, np.float32)
    values[PoseParam.MOUTH_AAA] = opening
    return PoseMessage(values, **fields)  # type: ignore[arg-type]


class Show:
    """Poses at an even beat, sent and shown."""

    def __init__(self) -> None:
        self.silences = 0
        self.poses = RemotePoses(DropoutSettings(), 0.15, on_silence=self._silent)
        self.now_ns = NS_PER_S

    def _silent(self) -> None:
        self.silences += 1

    def send(self, seconds: float, message: PoseMessage, *, begun: bool = False) -> list[Pose]:
        shown = []
        for step in range(round(seconds * 60)):
            self.now_ns += STEP_NS
            self.poses.add(
                message, self.now_ns - 7 * NS_PER_S, self.now_ns, begun=begun and not step
            )
            shown.append(self.poses.pose_at(self.now_ns))
        return shown

    def wait(self, seconds: float) -> list[Pose]:
        shown = []
        for _ in range(round(seconds * 60)):
            self.now_ns += STEP_NS
            shown.append(self.poses.pose_at(self.now_ns))
        return shown


def opening(pose: Pose) -> float:
    return float(pose.values[PoseParam.MOUTH_AAA])


def test_silent_tracker_is_held_then_eased_to_idle_then_told() -> None:
    show = Show()
    assert show.poses.pose_at(show.now_ns).presence == 0.0
    assert show.poses.tracker_lost(show.now_ns)
    assert show.send(2, mouth(0.8))[-1].presence == 1.0
    assert not show.poses.tracker_lost(show.now_ns)
    assert [pose.presence for pose in show.wait(0.28)] == [1.0] * 17
    assert not show.poses.tracker_lost(show.now_ns)
    fading = show.wait(1.2)
    presences = [pose.presence for pose in fading]
    assert presences == sorted(presences, reverse=True)
    assert presences[-1] == 0.0
    assert show.poses.tracker_lost(show.now_ns)
    assert show.poses.tracker_lost(show.now_ns)
    assert show.silences == 1
    assert all(opening(pose) == pytest.approx(0.8, abs=1e-4) for pose in fading)


def test_returning_tracker_is_eased_back() -> None:
    show, idle = Show(), IdleMotion(IdleSettings(), seed=1)
    frames = []

    def see(poses: list[Pose]) -> None:
        at_ns = show.now_ns - STEP_NS * len(poses)
        for step, pose in enumerate(poses, 1):
            frames.append(idle.apply(pose, at_ns + step * STEP_NS).values[PoseParam.MOUTH_AAA])

    see(show.send(1, mouth(0.9)))
    for silence_s, value, begun in ((0.5, 0.1, False), (4.0, 0.9, False), (0.4, 0.2, True)):
        see(show.wait(silence_s))
        see(show.send(1.5, mouth(value), begun=begun))
        assert frames[-1] == pytest.approx(value, abs=0.01)
    steps = [abs(float(after - before)) for before, after in itertools.pairwise(frames)]
    assert max(steps) < 0.1, "no jump, though the mouth is elsewhere each time"


def test_face_lost_at_the_other_computer_is_lost_here() -> None:
    show = Show()
    show.send(1, mouth(0.5))
    shown = show.send(0.5, mouth(0.5, presence=0.0, tracked=False, age_us=None))
    assert show.poses.tracker_lost(show.now_ns)
    assert shown[-1].presence == 0.0
    assert shown[-1].t_ns == show.now_ns
    assert show.silences == 0, "the computer itself is there"


def test_parts_that_no_tracker_covers_stay_uncovered() -> None:
    show = Show()
    coverage = np.ones(POSE_SIZE, np.float32)
    coverage[PoseParam.HEAD_X] = 0
    pose = show.send(1, mouth(0.5, coverage=coverage))[-1]
    assert pose.coverage is not None
    assert pose.coverage[PoseParam.HEAD_X] == 0
    assert pose.coverage[PoseParam.MOUTH_AAA] == 1
    assert show.send(1, mouth(0.5))[-1].coverage is None


def test_age_of_the_face_travels_with_it() -> None:
    show = Show()
    pose = show.send(1, mouth(0.5, age_us=40_000))[-1]
    age_ms = (show.now_ns - pose.t_ns) / 1e6
    assert 40 <= age_ms <= 40 + 3 * STEP_NS / 1e6


def test_message_holds_what_the_retargeter_and_the_face_said() -> None:
    pose = Pose(mouth(0.5).values, 1_000_000, 0.75)
    face = FaceFrame(1, blendshapes={"jawOpen": 0.25, "tongueOut": float("nan")})
    message = pose_message(pose, face, 3_000_000, 9, tracked=True)
    assert (message.presence, message.age_us, message.taken) == (0.75, 2000, 9)
    assert message.shapes.count(0.25) == 1
    assert sum(shape is not None for shape in message.shapes) == 1
    assert pose_message(pose, face, 3_000_000, 9, tracked=False).shapes == ()
    assert pose_message(Pose(pose.values, 0, 0.0), None, 5, 0, tracked=False).age_us is None


class Desk:
    """A renderer with expressions, and a tracker that is only its messages."""

    def __init__(self) -> None:
        self.engine = ExpressionEngine(
            library_of(
                """
                [expressions.cat]
                mode = "hold"
                values = { mouth_uuu = 1 }
                when = "jawOpen > 0.5"
                [expressions.dog]
                values = { mouth_aaa = 1 }
                """
            )
        )
        self.clock = ManualClock(NS_PER_S)
        config = Config.model_validate({"remote": {"port": 0, "listen": "127.0.0.1"}})
        self.remote = RemoteRenderer(config, new_key())
        self.shown: list[str] = []
        expressions = Expressions(self.engine, ExpressionNews(self.engine), None, False)
        self.remote.use(expressions, self.shown.append)
        self.faces: LatestSlot[FaceFrame] = LatestSlot()
        self.inputs = self.remote.open(self.faces, Telemetry(self.clock), self.clock)
        (self.receiver,) = self.inputs.services

    def pose(self, message: PoseMessage, *, begun: bool = False) -> None:
        now_ns = self.clock.advance(1 / 60)
        self.remote._on_pose(Taken(pose=(message, now_ns), begun=begun), GAMING, now_ns)

    def on(self) -> dict[str, tuple[str, ...]]:
        face = self.faces.peek()
        rest = Pose(np.zeros(POSE_SIZE, np.float32))
        for _ in range(20):
            now_ns = self.clock.advance(1 / 60)
            self.engine.apply(rest, None if face is None else face.value, now_ns)
        return {state.name: state.triggers for state in self.engine.state() if state.active}


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.receiver.stop()


def test_commands_switch_press_release_and_clear(desk: Desk) -> None:
    do = desk.remote._on_command
    do(Command(Code.PRESS, "cat", True))
    do(Command(Code.SWITCH, "dog"))
    do(Command(Code.SWITCH, "nobody"))
    assert desk.on() == {"cat": (BY,), "dog": (BY,)}
    do(Command(Code.PRESS, "cat", False))
    do(Command(Code.PRESS, "dog", False))
    assert desk.on() == {"dog": (BY,)}
    do(Command(Code.RELEASE, "dog"))
    assert desk.on() == {}
    do(Command(Code.SWITCH, "dog", True))
    do(Command(Code.CLEAR))
    assert desk.on() == {}


def test_a_character_that_the_tracker_asks_for_is_asked_for_here(desk: Desk) -> None:
    desk.remote._on_command(Command(Code.CHARACTER, "momo", True))
    desk.remote.use(None, desk.shown.append)
    desk.remote._on_command(Command(Code.CHARACTER, "ren", True))
    assert desk.shown == ["momo", "ren"]


def test_key_held_at_a_tracker_that_is_gone_is_let_go(desk: Desk) -> None:
    desk.pose(mouth(0.5), begun=True)
    assert not desk.remote.poses.tracker_lost(desk.clock.now_ns())
    desk.remote._on_command(Command(Code.PRESS, "cat", True))
    desk.remote._on_command(Command(Code.SWITCH, "dog", True))
    assert set(desk.on()) == {"cat", "dog"}
    desk.clock.advance(3)
    assert desk.remote.poses.tracker_lost(desk.clock.now_ns())
    assert set(desk.on()) == {"dog"}


def test_conditions_see_the_shapes_of_the_face_at_the_other_computer(desk: Desk) -> None:
    shapes = dict.fromkeys(("jawOpen",), 0.9)
    face = FaceFrame(1, blendshapes=shapes)
    pose = Pose(mouth(0.5).values, 1, 1.0)
    desk.pose(pose_message(pose, face, 1, 0, tracked=True), begun=True)
    assert desk.on() == {"cat": ("condition",)}


def test_state_of_the_tracker_is_told(desk: Desk) -> None:
    (status,) = desk.inputs.status()
    assert (status.state, status.source) == (SourceState.WAITING, "remote")
    desk.pose(mouth(0.5), begun=True)
    desk.pose(mouth(0.5))
    assert desk.inputs.status()[0].state is SourceState.LIVE
    desk.pose(mouth(0.5, tracked=False))
    assert desk.inputs.status()[0].state is SourceState.NO_FACE
    desk.clock.advance(2)
    assert desk.inputs.status()[0].state is SourceState.SILENT


def test_own_address_is_found_without_asking_anyone() -> None:
    assert own_address()
