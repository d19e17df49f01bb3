"""Let an avatar run for long while things break: ``python -m tests.soak --minutes 60``.

A real ``vtbridge run`` with its supervisor shows a prepared character at 60 frames a second to
three readers. Packets come from a sender process over a line that loses some, an OBS is connected.
Each second, with a small chance, something is broken: the renderer is killed, hangs or freezes,
packets stay away, OBS restarts. Renderers die in the first half alone, so that the last one lives
long enough to tell whether its memory grows. What was seen is held against the promises; exit code
1 if one is missed. Ctrl-C ends it early with what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.soak.faults import ANY_TIME, DEADLY, Injected, inject
from tests.soak.page import page
from tests.soak.seen import Seen
from tests.soak.stage import Relay, Stage
from tests.soak.verdict import judge
from tests.soak.vitals import Vitals, sample, save
from tests.support.daemon import (
    free_udp_port,
    running,
    sending,
    unique_name,
    wait_until,
    write_config,
)
from tests.support.fake_obs import FakeObs
from tests.support.prepared import prepared_package
from vtbridge.control.address import ControlAddress
from vtbridge.publish.vtbf import FrameReader
from vtbridge.render.weights import WeightStore

FPS: Final = 60.0
READERS: Final = 3
USUAL_LOSS: Final = 0.01
PATIENCE_S: Final = 60.0
_REST_S: Final = 5.0
"""Between the mending of a fault and the next."""


def main() -> int:
    """Return 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--chaos", type=float, default=0.01, help="chance of a fault, each second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calm", type=float, default=60.0, help="seconds without faults, at first")
    parser.add_argument("--character", type=Path, help="a prepared package; else one is made")
    parser.add_argument("--out", type=Path, default=Path("build/soak"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    package = given.character or prepared_package(WeightStore())
    notes = [given.out / f"reader{number}.npz" for number in range(READERS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        standing(Path(folder), package, given.seed) as stage,
    ):
        watchers = [watching(stage, given.calm, path) for path in notes]
        try:
            rows, faults = soaked(stage, 60 * given.minutes, given.calm, given.chaos, given.seed)
        finally:
            for watcher in watchers:
                watcher.terminate()
            ended = [watcher.wait(60) for watcher in watchers]
        log = list(stage.daemon.log)
    save(rows, given.out / "vitals.csv")
    told = json.dumps([asdict(one) for one in faults], indent=1)
    given.out.joinpath("faults.json").write_text(told, "utf-8")
    given.out.joinpath("log.txt").write_text("\n".join(log), "utf-8")
    seen = [Seen.load(path) for path, code in zip(notes, ended, strict=True) if code == 0]
    table = judge(seen, rows, faults, calm_s=given.calm, frame_s=1 / FPS, expected=READERS)
    given.out.joinpath("soak.html").write_text(page(table, rows, faults), "utf-8")
    for row in table:
        state = {True: "ok", False: "MISSED", None: "-"}[row.kept]
        print(f"{row.what:<44} {row.measured:<34} {row.wanted:<6} {state}")
    print(f"{given.out / 'soak.html'}, vitals.csv, faults.json, log.txt")
    return 1 if any(row.kept is False for row in table) else 0


@contextlib.contextmanager
def standing(folder: Path, package: Path, seed: int) -> Iterator[Stage]:
    """Run the avatar, a sender, the line between both and an OBS until the block ends."""
    name = unique_name()
    with FakeObs() as obs:
        extra = (
            f"[obs]\nenabled = true\nport = {obs.port}\nidle_when_hidden = false\n"
            "[supervisor]\nrestarts = 50\nhung_after_s = 5\n"
        )
        ports = write_config(folder, name, fps=FPS, package=package, extra=extra)
        config = folder / "config.toml"
        # The same port over restarts, so that one address serves the whole soak.
        config.write_text(
            config.read_text("utf-8").replace("http_port = 0", f"http_port = {free_udp_port()}")
        )
        with (
            running(folder, "run", name=name, ports=ports) as daemon,
            Relay(ports["vmc"], USUAL_LOSS, seed) as relay,
            sending(relay.port),
            FrameReader.attach(name) as reader,
        ):
            where, token = daemon.url.removeprefix("http://127.0.0.1:").split("/#token=")
            stage = Stage(daemon, reader, relay, obs, USUAL_LOSS, ControlAddress(int(where), token))
            wait_until(lambda: bool(stage.status().get("tracked")), PATIENCE_S, "a face is tracked")
            yield stage


def watching(stage: Stage, calm_s: float, path: Path) -> subprocess.Popen[str]:
    """Start a reader and wait until it watches."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.watcher", stage.daemon.name, str(calm_s), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    if watcher.stdout.readline() != "watching\n":
        raise SystemExit("a reader did not start")
    return watcher


def soaked(
    stage: Stage, seconds: float, calm_s: float, chaos: float, seed: int
) -> tuple[list[Vitals], list[Injected]]:
    """Break things for ``seconds``; return what was measured meanwhile and what was done."""
    chance = random.Random(seed)
    rows: list[Vitals] = []
    faults: list[Injected] = []
    over = threading.Event()
    began = time.monotonic()

    def measure() -> None:
        while not over.wait(1.0):
            row = sample(stage, time.monotonic() - began)
            if row is not None:
                rows.append(row)

    meter = threading.Thread(target=measure, name="meter")
    meter.start()
    earliest = calm_s
    try:
        while (at_s := time.monotonic() - began) < seconds:
            time.sleep(1.0)
            if at_s < earliest or seconds - at_s < _REST_S or chance.random() >= chaos:
                continue
            kinds = [*ANY_TIME, *(DEADLY if at_s < seconds / 2 else ())]
            fault = inject(chance.choice(kinds), stage, at_s)
            faults.append(fault)
            mended = "never" if fault.recovered_s is None else f"{fault.recovered_s:.2f} s"
            print(f"{at_s / 60:5.1f} min  {fault.kind}: mended {mended}", flush=True)
            earliest = time.monotonic() - began + _REST_S
    except KeyboardInterrupt:
        print("ended early", flush=True)
    finally:
        over.set()
        meter.join(30)
    return rows, faults


if __name__ == "__main__":
    sys.exit(main())
