"""Give memory back to the system that the C library keeps for the next who asks.

Networks that were closed leave hundreds of megabytes, in the arenas of threads that have ended;
nobody asks for them again.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys


def give_freed_memory_back() -> bool:
    """Return what is freed to the system, on Linux with glibc; return whether that was tried.

    Takes a few hundredths of a second, without Python's lock.
    """
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
        return True
    return False
