"""Let the display go first: a lower priority for threads that compute all the time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICER_BY = 5
"""Steps of niceness: a third of the share of an ordinary thread beside one."""


def lower_this_thread(nicer_by: int = NICER_BY) -> bool:
    """Make the calling thread and those it starts yield to others; return whether that worked.

    On Linux niceness is a thread's own (sched(7)). Elsewhere it is the process's, and lowering
    that would slow the display down too: nothing is done there.
    """
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError):
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + nicer_by
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, 19))
        return True
    return False
