"""The renderer of two computers: poses and commands come from the other one."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial

from vtbridge.app.character_triggers import Show
from vtbridge.app.expressions import Expressions
from vtbridge.app.remote_poses import RemotePoses
from vtbridge.clock import NS_PER_S, Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.expressions.model import Mode
from vtbridge.flow.slot import LatestSlot
from vtbridge.remote.key import RemoteKey
from vtbridge.remote.receiver import PoseReceiver
from vtbridge.remote.renderer_link import Address, RendererLink, Taken
from vtbridge.remote.wire import Code, Command
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.source_status import RateMeter, SourceState, SourceStatus

log = logging.getLogger(__name__)

BY = "remote"
"""Who keeps an expression on that was triggered at the other computer."""


class RemoteRenderer:
    """What a daemon needs to show the poses of another computer.

    Attributes:
        poses: in the place of a retargeter.

    Args:
        config: all settings.
        key: what both computers share.
    """

    def __init__(self, config: Config, key: RemoteKey) -> None:
        self._settings = config.remote
        self._key = key
        self.poses = RemotePoses(
            config.retarget.dropout,
            config.remote.max_delay_ms / 1000,
            on_silence=self._let_go,
        )
        self._rate = RateMeter()
        self._receiver: PoseReceiver | None = None
        self._faces: LatestSlot[FaceFrame] | None = None
        self._face: FaceFrame | None = None
        self._expressions: Expressions | None = None
        self._show: Show | None = None
        self._telemetry: Telemetry | None = None
        self._clock: Clock | None = None
        self._held: set[str] = set()

    def use(self, expressions: Expressions | None, show: Show) -> None:
        """Let the other computer trigger these, and show characters."""
        self._expressions, self._show = expressions, show

    def open(self, faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock) -> Inputs:
        """Return the input that listens to the tracker, its port taken.

        Raises:
            PortInUse: the port cannot be had.
        """
        self._faces, self._telemetry, self._clock = faces, telemetry, clock
        settings = self._settings
        self._receiver = receiver = PoseReceiver(
            RendererLink(self._key.secret, allow=[str(host) for host in settings.allow]),
            host=str(settings.listen),
            port=settings.port,
            on_pose=self._on_pose,
            on_command=self._on_command,
            clock=clock,
            telemetry=telemetry,
        )
        receiver.bind()
        inputs = Inputs()
        inputs.add(receiver, lambda: [self.status()])
        return inputs

    @property
    def port(self) -> int:
        """The UDP port in use, 0 before ``open``."""
        return 0 if self._receiver is None else self._receiver.port

    def calibrate(self) -> None:
        """Have the tracker take the face of the next second as neutral."""
        if self._receiver is not None:
            log.info("calibrating at the tracker: look straight ahead with a relaxed face")
            self._receiver.tell(Command(Code.CALIBRATE))

    def status(self) -> SourceStatus:
        """Return how the tracker is doing; safe from any thread."""
        receiver, clock = self._receiver, self._clock
        if receiver is None or clock is None:
            raise VtbridgeError("the remote input is not open; open() comes first")
        now_ns, last_ns, owner = clock.now_ns(), self._rate.last_ns, receiver.link.owner
        if last_ns is None:
            state = SourceState.WAITING
        elif now_ns - last_ns > NS_PER_S:
            state = SourceState.SILENT
        elif self.poses.tracker_lost(now_ns):
            state = SourceState.NO_FACE
        else:
            state = SourceState.LIVE
        return SourceStatus(
            source="remote" if owner is None else f"remote:{owner[0]}",
            title="Remote tracker",
            place=f"{self._settings.listen}:{receiver.port}",
            state=state,
            fps=self._rate.fps if state.speaks else 0.0,
            jitter_ms=self._rate.jitter_ms if state.speaks else 0.0,
            packets=receiver.packets,
            lost=receiver.link.lost,
            rejects=dict(receiver.rejects),
            last_ns=last_ns,
            face=self._face,
        )

    def _on_pose(self, taken: Taken, sender: Address, arrival_ns: int) -> None:
        if taken.pose is None or self._faces is None:
            return
        message, sent_ns = taken.pose
        if taken.begun:
            self._let_go()
        self._rate.saw(arrival_ns)
        if self.poses.add(message, sent_ns, arrival_ns, begun=taken.begun):
            shapes = zip(ARKIT_NAMES, message.shapes, strict=False)
            self._face = FaceFrame(
                arrival_ns,
                f"remote:{sender[0]}",
                message.tracked,
                {name: shape for name, shape in shapes if shape is not None},
            )
            self._faces.put(self._face)
        if self._telemetry is not None:
            self._telemetry.observe("remote.held_back", round(self.poses.delay_ms * 1e6))

    def _on_command(self, command: Command) -> None:
        expressions, show = self._expressions, self._show
        if command.code is Code.CHARACTER and show is not None:
            show(command.name)
        if expressions is None:
            return
        engine = expressions.engine
        acts: dict[Code, Callable[[], object]] = {
            Code.SWITCH: partial(expressions.switch_by(BY), command.name, command.on),
            Code.PRESS: partial(expressions.press_by(BY), command.name, command.on),
            Code.RELEASE: partial(engine.release, command.name),
            Code.CLEAR: engine.clear,
        }
        act = acts.get(command.code)
        if act is None:
            return
        try:
            act()
        except KeyError as error:
            log.warning("the tracker's computer triggers what is not here: %s", error.args[0])
            return
        modes = {state.name: state.mode for state in engine.state()}
        if modes.get(command.name) is Mode.HOLD:
            (self._held.add if command.on else self._held.discard)(command.name)

    def _let_go(self) -> None:
        """Let go of what was held at a tracker that is gone."""
        held, self._held = self._held, set()
        if self._expressions is not None:
            for name in held:
                try:
                    self._expressions.engine.let_go(name, by=BY)
                except KeyError:
                    continue  # gone with the file's newest version


def own_address() -> str:
    """Return the address that other computers of the network see; asks nobody."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # of nobody (RFC 5737); UDP sends nothing here
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
