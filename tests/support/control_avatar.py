"""An avatar for the control API that notes what it is told to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.support.control_definitions import FakeDefinitions
from tests.support.control_doctor import FakeDoctor
from tests.support.control_poser import FakePoser
from vtbridge.config.schema import Config
from vtbridge.control.api.avatar import ProcessFigures
from vtbridge.control.api.models import (
    Action,
    Alert,
    Character,
    Characters,
    Expression,
    Expressions,
    Health,
    Latency,
    Live,
    Obs,
    Quality,
    QualityName,
    ShownCharacter,
    Source,
    SourceWithFace,
    Status,
    Trackers,
    Tracking,
)
from vtbridge.control.api.obs_setup import ObsSetUp
from vtbridge.errors import ConfigError
from vtbridge.telemetry import LatencySummary

SOURCE = Source(
    source="vmc",
    title='VMC "3.1"',
    place="127.0.0.1:39539",
    state="live",
    fps=60.0,
    jitter_ms=2.5,
    packets=7,
    lost=None,
    rejects={"no OSC": 3},
    age_s=0.01,
    trouble=None,
    asked=None,
)
LIVE = Live(
    runtime="native",
    quality="exact",
    fps=60.0,
    fresh_fps=5.5,
    networks_ms=147.0,
    added_delay_ms=20.0,
    below_wanted=True,
    failing=False,
    fallback=False,
    trouble="",
)

HEALTH = Health(live=True, ready=True, degraded=["slow"], heartbeat_age_s=0.016)


class FakeAvatar:
    """See ``vtbridge.control.api.avatar.Avatar``.

    Attributes:
        orders: what it was told to do, newest last.
        active: names of the expressions that are on, and by whom.
        choices: qualities that may be wanted.
        credit: part of the state, as long as a test wants it.
        trouble: one warning, empty = none.
        poser: poses by hand.
        doctor: makes characters of drawings.
        definitions: expressions as they are written.
        fixed: why no setting can be changed nor OBS set up, empty = they can.
    """

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.active: dict[str, str] = {}
        self.choices = list(QualityName)
        self.chosen = "exact"
        self.credit = "Michi"
        self.trouble = ""
        self.tracked = True
        self.remote = False
        self.fixed = ""
        self.poser: FakePoser | None = FakePoser(self.orders)
        self.doctor: FakeDoctor | None = FakeDoctor(self.orders)
        self.definitions: FakeDefinitions | None = FakeDefinitions(self.orders)
        self.shown = "michi"
        self.coming = ""
        self._changed: list[Callable[[], None]] = []

    def status(self) -> Status:
        return Status(
            name="avatar",
            picture="michi",
            credit=self.credit,
            runtime="native",
            fps=59.5,
            fps_wanted=60.0,
            frames=100,
            beats=104,
            dropped=4,
            locked=False,
            live=None if self.remote else LIVE,
            preparation=None,
            tracked=self.tracked,
            tracker="vmc",
            sources=[SOURCE],
            obs="ready",
            expressions=self.expressions().expressions,
            warnings=self.warnings(),
            stopped=["media"],
            latency_ms={"face_to_frame": Latency(p50=20.0, p99=40.0)},
            restarts=2,
            health=None if self.remote else HEALTH,
            counters={"render.cache.body.hit": 3, "render.cache.body.miss": 1, "osc.rejected": 2},
        )

    def trackers(self) -> Trackers:
        sources = [SourceWithFace(**SOURCE.model_dump(), face=None)]
        return Trackers(name="avatar", sources=sources, movers={"eyes": "vmc"}, face=None)

    def characters(self) -> Characters:
        return Characters(
            shown=self.shown,
            characters=[
                Character.model_validate(
                    {"name": name, "kind": "built-in", "shown": name == self.shown}
                )
                for name in ("michi", "momo")
            ],
        )

    def character(self) -> ShownCharacter:
        return ShownCharacter(name=self.shown, coming=self.coming, trouble="")

    def show(self, name: str) -> None:
        if name not in ("michi", "momo"):
            raise KeyError(f"no character is called {name!r:.60}; did you mean momo?")
        self.orders.append(f"show {name}")
        self.shown = name

    def config(self) -> Config:
        return Config()

    def change_config(self, tables: Mapping[str, object]) -> None:
        if self.fixed:
            raise ConfigError(self.fixed)
        self.orders.append(f"change {dict(tables)}")

    def expressions(self) -> Expressions:
        found = [
            Expression(
                name=name,
                label=name.title(),
                active=name in self.active,
                amount=float(name in self.active),
                mode="toggle",
                triggers=[self.active[name]] if name in self.active else [],
            )
            for name in ("smile", "cat")
        ]
        return Expressions(expressions=found, trouble="")

    def quality(self) -> Quality:
        return Quality(
            quality=self.chosen,
            wanted=self.chosen,
            choices=self.choices,
            runtime="native",
            trouble="",
        )

    def tracking(self) -> Tracking:
        return Tracking(tracked=self.tracked, source="vmc" if self.tracked else "")

    def obs(self) -> Obs:
        return Obs(state="ready", trouble="")

    def set_up_obs(self) -> ObsSetUp:
        if self.fixed:
            raise ConfigError(self.fixed)
        self.orders.append("obs-setup")
        return ObsSetUp(transport="shared memory", changes=["made the scene"], advice="")

    def warnings(self) -> list[Alert]:
        return [Alert(about="tracking", text=self.trouble)] if self.trouble else []

    def latencies(self) -> Mapping[str, LatencySummary]:
        return {
            "face_to_frame": LatencySummary(
                90, 20.0, 30.0, 40.0, 55.0, total_ms=1900.0, buckets=((0.016, 30), (0.032, 81))
            )
        }

    def process(self) -> ProcessFigures:
        return ProcessFigures(resident_bytes=300 << 20, cpu_s=12.5, threads=9, open_files=0)

    def switch(self, name: str, action: Action, *, by: str) -> None:
        if name not in ("smile", "cat"):
            raise KeyError(f"no expression is called {name!r}; did you mean 'smile'?")
        self.orders.append(f"{action} {name} by {by}")
        if action is Action.ON or (action is Action.TOGGLE and name not in self.active):
            self.active[name] = by
        else:
            self.active.pop(name, None)
        self.change()

    def clear(self) -> None:
        self.orders.append("clear")
        self.active.clear()
        self.change()

    def calibrate(self) -> None:
        self.orders.append("calibrate")

    def look(self) -> None:
        self.orders.append("look")

    def set_quality(self, quality: QualityName) -> None:
        self.orders.append(f"quality {quality}")
        self.chosen = quality.value

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        self._changed.append(changed)
        return lambda: self._changed.remove(changed)

    @property
    def listeners(self) -> int:
        """How many want to know of changes."""
        return len(self._changed)

    def change(self) -> None:
        """Tell that something changed."""
        for changed in list(self._changed):
            changed()
