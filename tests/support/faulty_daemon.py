"""``vtbridge`` whose networks are slow stand-ins, and hang once a file appears.

``python -m tests.support.faulty_daemon FILE run --config ...``: as soon as FILE exists, the
runtime that is in use never answers again; the other one goes on.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tests.support.fault_runtime import Fault, FaultRuntime, StandInRuntime, opening
from vtbridge.cli.main import main
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.selection.selection import Selection
from vtbridge.render.settings import RuntimeName

FRESH_AT_MOST_PER_S = 7


def install(hang_when: Path) -> None:
    """Put a native runtime that will hang, and an openvino one that will not, into the table."""

    def slow(name: RuntimeName) -> FaultRuntime:
        def take_a_while() -> None:
            time.sleep(1 / FRESH_AT_MOST_PER_S)
            if name is RuntimeName.NATIVE and hang_when.exists():
                runtime.released.wait()

        runtime = FaultRuntime(StandInRuntime(name), Fault.SLOW, on_slow=take_a_while)
        return runtime

    names = (RuntimeName.NATIVE, RuntimeName.OPENVINO)
    rows = {name: opening(partial(slow, name)) for name in names}
    patch.object(table, "RUNTIMES", rows).start()
    # What stand-ins answer is nothing like the real networks' answers to the test card.
    patch.object(Selection, "_golden", lambda _: None).start()


if __name__ == "__main__":
    install(Path(sys.argv.pop(1)))
    main()
