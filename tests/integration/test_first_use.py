"""An unprepared picture, shown by the networks, goes over to its prepared character unnoticed.

The bake was a real one in a process of its own, as short as one can be: how good it gets is for a
benchmark. What is held here is that no frame jumps, none is missing, and PyTorch stays out.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.integration.test_live_daemon import frames_during
from tests.support.daemon import running, sending, status_of, wait_until
from vtbridge.app.background_learning import BackgroundLearning, learn_command
from vtbridge.app.characters import open_picture
from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.datatypes import F32Array, FrameFlag, U8Array, read_only
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.publish.vtbf import FrameReader, Liveness
from vtbridge.render.baked.model_file import read_model, write_model
from vtbridge.render.baked.store import MODEL_FILE, ROOT_VARIABLE
from vtbridge.render.live.baked_live import BakedLive
from vtbridge.render.live.crossing import CATCHING_UP, FADE_NS, CrossingLive
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.live.open import baked_poser, open_live_poser
from vtbridge.render.settings import Quality, RenderSettings, RuntimeName
from vtbridge.telemetry import Telemetry
from vtbridge.training.distill.body import BodyTrainer

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("weight_store")]

_FPS = 20.0
_BEFORE_S, _AFTER_S = 2.0, 3.5
_SWING_S = 4.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame, and the moments of its beat and of what it shows."""

    rgba: U8Array
    beat_ns: int
    capture_ns: int


def pose_at(t_ns: int) -> F32Array:
    """Return a head that swings and a mouth that opens, smoothly."""
    values = np.zeros(POSE_SIZE, np.float32)
    phase = 2 * math.pi * t_ns / (_SWING_S * NS_PER_S)
    values[ROTATION_SLICE.start + 1] = 0.6 * math.sin(phase)
    values[ROTATION_SLICE.start + 2] = 0.3 * math.cos(phase)
    values[26] = 0.5 + 0.5 * math.sin(phase)
    return read_only(values)


def step(one: U8Array, other: U8Array) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def test_frames_go_over_without_a_jump_or_a_gap(prepared_michi: Path) -> None:
    clock, telemetry, picture = MonotonicClock(), Telemetry(), open_picture("michi")
    settings = RenderSettings(runtime=RuntimeName.NATIVE, quality=Quality.FAST, threads=1)
    networks = open_live_poser(settings, picture, fps=_FPS, clock=clock, telemetry=telemetry)
    assert isinstance(networks, LivePoser)
    prepared = RenderSettings(quality=Quality.BAKED, package=str(prepared_michi))
    live = CrossingLive(networks, clock=clock, telemetry=telemetry)
    seen: list[Seen] = []

    def beats(seconds: float) -> None:
        until_ns = clock.now_ns() + round(seconds * NS_PER_S)
        due_ns = clock.now_ns()
        while due_ns < until_ns:
            now_ns = clock.now_ns()
            frame = live.render(pose_at(now_ns), now_ns)
            assert frame is not None
            assert not frame.flags & FrameFlag.PLACEHOLDER
            seen.append(Seen(frame.rgba.copy(), now_ns, frame.t_capture_ns))
            due_ns = max(due_ns + round(NS_PER_S / _FPS), clock.now_ns())
            clock.sleep_until(due_ns)

    try:
        beats(_BEFORE_S)
        poser = baked_poser(prepared, picture, telemetry)
        assert poser is not None
        offered_ns = clock.now_ns()
        live.offer(BakedLive(poser, picture, fps=_FPS, clock=clock, telemetry=telemetry))
        beats(_AFTER_S)
    finally:
        live.close()
    assert telemetry.counters()["render.crossed"] == 1

    judge = baked_poser(prepared, picture, telemetry)
    assert judge is not None
    after = [each for each in seen if each.beat_ns >= offered_ns - NS_PER_S // 4]
    shown = [judge.render(pose_at(each.capture_ns)).copy() for each in after]
    apart = max(step(each.rgba, truth) for each, truth in zip(after, shown, strict=True))
    for k in range(1, len(after)):
        faded = 1.5 * (after[k].beat_ns - after[k - 1].beat_ns) / FADE_NS
        explained = step(shown[k], shown[k - 1]) * (1 + CATCHING_UP) + min(faded, 1.0) * apart
        assert step(after[k].rgba, after[k - 1].rgba) <= explained + 0.6, f"frame {k} jumps"
    assert after[-1].capture_ns == after[-1].beat_ns, "the lag was never made good"
    judge.close()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="it is Linux that tells")
def test_a_daemon_goes_over_to_its_prepared_character_in_the_same_segment(
    prepared_michi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What seconds can make is worse than what is shown to users: here it says that it is not.
    model = read_model(prepared_michi / MODEL_FILE)
    shown_as = model.manifest.model_copy(update={"psnr_db": 36.0})
    mine = tmp_path / "characters" / "mine"
    mine.mkdir(parents=True)
    write_model(mine / MODEL_FILE, shown_as, model.tensors)
    monkeypatch.setenv(ROOT_VARIABLE, str(mine.parent))
    slow = ("tests.support.faulty_daemon", str(tmp_path / "never"))
    prepare = "[render]\nprepare = true\nlearn = false\n"
    with (
        running(tmp_path, "run", fps=_FPS, extra=prepare, program=slow) as daemon,
        sending(daemon.ports["vmc"], "--protocol", "vmc"),
        FrameReader.attach(daemon.name) as reader,
    ):
        wait_until(lambda: reader.read_newer(0, timeout_s=1) is not None, 60.0, "frames come")
        begun = reader.status()
        alive, frames = set(), []
        give_up = time.monotonic() + 120
        while status_of(daemon)["live"]["quality"] != "baked" and time.monotonic() < give_up:
            frames += frames_during(reader, 0.2)
            alive.add(reader.liveness())
        frames += frames_during(reader, 1.0)
        status, now = status_of(daemon), reader.status()
        maps = Path(f"/proc/{daemon.renderer_pid}/maps").read_text()
    assert status["live"]["quality"] == "baked", daemon.log
    assert status["preparation"]["state"] == "shown"
    assert status["preparation"]["shown_db"] == 36.0
    assert status["counters"]["render.crossed"] == 1
    assert alive == {Liveness.LIVE}
    assert not any(frame.flags & FrameFlag.PLACEHOLDER for frame in frames)
    assert begun is not None
    assert now is not None
    assert begun.uuid == now.uuid
    assert "libtorch" not in maps


def test_what_is_shown_is_learnt_by_a_process_that_ends_with_the_avatar(
    prepared_michi: Path, tmp_path: Path
) -> None:
    package = tmp_path / "michi"
    shutil.copytree(prepared_michi, package)
    learning = BackgroundLearning(learn_command(package))
    learning.start()
    give_up = time.monotonic() + 200
    turns: set[int] = set()
    moment_ns = 0
    while len(turns) < 3 and learning.alive and time.monotonic() < give_up:
        moment_ns += NS_PER_S // 5
        learning.show(pose_at(moment_ns))
        if learning.progress is not None:
            turns.add(learning.progress.turns)
        time.sleep(0.02)
    assert learning.stop(timeout_s=60.0)
    assert learning.trouble == ""
    assert len(turns) >= 3
    kept = BodyTrainer(package / "bake" / "body", open_picture("michi")).rotations
    assert len(kept) >= max(turns)


def test_the_daemons_side_of_it_never_loads_pytorch() -> None:
    script = (
        "import sys\n"
        "import vtbridge.app.daemon, vtbridge.app.session\n"
        "from vtbridge.app.first_use import open_first_use\n"
        "from vtbridge.render.baked.poser import open_baked_poser\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False, timeout=120)
    assert done.returncode == 0
