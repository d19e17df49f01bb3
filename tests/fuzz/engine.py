"""Fuzz one target in this process, which ends with it: ``python -m tests.fuzz.engine TARGET ...``.

What follows the target's name goes to libFuzzer as it is. Slow inputs are kept in the folder
that ``VTBRIDGE_FUZZ_SLOW`` names.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

INSTRUMENTED = ["vtbridge", "tomllib", "zipfile", "csv", "json.decoder"]
"""Packages whose branches guide the fuzzer."""
RECORD = 1.1
"""So much slower than the slowest so far is kept; noise writes no files then."""


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer ends the process."""
    import atheris

    name, *options = arguments
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.table import target_of

        target = target_of(name)
    slow = Path(os.environ["VTBRIDGE_FUZZ_SLOW"])
    slow.mkdir(parents=True, exist_ok=True)
    slowest_ns = [200_000]
    kept = [0]

    def test_one_input(data: bytes) -> None:
        begun_ns = time.thread_time_ns()
        target.accepts(data)
        taken_ns = time.thread_time_ns() - begun_ns
        if taken_ns > slowest_ns[0] * RECORD:
            slowest_ns[0] = taken_ns
            kept[0] += 1
            (slow / f"{kept[0]:04}").write_bytes(data)

    # To merge, libFuzzer starts itself again by its own name, which has to be a program.
    atheris.Setup([os.environ["VTBRIDGE_FUZZ_LAUNCHER"], *options], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
