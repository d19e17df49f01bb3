"""From publishing a frame to seeing it composited in OBS: ``python -m tests.bench.obs_latency``.

A real OBS shows its program on a virtual screen, by each transport in turn. Frames carry a
number; the screen is read over and over, and the first time that a number is on it counts. The
reading itself takes part of a millisecond, and OBS's own 60 frames a second their part: a frame
waits half a period for its turn as a mean.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from Xlib import X
from Xlib.display import Display

from tests.support import pattern
from tests.support.obs import CANVAS, SCRIPT, ObsProcess, ObsSetup, running_obs
from vtbridge.datatypes import Frame
from vtbridge.obs.plugin import build_plugin
from vtbridge.obs.scene import MediaFeed, Transport, WantedScene, set_up_scene
from vtbridge.obs.settings import Placement
from vtbridge.publish.frame_writer import FrameWriter
from vtbridge.publish.media_tcp import MediaServer

OBS_FPS = 60
FPS = 60.0
SETTLE_S = 3.0
NAME = "latency"

Publish = Callable[[Frame], object]


class Screen:
    """The number on the virtual screen, where OBS shows its program as large as it can.

    Args:
        display: of the X server.
    """

    def __init__(self, display: str) -> None:
        self._display = Display(display)
        screen = self._display.screen()
        self._root = screen.root
        width, height = screen.width_in_pixels, screen.height_in_pixels
        scale = min(width / CANVAS[0], height / CANVAS[1])
        left, top = (width - scale * CANVAS[0]) / 2, (height - scale * CANVAS[1]) / 2
        half = pattern.CELL / 2
        self._places = [
            round(left + scale * (bit * pattern.CELL + half)) for bit in range(pattern.COUNTER_BITS)
        ]
        self._row = round(top + scale * half)

    def number(self) -> int:
        """Return it; 0 if there is none."""
        first = self._places[0]
        row = self._root.get_image(
            first, self._row, self._places[-1] - first + 1, 1, X.ZPixmap, 0xFFFFFFFF
        )
        blue = bytes(row.data)[::4]
        return sum(1 << bit for bit, x in enumerate(self._places) if blue[x - first] > 127)


@contextmanager
def segment() -> Iterator[Publish]:
    """Give what publishes through shared memory."""
    with FrameWriter.open(NAME, nominal_fps=FPS) as writer:
        yield writer.write


def measured(screen: Screen, publish: Publish, seconds: float) -> dict[str, float]:
    """Publish numbered frames for ``seconds`` and return the latencies, milliseconds."""
    published: dict[int, int] = {}
    latencies_ms: list[float] = []
    number, seen = 0, 0
    begin_ns = due_ns = time.monotonic_ns()
    while (now_ns := time.monotonic_ns()) < begin_ns + round((seconds + SETTLE_S) * 1e9):
        if now_ns >= due_ns:
            number += 1
            published[number] = now_ns
            publish(Frame(pattern.frame_pixels(number), now_ns))
            due_ns = max(due_ns + round(1e9 / FPS), time.monotonic_ns())
        shown = screen.number()
        if shown > seen and shown in published:
            seen = shown
            if now_ns > begin_ns + SETTLE_S * 1e9:
                latencies_ms.append((time.monotonic_ns() - published[shown]) / 1e6)
    latencies_ms.sort()
    return {
        "fresh_fps": round(len(latencies_ms) / seconds, 1),
        "mean_ms": round(statistics.fmean(latencies_ms), 1),
        "p50_ms": round(statistics.median(latencies_ms), 1),
        "p95_ms": round(latencies_ms[int(0.95 * len(latencies_ms))], 1),
    }


def show(obs: ObsProcess, wanted: WantedScene, transport: Transport) -> None:
    """Have OBS show the avatar in its program, all over the screen."""
    with obs.client() as client:
        obs.make_scene(client)
        report = set_up_scene(client, wanted)
        if report.transport is not transport:
            raise SystemExit(f"OBS shows it by {report.transport}, not by {transport}")
        client.request("SetCurrentProgramScene", {"sceneName": wanted.scene})
        client.request(
            "OpenVideoMixProjector",
            {"videoMixType": "OBS_WEBSOCKET_VIDEO_MIX_TYPE_PROGRAM", "monitorIndex": 0},
        )


def by_shared_memory(setup: ObsSetup, seconds: float) -> dict[str, float]:
    """Return the latencies by the script or the plugin."""
    with tempfile.TemporaryDirectory() as folder, running_obs(Path(folder), setup) as obs:
        wanted = WantedScene(
            scene="program", source="avatar", avatar=NAME, placement=Placement.KEEP
        )
        with segment() as publish:
            show(obs, wanted, Transport.SHARED_MEMORY)
            return measured(Screen(obs.display), publish, seconds)


def by_tcp(seconds: float) -> dict[str, float]:
    """Return the latencies by a Media Source."""
    server = MediaServer(port=0, width=pattern.SIDE, height=pattern.SIDE)
    server.start()
    setup = ObsSetup(fps=OBS_FPS)
    try:
        with tempfile.TemporaryDirectory() as folder, running_obs(Path(folder), setup) as obs:
            wanted = WantedScene(
                scene="program",
                source="avatar",
                placement=Placement.KEEP,
                media=MediaFeed(*server.address),
            )
            show(obs, wanted, Transport.MEDIA)
            return measured(Screen(obs.display), server.offer, seconds)
    finally:
        server.stop(timeout_s=5.0)


def main() -> None:
    """Print a line of JSON for each transport."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as plugin:
        build_plugin(Path(plugin))
        setup = ObsSetup(plugin=Path(plugin), fps=OBS_FPS)
        print(json.dumps({"transport": "plugin", **by_shared_memory(setup, seconds)}), flush=True)
    setup = ObsSetup(scripts=[SCRIPT], fps=OBS_FPS)
    print(json.dumps({"transport": "script", **by_shared_memory(setup, seconds)}), flush=True)
    print(json.dumps({"transport": "tcp", **by_tcp(seconds)}), flush=True)


if __name__ == "__main__":
    main()
