"""What the daemon tells about itself: its state, and what a finished run came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from vtbridge.app.alerts import alerts
from vtbridge.app.audience import Audience
from vtbridge.app.character_switch import CharacterSwitch
from vtbridge.app.expressions import Expressions
from vtbridge.app.health import health_told
from vtbridge.app.live_settings import LiveSettings
from vtbridge.app.preparation import Preparation
from vtbridge.app.render_loop import RenderLoop
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.control.api.models import Alert, Status, Trackers
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.obs.connection import ObsConnection
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.source_status import plain_face, plain_status


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a finished run came to; ``dropped`` are deadlines without a new frame, of ``beats``."""

    frames: int
    seconds: float
    beats: int
    dropped: int
    runtime: str
    quality: str
    fresh_fps: float
    added_delay_ms: float
    counters: dict[str, int]
    latency_ms: dict[str, dict[str, float]]

    @property
    def fps(self) -> float:
        """Frames a second over the whole run."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class DaemonStatus:
    """The state of one daemon, read from its parts; each may be asked on any thread.

    Attributes:
        config: all settings.
        characters: who is shown, and who may be.
        clock: for the age of faces.
        telemetry: counters and latencies of all stages.
        faces: the newest face.
        render: the render loop.
        expressions: None where they are switched off.
        audience: who looks, None if nobody asks.
        inputs: the trackers; they open after the page.
        settings: changes the settings, None where nobody may.
        obs: the connection to OBS, None where vtbridge makes none.
        lost: names of the services that died.
        restarts: how often the renderer was started again.
    """

    config: Config
    characters: CharacterSwitch
    clock: Clock
    telemetry: Telemetry
    faces: LatestSlot[FaceFrame]
    render: RenderLoop
    expressions: Expressions | None = None
    audience: Audience | None = None
    settings: LiveSettings | None = None
    inputs: Inputs = field(default_factory=Inputs)
    obs: ObsConnection | None = None
    lost: set[str] = field(default_factory=set)
    restarts: int = 0

    def source(self) -> str:
        """Return who sent the newest face."""
        newest = self.faces.peek()
        return newest.value.source if newest is not None else "no tracker yet"

    def status(self) -> Status:
        """Return the whole state, as a page wants it twice a second."""
        render, live = self.render, self.render.status()
        character = self.characters.shown
        return Status.model_validate(
            {
                "name": self.config.publish.name,
                "picture": character.picture.name,
                "credit": character.picture.credit,
                "runtime": live.runtime,
                "fps": round(render.fps(), 2),
                "fps_wanted": self.config.avatar.fps,
                "frames": render.frames,
                "beats": render.beats,
                "dropped": render.missed,
                "locked": render.locked,
                "live": asdict(live),
                "preparation": None
                if character.first_use is None
                else _plain(character.first_use.preparation()),
                "tracked": render.tracked,
                "tracker": self.source() if render.tracked else "waiting for a face",
                "sources": self._sources(),
                "obs": self._obs_state(),
                **({} if self.audience is None else self.audience.status()),
                **({} if self.expressions is None else self.expressions.status()),
                "warnings": self.warnings(),
                "stopped": sorted(self.lost),
                "restarts": self.restarts,
                "health": health_told(render.health, self.clock.now_ns() - render.heartbeat_ns),
                "latency_ms": self.telemetry.latency_ms(),
                "counters": self.telemetry.counters(),
            }
        )

    def trackers(self) -> Trackers:
        """Return what `vtbridge trackers` shows: every source with its face, and the one shown."""
        newest = self.faces.peek()
        return Trackers.model_validate(
            {
                "name": self.config.publish.name,
                "sources": self._sources(with_face=True),
                "movers": self.inputs.movers(),
                "face": None if newest is None else plain_face(newest.value, self.clock.now_ns()),
            }
        )

    def warnings(self) -> list[Alert]:
        """Return what a streamer would want to know."""
        live = self.render.status()
        load = f"the computer is busy: {live.quality} at {live.fps:g} fps"
        return alerts(
            self.lost,
            self.inputs.status(),
            (
                ("rendering", live.trouble),
                ("character", self.characters.casting().trouble),
                ("load", load if live.below_wanted else ""),
                ("settings", "" if self.settings is None else self.settings.trouble),
                ("expressions", "" if self.expressions is None else self.expressions.trouble),
            ),
        )

    def _sources(self, *, with_face: bool = False) -> list[dict[str, object]]:
        now_ns = self.clock.now_ns()
        return [
            plain_status(status, now_ns, with_face=with_face) for status in self.inputs.status()
        ]

    def _obs_state(self) -> str:
        if self.obs is None:
            return "not connected by vtbridge"
        return self.obs.trouble or self.obs.state.value


def _plain(preparation: Preparation) -> dict[str, object]:
    return asdict(preparation) | {"text": preparation.text}


def summary_of(render: RenderLoop, telemetry: Telemetry, seconds: float) -> RunSummary:
    """Return what a run of ``seconds`` came to."""
    live = render.status()
    return RunSummary(
        frames=render.frames,
        seconds=seconds,
        beats=render.beats,
        dropped=render.missed,
        runtime=live.runtime,
        quality=live.quality,
        fresh_fps=live.fresh_fps,
        added_delay_ms=live.added_delay_ms,
        counters=telemetry.counters(),
        latency_ms=telemetry.latency_ms(),
    )
