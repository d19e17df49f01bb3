"""How long a frame takes from the daemon to the browser's canvas, on loopback.

``python -m tests.bench.preview_latency [--seconds N]``: frames of 512 x 512 are offered 30 times a
second to the page of a real Chromium, which tells when it has drawn each one.
"""

from __future__ import annotations

import argparse
import shutil
import time

import numpy as np
from playwright.sync_api import sync_playwright

from tests.support.browser import ARGUMENTS
from tests.support.control_avatar import FakeAvatar
from tests.support.control_server import TOKEN, serving
from vtbridge.datatypes import Frame

FPS = 30
_NOTE_DRAWN = """
() => {
  window.drawn = [];
  new MutationObserver(() => window.drawn.push([Number(document.body.dataset.frame), Date.now()]))
    .observe(document.body, { attributes: true, attributeFilter: ["data-frame"] });
}
"""


def measured(seconds: float) -> list[float]:
    """Return the milliseconds from the offer of each frame that was drawn."""
    offered_ms: dict[int, float] = {}
    rgba = np.random.default_rng(0).integers(0, 255, (512, 512, 4), dtype=np.uint8)
    with serving(FakeAvatar()) as server, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGUMENTS)
        )
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/#token={TOKEN}")
        page.evaluate(_NOTE_DRAWN)
        number = 0
        for _ in range(round(seconds * FPS)):
            begin_s = time.time()
            if server.watched:
                # A page that waits for a frame gets the very next one, and counts it.
                number += 1
                offered_ms[number] = begin_s * 1e3
                server.offer(Frame(rgba, 0))
            page.wait_for_timeout(max(0.0, 1e3 / FPS - (time.time() - begin_s) * 1e3))
        drawn: list[tuple[int, float]] = page.evaluate("window.drawn")
        chromium.close()
    return [at_ms - offered_ms[number] for number, at_ms in drawn if number in offered_ms]


def main() -> None:
    """Print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    found = measured(parser.parse_args().seconds)
    p50, p95, p99 = np.percentile(found, (50, 95, 99))
    print(f"{len(found)} frames drawn: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")


if __name__ == "__main__":
    main()
