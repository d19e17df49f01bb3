"""What closed networks leave behind goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import ctypes, os, threading
from pathlib import Path
from vtbridge.render.live.freed_memory import give_freed_memory_back

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

def work():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(60_000) for _ in range(3000)]
    for block in blocks:
        ctypes.memset(block, 1, 60_000)
    kept.append(blocks.pop())  # above all others, so that they cannot simply be cut off
    for block in blocks:
        libc.free(block)

kept = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
before = resident_mb()
assert give_freed_memory_back()
print(before - resident_mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone keeps arenas")
def test_memory_that_was_freed_by_a_thread_that_ended_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 120, "of the 170 MiB that were freed"
