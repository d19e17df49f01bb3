"""Be a program that shows frames, and note each: ``python -m tests.soak.watcher NAME OUT.npz``.

What a frame shows is noted as a checksum, so that readers can be held against each other: a copy
with rows of two frames would have a checksum of its own. Ends on SIGTERM, and writes then.
"""

from __future__ import annotations

import signal
import sys
import time
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from tests.soak.seen import Seen
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import U8Array
from vtbridge.errors import FrameTransportError
from vtbridge.publish.vtbf import FrameReader

CALM_S: Final = 60.0
"""Time in which nothing is broken, at the beginning; tells how far frames lie apart anyway."""
_ROWS: Final = 4
_KEPT: Final = 16


def watch(name: str, calm_s: float, path: Path) -> None:
    """Note every frame of the avatar ``name`` until SIGTERM, then write ``path``."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    noted: list[tuple[int, ...]] = []
    steps: list[float] = []
    kept: list[U8Array] = []
    spread = 0.0
    before: U8Array | None = None
    with FrameReader.attach(name) as reader:
        seen = torn = 0
        end_of_calm_ns = time.monotonic_ns() + round(calm_s * NS_PER_S)
        print("watching", flush=True)
        while not ended:
            try:
                frame = reader.read_newer(seen, timeout_s=0.25)
            except FrameTransportError:
                time.sleep(0.1)
                continue
            if frame is None:
                continue
            now_ns = time.monotonic_ns()
            rows = np.ascontiguousarray(frame.rgba[::_ROWS])
            small = rows[:, ::_ROWS]
            step = 0.0 if before is None else _apart(small, before)
            if now_ns < end_of_calm_ns:
                if len(noted) % 30 == 0 and len(kept) < _KEPT:
                    kept.append(small.copy())
                if len(noted) % 6 == 0:
                    spread = max([spread, *(_apart(small, each) for each in kept)])
            noted.append(
                (now_ns, frame.t_publish_ns, frame.epoch, frame.frame_no, zlib.crc32(rows.data))
            )
            steps.append(step)
            before, seen = small.copy(), frame.frame_no
        torn = reader.torn
    Seen.of(noted, steps, spread=spread, thrown_away=torn).save(path)


def _apart(one: U8Array, other: U8Array) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


if __name__ == "__main__":
    watch(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
