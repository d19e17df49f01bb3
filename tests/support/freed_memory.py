"""Keep the memory that PyTorch frees, which it asks for again a layer later.

Given back to the system, every page of it is filled with zeros anew: a third of the time that
networks of 512 pixels take.
"""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of ``mallopt`` in glibc's malloc.h."""
_NEVER, _ALWAYS = 2**31 - 1, 2**30

KEPT_BY_A_CHILD = {
    "MALLOC_TRIM_THRESHOLD_": str(_NEVER),
    "MALLOC_MMAP_THRESHOLD_": str(_ALWAYS),
}
"""Environment of a process that is to do the same."""


def keep_freed_memory() -> None:
    """Have this process keep what is freed from now on, where its C library can."""
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _NEVER)
        library.mallopt(_MMAP_THRESHOLD, _ALWAYS)
