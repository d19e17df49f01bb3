from __future__ import annotations

import os
import sys
import threading

from tests.conftest import skip_loudly
from vtbridge.render.live.priority import lower_this_thread


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_lowered_thread_and_its_children_yield_and_nobody_else() -> None:
    if sys.platform == "win32":
        skip_loudly("threads have no niceness here")
    before = niceness()
    seen: list[int] = []

    def work() -> None:
        seen.append(lower_this_thread(3))
        seen.append(niceness())
        child = threading.Thread(target=lambda: seen.append(niceness()))
        child.start()
        child.join()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    lowered = sys.platform.startswith("linux")
    after = min(before + 3, 19) if lowered else before
    assert seen == [lowered, after, after]
    assert niceness() == before, "the display's thread is as it was"
