"""A picture that was never prepared is shown at once, and better as soon as it can be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.baking import manifest_of, picture_of
from vtbridge.app import first_use
from vtbridge.app.background_bake import BackgroundBake, BakeProgress
from vtbridge.app.background_learning import BackgroundLearning, LearnProgress
from vtbridge.app.first_use import FLUENT_FPS, GOOD_ENOUGH_DB, ROOM, FirstUse, fluent
from vtbridge.errors import WeightsError
from vtbridge.render.live.live_frames import LiveFrames
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality

_END_S = 30.0


class Networks:
    """Networks that manage ``fresh_fps``."""

    def __init__(self, fresh_fps: float) -> None:
        self.fresh_fps = fresh_fps
        self.duties: list[float] = []

    def status(self) -> LiveStatus:
        return LiveStatus(
            "networks", Quality.EXACT, 60.0, self.fresh_fps, 0, 0, False, False, False, ""
        )

    def leave_room(self, duty: float) -> None:
        self.duties.append(duty)


class Bake(BackgroundBake):
    """A bake that does what a test says."""

    def __init__(self, work: Callable[[Bake], None]) -> None:
        super().__init__(["nothing"])
        self._work = work

    def serve(self) -> None:
        self._work(self)

    def told(self, psnr_db: float | None) -> None:
        self.progress = BakeProgress("sampling", 1.0, 9.0, psnr_db)


class Bench:
    """First use with all around it in the hands of a test."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        fresh_fps: float = 3.0,
        work: Callable[[Bake], None] | None = None,
    ) -> None:
        monkeypatch.setattr(first_use, "_JUDGED_AFTER_S", 0.0)
        monkeypatch.setattr(first_use, "_LOOK_EVERY_S", 0.005)
        monkeypatch.setattr(first_use, "_LOOK_ELSEWHERE_S", 0.005)
        monkeypatch.setattr(first_use, "_ASK_AGAIN_S", 0.05)
        monkeypatch.setattr(first_use, "read_manifest", self._manifest)
        self.psnr_db: float | None = None
        self.looks = 0
        self.damaged = False
        self.refused = False
        self.offered: list[float] = []
        self.bakes: list[Bake] = []
        self.networks = Networks(fresh_fps)
        self._work = work
        self.first_use = FirstUse(
            self.networks,
            find=self._find,
            open_package=self._open,
            offer=lambda shown: self.offered.append(shown),  # type: ignore[arg-type]
            bake=None if work is None else self._bake,
        )

    def run(self) -> None:
        self.first_use.start()
        self.wait_for(lambda: not self.first_use.alive)
        assert self.first_use.failure is None

    def wait_for(self, happened: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _END_S
        while not happened() and time.monotonic() < give_up:
            time.sleep(0.002)
        assert happened()

    def _bake(self) -> Bake:
        assert self._work is not None
        self.bakes.append(Bake(self._work))
        return self.bakes[-1]

    def _find(self) -> Path | None:
        self.looks += 1
        return None if self.psnr_db is None else Path("package")

    def _manifest(self, path: Path) -> object:
        if self.damaged:
            raise WeightsError(f"{path} is damaged")
        sha256 = f"{round(1000 * (self.psnr_db or 0.0)):064x}"
        return manifest_of(picture_of(), psnr_db=self.psnr_db, sha256=sha256)

    def _open(self, package: Path) -> LiveFrames | None:
        return None if self.refused else self.psnr_db  # type: ignore[return-value]


def test_where_the_networks_are_fluent_nothing_is_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, fresh_fps=FLUENT_FPS, work=lambda bake: None)
    bench.psnr_db = 41.0
    bench.run()
    assert bench.first_use.preparation().state == "not needed"
    assert bench.bakes == []
    assert bench.offered == []


def test_a_character_prepared_before_is_shown_without_a_bake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, work=lambda bake: None)
    bench.psnr_db = GOOD_ENOUGH_DB
    bench.run()
    assert bench.offered == [GOOD_ENOUGH_DB]
    assert bench.bakes == []
    assert bench.first_use.preparation().state == "shown"


def test_each_better_model_of_a_bake_is_offered_once_it_is_good_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(bake: Bake) -> None:
        for psnr_db, offered in ((30.0, []), (35.0, [35.0]), (35.2, [35.0]), (38.0, [35.0, 38.0])):
            looks, bench.psnr_db = bench.looks, psnr_db
            bake.told(psnr_db)
            bench.wait_for(lambda looks=looks: bench.looks > looks)  # type: ignore[misc]
            bench.wait_for(lambda offered=offered: bench.offered == offered)  # type: ignore[misc]

    bench = Bench(monkeypatch, work=work)
    bench.run()
    assert bench.bakes[0].failure is None
    assert bench.offered == [35.0, 38.0]
    assert bench.first_use.preparation().shown_db == 38.0
    assert bench.first_use.preparation().state == "shown"


def test_the_networks_leave_room_for_as_long_as_a_bake_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, work=lambda bake: None)
    bench.run()
    assert bench.networks.duties == [ROOM, 1.0]


def test_a_bake_that_fails_is_told_and_the_networks_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(bake: Bake) -> None:
        bake.trouble = "there is no room on the disk"

    bench = Bench(monkeypatch, work=work)
    bench.run()
    preparation = bench.first_use.preparation()
    assert preparation.state == "failed"
    assert preparation.trouble == "there is no room on the disk"
    assert len(bench.bakes) == 1


def test_a_model_that_must_not_be_shown_or_is_damaged_is_not_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("refused", "damaged"):
        bench = Bench(monkeypatch, work=lambda bake: None)
        bench.psnr_db = 41.0
        setattr(bench, name, True)
        bench.run()
        assert bench.offered == []
        assert bench.first_use.preparation().state == "failed"


def test_without_what_baking_needs_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.run()
    assert "PyTorch" in bench.first_use.preparation().trouble


def test_what_another_process_bakes_is_shown_and_asked_for_again_when_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(bake: Bake) -> None:
        if len(bench.bakes) == 1:
            bake.elsewhere = True
            bench.psnr_db = 36.0
        else:
            assert bench.offered == [36.0]
            bench.psnr_db = 38.0

    bench = Bench(monkeypatch, work=work)
    bench.run()
    assert len(bench.bakes) == 2
    assert [bake.failure for bake in bench.bakes] == [None, None]
    assert bench.offered == [36.0, 38.0]
    assert bench.networks.duties == [ROOM, 1.0]


def judged(fps: float, fresh_fps: float, networks_ms: float, quality: Quality) -> bool:
    return fluent(LiveStatus("", quality, fps, fresh_fps, networks_ms, 0, False, False, False, ""))


@pytest.mark.parametrize(
    ("fps", "fresh_fps", "networks_ms", "quality", "expected"),
    [
        (60.0, 60.0, 10.0, Quality.EXACT, True),
        (60.0, 0.0, 10.0, Quality.EXACT, True),  # at rest
        (60.0, 3.0, 330.0, Quality.EXACT, False),
        (30.0, 9.0, 110.0, Quality.FAST, False),
        (60.0, 40.0, 25.0, Quality.FAST, False),  # less like the exact ones than what is prepared
        (20.0, 20.0, 50.0, Quality.EXACT, True),
        (20.0, 15.0, 66.0, Quality.EXACT, False),
        (60.0, 0.0, 0.0, Quality.EXACT, False),  # nothing was computed yet
    ],
)
def test_networks_are_fluent_where_they_could_give_what_is_shown(
    fps: float, fresh_fps: float, networks_ms: float, quality: Quality, expected: bool
) -> None:
    assert judged(fps, fresh_fps, networks_ms, quality) is expected


def test_stopped_it_ends_its_bake(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def work(bake: Bake) -> None:
        begun.set()
        bake.stopping.wait(_END_S)

    bench = Bench(monkeypatch, work=work)
    bench.first_use.start()
    assert begun.wait(_END_S)
    assert bench.first_use.preparation().state == "baking"
    assert bench.first_use.stop(timeout_s=_END_S)
    bench.wait_for(lambda: not bench.bakes[0].alive)
    assert bench.bakes[0].stopping.is_set()


class Learning(BackgroundLearning):
    """Learning that does what a test says."""

    def __init__(self, work: Callable[[Learning], None]) -> None:
        super().__init__(["nothing"])
        self._work = work

    def serve(self) -> None:
        self._work(self)


class Allowed:
    """Courtesy that never has learning wait."""

    def allows(self) -> bool:
        return True


def learning_bench(
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Bench, Learning], None],
    *,
    prepared: bool,
) -> tuple[Bench, list[Learning]]:
    """Return a bench whose character learns, and who learns once it does."""
    monkeypatch.setattr("vtbridge.app.background_learning._FEED_EVERY_S", 0.002)
    bench = Bench(monkeypatch, work=lambda bake: None)
    begun: list[Learning] = []

    def learn(package: Path) -> Learning:
        assert package == Path("package")
        begun.append(Learning(lambda learning: work(bench, learning)))
        return begun[-1]

    bench.first_use = FirstUse(
        None if prepared else bench.networks,
        find=bench._find,
        open_package=bench._open,
        offer=lambda shown: bench.offered.append(shown),  # type: ignore[arg-type]
        bake=bench._bake,
        learn=learn,
        newest=lambda: np.zeros(45, np.float32),
        courtesy=Allowed(),  # type: ignore[arg-type]
    )
    return bench, begun


@pytest.mark.parametrize("prepared", [True, False])
def test_a_prepared_character_learns_and_each_new_model_is_shown(
    monkeypatch: pytest.MonkeyPatch, prepared: bool
) -> None:
    def work(bench: Bench, learning: Learning) -> None:
        # Judged by other poses than the one before, it may well have fewer dB.
        for number, psnr_db in ((1, 38.0), (2, 39.0)):
            bench.psnr_db = psnr_db
            learning.progress = LearnProgress("learning", 300, number, psnr_db)
            bench.wait_for(lambda psnr_db=psnr_db: psnr_db in bench.offered)  # type: ignore[misc]
        assert bench.first_use.preparation().state == "learning"

    bench, begun = learning_bench(monkeypatch, work, prepared=prepared)
    bench.psnr_db = 43.0
    bench.run()
    assert bench.offered == ([38.0, 39.0] if prepared else [43.0, 38.0, 39.0])
    assert begun[0].failure is None
    preparation = bench.first_use.preparation()
    assert (preparation.state, preparation.shown_db) == ("shown", 39.0)
    assert bench.bakes == []


def test_learning_begins_once_nobody_else_learns_for_that_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(bench: Bench, learning: Learning) -> None:
        learning.elsewhere = len(begun) < 3

    bench, begun = learning_bench(monkeypatch, work, prepared=True)
    bench.psnr_db = 43.0
    bench.run()
    assert [one.elsewhere for one in begun] == [True, True, False]


def test_where_the_networks_are_fluent_nothing_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, begun = learning_bench(monkeypatch, lambda bench, learning: None, prepared=False)
    bench.networks.fresh_fps = FLUENT_FPS
    bench.psnr_db = 43.0
    bench.run()
    assert begun == []


def test_stopped_it_ends_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    begins = threading.Event()

    def work(bench: Bench, learning: Learning) -> None:
        begins.set()
        learning.stopping.wait(_END_S)

    bench, begun = learning_bench(monkeypatch, work, prepared=True)
    bench.psnr_db = 43.0
    bench.first_use.start()
    assert begins.wait(_END_S)
    assert bench.first_use.stop(timeout_s=_END_S)
    bench.wait_for(lambda: not begun[0].alive)
    assert begun[0].stopping.is_set()
