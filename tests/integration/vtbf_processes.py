"""Be a process that writes or reads vtbf frames, for tests that need more than one.

Each line on standard input starts a forked child (which spares it the imports) and
is answered by its process number; children answer on the same standard output, one
JSON object a line. Nothing is open before a fork, so no lock is inherited.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.vtbf import SHADES, shaded_frames, shows
from vtbridge.datatypes import read_only
from vtbridge.errors import AlreadyRunning
from vtbridge.publish.vtbf import FrameReader, FrameWriter, Liveness


def say(**facts: object) -> None:
    """Answer in one write, so that the lines of several children never mix."""
    os.write(1, json.dumps(facts).encode() + b"\n")


def write(name: str, side: int, count: int, slots: int) -> None:
    """Write ``count`` frames as fast as possible (0 = until killed)."""
    frames = shaded_frames(side, side)
    with FrameWriter.open(name, max_width=side, max_height=side, slot_count=slots) as writer:
        with FrameReader.attach(name) as reader:
            status = reader.status()
        assert status is not None
        number = status.latest
        last = number + count if count else -1
        say(ready=os.getpid(), epoch=writer.epoch)
        while number != last:
            number = writer.write(frames[(number + 1) % SHADES])
    say(written=number)


def read(name: str, frames_wanted: int) -> None:
    """Verify frames until the writer closes (or for ever, or ``frames_wanted``)."""
    good = wrong = backwards = seen = 0
    epochs = set()
    with FrameReader.attach(name) as reader:
        say(reading=os.getpid())
        while frames_wanted == 0 or good < frames_wanted:
            frame = reader.read_newer(seen, timeout_s=0.25)
            if frame is None:
                if reader.liveness() is Liveness.CLOSED:
                    break
                continue
            if shows(frame.rgba, frame.frame_no):
                good += 1
            else:
                wrong += 1
            backwards += frame.frame_no <= seen
            seen = frame.frame_no
            epochs.add(frame.epoch)
        say(
            good=good,
            wrong=wrong,
            backwards=backwards,
            seen=seen,
            epochs=len(epochs),
            torn=reader.torn,
            reopened=reader.reopened,
        )


def write_naively(path: str, side: int, count: int) -> None:
    """What vtbf is not: one buffer, written in place."""
    frames = shaded_frames(side, side)
    with Path(path).open("r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    shared = np.frombuffer(memory, np.uint8).reshape(side, side, 4)
    say(ready=os.getpid())
    for number in range(count):
        np.copyto(shared, frames[number % SHADES].rgba)
    say(written=count)


def read_naively(path: str, side: int, seconds: float) -> None:
    """Copy the one buffer until a copy is torn."""
    with Path(path).open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    shared = read_only(np.frombuffer(memory, np.uint8).reshape(side, side, 4))
    good = wrong = 0
    deadline = time.monotonic() + seconds
    while wrong < 10 and time.monotonic() < deadline:
        copy = shared.copy()
        if int(copy.min()) == int(copy.max()):
            good += 1
        else:
            wrong += 1
    say(good=good, wrong=wrong)


def race(name: str, start_ns: int) -> None:
    """Try to become the writer at ``start_ns``; the winner stays until it is told to go."""
    while time.monotonic_ns() < start_ns:
        pass
    try:
        writer = FrameWriter.open(name, max_width=32, max_height=32)
    except AlreadyRunning as error:
        say(raced=os.getpid(), lost=str(error))
        return
    say(raced=os.getpid(), won=writer.epoch)
    signal.sigwait({signal.SIGUSR1})
    writer.close()
    say(closed=os.getpid())


ROLES: dict[str, Callable[..., None]] = {
    "write": lambda name, side, count, slots: write(name, int(side), int(count), int(slots)),
    "read": lambda name, wanted: read(name, int(wanted)),
    "write-naively": lambda path, side, count: write_naively(path, int(side), int(count)),
    "read-naively": lambda path, side, seconds: read_naively(path, int(side), float(seconds)),
    "race": lambda name, start_ns: race(name, int(start_ns)),
}


def main() -> None:
    """Fork a child for each line until the input ends, then kill what still runs."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    children: set[int] = set()
    for line in iter(sys.stdin.readline, ""):
        role, *arguments = line.split()
        pid = os.fork()
        if pid == 0:
            ROLES[role](*arguments)
            os._exit(0)
        children.add(pid)
        say(forked=pid)
        children -= {child for child in children if os.waitpid(child, os.WNOHANG)[0]}
    for child in children:
        if os.waitpid(child, os.WNOHANG)[0] == 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()
