"""A live poser whose networks, clock and pixels are all in the hands of a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vtbridge.clock import ManualClock
from vtbridge.datatypes import PICTURE_SIZE, F32Array, Frame, Picture, U8Array, read_only
from vtbridge.errors import InferenceError, RuntimeTurnedWrong, VtbridgeError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.fields import FrameFields
from vtbridge.render.live.cpu_budget import CpuBudget
from vtbridge.render.live.fields_worker import FieldsWorker
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

SIDE = 4


def picture(name: str = "nobody") -> Picture:
    """Return an opaque white picture."""
    rgba = np.full((PICTURE_SIZE, PICTURE_SIZE, 4), 255, np.uint8)
    return Picture(read_only(rgba), name, name.ljust(64, "0"))


def pose(value: float) -> F32Array:
    """Return a pose that ``ScriptedPoser`` turns into fields of ``value``."""
    return read_only(np.full(POSE_SIZE, value, np.float32))


def fields_of(value: float) -> FrameFields:
    """Return tiny fields, all of ``value``."""
    morphed, grid_change, alpha, color, face = (
        np.full((1, 2, 2), value, np.float32) for _ in range(5)
    )
    return FrameFields(morphed, grid_change, alpha, color, face)


class ScriptedPoser:
    """Fields that are what the first pose parameter says; fails when told to.

    Args:
        name: what ``describe`` answers.
        cost_s: by how much ``clock`` moves on for each pose, by quality.
        clock: the test's.
        fails: whether the computation of this number, from 1, raises.
        turns_wrong: whether it fails its next self-test.
        gives: what the fields hold for a pose's first value.
    """

    def __init__(
        self,
        name: str = "scripted",
        *,
        clock: ManualClock | None = None,
        cost_s: Callable[[Quality], float] = lambda _: 0.0,
        fails: Callable[[int], bool] = lambda _: False,
        turns_wrong: bool = False,
        gives: Callable[[float], float] = lambda value: value,
    ) -> None:
        self.name = name
        self.quality = Quality.EXACT
        self.pictures: list[Picture] = []
        self.asked: list[float] = []
        self.closed = False
        self.alpha = 0.0
        self.size = SIDE
        self._clock = clock
        self._cost_s = cost_s
        self._fails = fails
        self.turns_wrong = turns_wrong
        self.rechecks = 0
        self._gives = gives
        self._fields = fields_of(0.0)

    @property
    def repeated(self) -> bool:
        return False

    def describe(self) -> str:
        return self.name

    def set_picture(self, picture: Picture) -> None:
        self.pictures.append(picture)

    def set_quality(self, quality: Quality) -> None:
        self.quality = quality

    def fields(self, values: F32Array) -> FrameFields:
        self.asked.append(float(values[0]))
        if self._clock is not None:
            self._clock.advance(self._cost_s(self.quality))
        if self._fails(len(self.asked)):
            raise InferenceError(f"{self.name} broke down")
        self._fields.morphed.fill(self._gives(float(values[0])))
        self._fields.alpha.fill(self.alpha)
        return self._fields

    def render(self, values: F32Array) -> U8Array:
        raise AssertionError("a live poser draws by itself")

    def render_float(self, values: F32Array) -> F32Array:
        raise AssertionError("a live poser draws by itself")

    def recheck(self) -> None:
        self.rechecks += 1
        if self.turns_wrong:
            raise RuntimeTurnedWrong(f"{self.name} has turned wrong")

    def close(self) -> None:
        self.closed = True


class FlatCompositor:
    """Paints each frame in one grey: 100 times what the fields hold."""

    def __init__(self) -> None:
        self.picture: Picture | None = None
        self.drawn: list[int] = []

    def set_picture(self, picture: Picture) -> None:
        self.picture = picture

    def composite(self, fields: FrameFields, out: U8Array) -> None:
        self._paint(float(fields.morphed.flat[0]), out)

    def between(self, older: FrameFields, newer: FrameFields, share: float, out: U8Array) -> None:
        before, after = float(older.morphed.flat[0]), float(newer.morphed.flat[0])
        self._paint(before + (after - before) * share, out)

    def _paint(self, value: float, out: U8Array) -> None:
        if not np.isfinite(value):
            raise InferenceError("the fields hold numbers that are not finite")
        self.drawn.append(round(100 * value))
        out.fill(self.drawn[-1])


class ScriptedSource:
    """Opens the given posers one after the other; an error in their place is raised."""

    def __init__(self, *posers: ScriptedPoser | VtbridgeError) -> None:
        self.waiting = list(posers)
        self.opened: list[ScriptedPoser] = []
        self.blamed: list[str] = []

    def open(self) -> ScriptedPoser:
        found = self.waiting.pop(0)
        if isinstance(found, VtbridgeError):
            raise found
        self.opened.append(found)
        return found

    def blame(self, reason: str) -> None:
        self.blamed.append(reason)


@dataclass(slots=True)
class Stage:
    """A live poser at 60 beats a second whose workers are stepped by hand."""

    source: ScriptedSource
    clock: ManualClock
    quality: Quality = Quality.EXACT
    fps: float = 50.0
    telemetry: Telemetry = field(default_factory=Telemetry)
    workers: list[FieldsWorker] = field(default_factory=list)
    live: LivePoser = field(init=False)

    def __post_init__(self) -> None:
        self.live = LivePoser(
            self.source,
            picture(),
            open_compositor=FlatCompositor,
            quality=self.quality,
            size=SIDE,
            fps=self.fps,
            budget=CpuBudget(1),
            clock=self.clock,
            telemetry=self.telemetry,
            start=self.workers.append,
        )
        self.open()

    @property
    def worker(self) -> FieldsWorker:
        """The newest worker."""
        return self.workers[-1]

    def open(self) -> bool:
        """Let the newest worker load its networks."""
        return self.worker.open()

    def beat(self, value: float) -> Frame | None:
        """Show one beat with a pose of ``value``, then pass to the next beat's time."""
        now_ns = self.clock.now_ns()
        frame = self.live.render(pose(value), now_ns)
        self.clock.advance(1 / self.fps)
        return frame


def grey(frame: Frame | None) -> int:
    """Return the one value of a frame that ``FlatCompositor`` painted."""
    assert frame is not None
    return int(frame.rgba[0, 0, 0])
