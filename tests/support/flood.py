"""Ten thousand datagrams a second at one port, from a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PER_S = 10_000
_BATCHES_PER_S = 500

# What no tracker sends: an OSC bundle and an address that hang or stall naive parsers,
# noise, and OSC that is right but of no protocol known here.
_PROGRAM = f"""
import itertools, os, sys
from vtbridge.clock import MonotonicClock
from vtbridge.tracking.senders.playback import Burst, play

junk = (
    b"#bundle\\0" + bytes(8) + b"\\xff\\xff\\xff\\xfc",
    b"/" + b"*" * 87,
    os.urandom(400),
    b"/some/where\\0,f\\0\\0\\0\\0\\0\\0",
)
batch = junk * {PER_S // _BATCHES_PER_S // 4}
bursts = (Burst(number / {_BATCHES_PER_S}, batch) for number in itertools.count())
sent = play(
    bursts, ("127.0.0.1", int(sys.argv[1])), MonotonicClock(), seconds=float(sys.argv[2])
)
sys.stdout.write(str(sent.datagrams))
"""


def start_flood(port: int, seconds: float) -> subprocess.Popen[str]:
    """Begin to flood UDP ``port`` on loopback; the process prints how many it sent."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(port), str(seconds)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    )


def finish_flood(process: subprocess.Popen[str], timeout_s: float) -> int:
    """Wait for the flood's end and return how many datagrams it sent."""
    printed, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0
    return int(printed)
