"""Going over to better frames: nothing jumps, nothing is lost, nothing is left open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from tests.support.live import pose
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import F32Array, Frame, FrameFlag
from vtbridge.render.live.crossing import FADE_NS, CrossingLive, Outcome, PoseHistory
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

BEAT_NS = NS_PER_S // 50


class Ramp:
    """Grey frames as bright as the pose's first value of ``delay_ns`` ago, and ``brighter``."""

    def __init__(self, name: str, clock: ManualClock, delay_ns: int = 0, brighter: int = 0) -> None:
        self.name = name
        self.failing = False
        self.closed = threading.Event()
        self.fps = 50.0
        self.beats = 0
        self.quality = Quality.AUTO
        self._clock = clock
        self._delay_ns = delay_ns
        self._brighter = brighter
        self._history = PoseHistory()

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        now_ns = self._clock.now_ns()
        self._history.add(now_ns, values, t_ns)
        shown, capture_ns = self._history.at(now_ns - self._delay_ns)
        rgba = np.full((4, 4, 4), round(float(shown[0])) + self._brighter, np.uint8)
        return Frame(rgba, capture_ns, FrameFlag.NONE)

    def set_quality(self, quality: Quality) -> None:
        self.quality = quality

    def note_beats(self, beats: int, missed: int) -> None:
        self.beats += beats

    def status(self) -> LiveStatus:
        return LiveStatus(
            self.name, Quality.EXACT, self.fps, 0.0, 0.0, 0.0, False, self.failing, False, ""
        )

    def close(self) -> None:
        self.closed.set()


class Stage:
    """A crossing whose pose brightens by one level a beat."""

    def __init__(self, delay_ns: int = 10 * BEAT_NS) -> None:
        self.clock = ManualClock()
        self.telemetry = Telemetry(self.clock)
        self.networks = Ramp("networks", self.clock, delay_ns)
        self.live = CrossingLive(self.networks, clock=self.clock, telemetry=self.telemetry)
        self.level = 0.0

    def beat(self) -> float:
        self.clock.advance(BEAT_NS / NS_PER_S)
        self.level += 1.0
        frame = self.live.render(pose(self.level), self.clock.now_ns())
        assert frame is not None
        return float(frame.rgba[0, 0, 0])

    def beats(self, count: int) -> list[float]:
        return [self.beat() for _ in range(count)]


def test_what_is_shown_goes_on_without_a_jump_though_the_networks_were_late() -> None:
    stage = Stage()
    before = stage.beats(60)
    baked = Ramp("baked", stage.clock)
    stage.live.offer(baked)
    after = stage.beats(100)
    steps = np.diff([*before[20:], *after])
    # A level a beat is what the pose explains, half as much again what catching up does;
    # the rest is rounding.
    assert steps.min() >= 0.0
    assert steps.max() <= 2.5
    assert after[-1] == stage.level


def test_both_show_the_same_moment_while_one_fades_into_the_other() -> None:
    stage = Stage()
    stage.beats(60)
    stage.live.offer(Ramp("baked", stage.clock))
    behind = [stage.level - stage.beat() + 1.0 for _ in range(FADE_NS // BEAT_NS)]
    assert behind == pytest.approx([10.0] * len(behind), abs=1.0)


def test_one_that_looks_otherwise_comes_in_by_a_fade() -> None:
    stage = Stage(delay_ns=0)
    stage.beats(5)
    stage.live.offer(Ramp("baked", stage.clock, brighter=100))
    beats = FADE_NS // BEAT_NS
    excess = [stage.beat() - stage.level for _ in range(beats + 1)]
    assert excess[0] == 0.0
    assert excess[beats // 2] == pytest.approx(50, abs=8)
    assert excess[-1] == 100.0
    assert max(np.diff(excess)) <= 1.5 * 100 / beats + 1.0


def test_a_lag_is_made_good_and_not_beyond() -> None:
    stage = Stage()
    stage.beats(60)
    stage.live.offer(Ramp("baked", stage.clock))
    assert stage.level - stage.beat() == pytest.approx(9, abs=1)
    stage.beats(100)
    assert [stage.beat() - stage.level for _ in range(5)] == [0.0] * 5


def test_the_one_left_is_closed_once_the_other_is_shown() -> None:
    stage = Stage()
    stage.beats(5)
    baked = Ramp("baked", stage.clock)
    stage.live.offer(baked)
    stage.beat()
    assert stage.live.crossing
    assert not stage.networks.closed.is_set()
    stage.beats(FADE_NS // BEAT_NS + 2)
    assert stage.networks.closed.wait(5.0)
    assert not baked.closed.is_set()
    assert stage.live.status().runtime == "baked"
    assert stage.telemetry.counters()["render.crossed"] == 1


def test_one_that_fails_while_it_comes_in_is_dropped_and_the_other_goes_on() -> None:
    stage = Stage(delay_ns=0)
    stage.beats(5)
    baked = Ramp("baked", stage.clock)
    stage.live.offer(baked)
    stage.beats(3)
    baked.failing = True
    assert stage.beat() == stage.level
    assert baked.closed.wait(5.0)
    assert not stage.networks.closed.is_set()
    assert stage.live.status().runtime == "networks"


def test_a_better_one_still_replaces_the_second() -> None:
    stage = Stage()
    stage.beats(5)
    first, second = Ramp("baked", stage.clock), Ramp("baked longer", stage.clock)
    stage.live.offer(first)
    stage.beats(3)
    stage.live.offer(second)
    stage.beats(2 * FADE_NS // BEAT_NS + 5)
    assert first.closed.wait(5.0)
    assert stage.live.status().runtime == "baked longer"


def test_an_offer_that_was_never_shown_is_closed_by_the_next() -> None:
    stage = Stage()
    never, better = Ramp("never", stage.clock), Ramp("better", stage.clock)
    stage.live.offer(never)
    stage.live.offer(better)
    assert never.closed.is_set()
    assert not better.closed.is_set()


def test_all_is_closed_with_it_also_what_comes_too_late() -> None:
    stage = Stage()
    stage.beats(5)
    coming, offered, late = (Ramp(name, stage.clock) for name in ("coming", "offered", "late"))
    stage.live.offer(coming)
    stage.beats(2)
    stage.live.offer(offered)
    stage.live.close()
    stage.live.offer(late)
    for each in (stage.networks, coming, offered, late):
        assert each.closed.is_set(), each.name


def test_who_asks_for_the_networks_keeps_them_until_told_otherwise() -> None:
    stage = Stage()
    stage.beats(5)
    stage.live.set_quality(Quality.EXACT)
    stage.live.offer(Ramp("baked", stage.clock))
    stage.beats(FADE_NS // BEAT_NS + 5)
    assert stage.networks.quality is Quality.EXACT
    assert stage.live.status().runtime == "networks"
    stage.live.set_quality(Quality.AUTO)
    stage.beats(FADE_NS // BEAT_NS + 5)
    assert stage.live.status().runtime == "baked"


def test_the_slower_of_the_two_gives_the_beat_while_they_cross() -> None:
    stage = Stage()
    stage.networks.fps = 25.0
    stage.beats(5)
    stage.live.offer(Ramp("baked", stage.clock))
    stage.beat()
    assert stage.live.fps == 25.0
    stage.beats(FADE_NS // BEAT_NS + 5)
    assert not stage.live.crossing
    assert stage.live.fps == 25.0, "the one left may still be computing"
    stage.beats(100)
    assert stage.live.fps == 50.0


@pytest.mark.parametrize(
    ("moment", "expected"), [(-5, 10.0), (0, 10.0), (5, 15.0), (10, 20.0), (99, 30.0)]
)
def test_a_pose_of_the_past_lies_between_its_neighbours(moment: int, expected: float) -> None:
    history = PoseHistory()
    for now_ns, value in ((0, 10.0), (10, 20.0), (20, 30.0)):
        history.add(now_ns, pose(value), now_ns + 100)
    values, capture_ns = history.at(moment)
    assert values[0] == expected
    assert capture_ns == 100 + min(max(moment, 0), 20)


def test_the_past_is_kept_as_far_as_it_is_wanted() -> None:
    history = PoseHistory(reach_ns=100)
    for now_ns in range(0, 1000, 10):
        history.add(now_ns, pose(float(now_ns)), now_ns)
    assert history.at(895)[0][0] == 895.0
    assert history.at(0)[0][0] == 890.0


class Told:
    """Keeps what became of each that was offered, by name."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def by(self, name: str) -> Callable[[Outcome], None]:
        def note(outcome: Outcome) -> None:
            assert name not in self.outcomes, "told twice"
            self.outcomes[name] = outcome

        return note


def test_who_offers_is_told_what_became_of_it() -> None:
    stage, told = Stage(delay_ns=0), Told()
    stage.beats(2)
    names = ("replaced", "shown", "broken", "fading", "waiting", "late")
    lives = {name: Ramp(name, stage.clock) for name in names}

    def offer(name: str) -> None:
        stage.live.offer(lives[name], told.by(name))

    offer("replaced")
    offer("shown")
    assert told.outcomes == {"replaced": Outcome.DROPPED}
    stage.beats(FADE_NS // BEAT_NS + 2)
    assert told.outcomes.pop("shown") is Outcome.SHOWN
    lives["broken"].failing = True
    offer("broken")
    stage.beat()
    assert told.outcomes.pop("broken") is Outcome.FAILED
    offer("fading")
    stage.beats(2)
    offer("waiting")
    stage.live.close()
    offer("late")
    assert told.outcomes == dict.fromkeys(
        ("replaced", "fading", "waiting", "late"), Outcome.DROPPED
    )


def test_nothing_fades_before_there_is_a_frame_to_fade_to() -> None:
    class Slow(Ramp):
        ready = False

        def render(self, values: F32Array, t_ns: int) -> Frame | None:
            return super().render(values, t_ns) if self.ready else None

    stage, told = Stage(delay_ns=0), Told()
    stage.beats(2)
    slow, never = (Slow(name, stage.clock, brighter=100) for name in ("slow", "never"))
    stage.live.offer(slow, told.by("slow"))
    assert [stage.beat() - stage.level for _ in range(2 * FADE_NS // BEAT_NS)] == [0.0] * 50
    slow.ready = True
    excess = [stage.beat() - stage.level for _ in range(FADE_NS // BEAT_NS + 1)]
    assert max(np.diff([0.0, *excess])) <= 1.5 * 100 / (FADE_NS // BEAT_NS) + 1.0
    assert excess[-1] == 100.0
    stage.level = 0.0
    stage.live.offer(never, told.by("never"))
    stage.clock.advance(25.0)
    stage.beat()
    stage.clock.advance(25.0)
    assert stage.beat() - stage.level == 100.0
    assert told.outcomes == {"slow": Outcome.SHOWN, "never": Outcome.FAILED}


def test_another_character_comes_whatever_quality_is_wanted_and_keeps_it() -> None:
    stage = Stage(delay_ns=0)
    live = CrossingLive(stage.networks, clock=stage.clock, telemetry=stage.telemetry, always=True)
    stage.live = live
    live.set_quality(Quality.FAST)
    coming, later = Ramp("coming", stage.clock), Ramp("later", stage.clock)
    live.offer(coming)
    stage.beats(2)
    qualities = [coming.quality]
    live.set_quality(Quality.EXACT)
    assert [*qualities, coming.quality] == [Quality.FAST, Quality.EXACT]
    stage.beats(FADE_NS // BEAT_NS + 2)
    assert live.status().runtime == "coming"
    live.offer(later)
    stage.beat()
    assert (later.quality, live.wanted) == (Quality.EXACT, Quality.EXACT)


def test_networks_that_are_late_by_themselves_are_given_the_present() -> None:
    stage = Stage(delay_ns=10 * BEAT_NS)
    stage.live = CrossingLive(
        stage.networks, clock=stage.clock, telemetry=stage.telemetry, always=True
    )
    stage.beats(60)
    stage.live.offer(Ramp("other networks", stage.clock, delay_ns=10 * BEAT_NS))
    stage.beats(FADE_NS // BEAT_NS + 1)
    assert stage.level - stage.beat() + 1.0 == 10.0
