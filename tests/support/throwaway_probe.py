"""A process for tests to throw away: it does what its stdin says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.render.weights.confinement import forbid_side_effects, limit_resources


def environment() -> None:
    """Print the names of all environment variables."""
    print(*sorted(os.environ), sep="\n")


def stay() -> None:
    """Print the process id and stay."""
    print(os.getpid(), flush=True)
    time.sleep(600)


def fail() -> None:
    """End like a crashed interpreter."""
    raise WeightsError("deliberate failure")


def hog() -> None:
    """Take more memory than allowed."""
    limit_resources(memory_bytes=64 << 20, file_bytes=1 << 20, cpu_s=60)
    try:
        bytearray(256 << 20)
    except MemoryError:
        print("refused")


def spin() -> None:
    """Compute for longer than allowed."""
    limit_resources(memory_bytes=1 << 30, file_bytes=1 << 20, cpu_s=1)
    while True:
        pass


def misbehave(deed: str, folder: Path) -> None:
    """Do what code hidden in a weight file might do, once confined to ``folder / "mine"``."""
    outside = folder / "outside"
    deeds: dict[str, Callable[[], object]] = {
        "system": lambda: os.system(f"touch {folder}/canary"),  # noqa: S605
        "subprocess": lambda: subprocess.run(["touch", f"{folder}/canary"], check=False),
        "fork": os.fork,
        "exec": lambda: os.execvp("touch", ["touch", f"{folder}/canary"]),  # noqa: S606
        "write": lambda: (folder / "canary").write_text("x"),
        "overwrite": lambda: outside.open("r+"),
        "append": lambda: os.open(outside, os.O_WRONLY | os.O_APPEND),
        "through-link": lambda: (folder / "mine" / "link").write_text("x"),
        "remove": outside.unlink,
        "rename": lambda: outside.rename(folder / "canary"),
        "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
        "chmod": lambda: outside.chmod(0o777),
        "kill": lambda: os.kill(os.getppid(), 0),
    }
    forbid_side_effects(folder / "mine")
    (folder / "mine" / "allowed").write_text("this is what it is for")
    outside.read_bytes()
    try:
        deeds[deed]()
    except BaseException as error:  # noqa: BLE001 - hostile code would catch it too
        print(f"got away with {type(error).__name__}")
    print("got away", flush=True)


if __name__ == "__main__":
    words = sys.stdin.read().split("\n")
    if words[0] == "misbehave":
        misbehave(words[1], Path(words[2]))
    else:
        {
            "environment": environment,
            "stay": stay,
            "fail": fail,
            "hog": hog,
            "spin": spin,
        }[words[0]]()
