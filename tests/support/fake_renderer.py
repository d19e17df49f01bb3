"""A renderer without networks for tests of its supervisor: ``python -m ... WAY FILE``.

It adds a line to FILE at each start and at each order, then does what WAY says: ``well``,
``die``, ``dies once``, ``never ready``, ``stand still`` with the loop alive, ``hang`` with the
interpreter's lock held, ``refuse`` a mistake of the user, ``deaf`` to orders.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

from vtbridge.supervise.link import link_to_parent

_TELL_S = 0.02


def main() -> int:
    way, log = sys.argv[1], Path(sys.argv[2])
    link = link_to_parent()
    assert link is not None, "started without a supervisor"
    ended: list[str] = []

    def note(what: str) -> None:
        with log.open("a") as file:
            file.write(f"{what}\n")

    note(f"start {link.restarts} {os.getpid()}")
    if way == "refuse":
        return 3
    if way == "never ready":
        time.sleep(60)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def stop() -> None:
        note("stop")
        ended.append("stop")

    link.listen(stop, lambda: note("reload"))
    link.ready()
    beats = 0
    while not ended or way == "deaf":
        time.sleep(_TELL_S)
        beats += 0 if way == "stand still" else 1
        link.beats(beats)
        if beats > 3 and (way == "die" or (way == "dies once" and not link.restarts)):
            os.kill(os.getpid(), signal.SIGKILL)
        if beats > 3 and way == "hang" and not link.restarts:
            # One call that never comes back and never lets go of the interpreter.
            re.match(r"(a|aa)+$", "a" * 64 + "b")
    return 0


if __name__ == "__main__":
    sys.exit(main())
