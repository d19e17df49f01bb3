"""Fuzz: ``python -m tests.fuzz TARGET...|all --seconds N [--jobs 2] [--minimise]``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.run import fuzz, minimise
from tests.fuzz.table import targets

ABSENT = (
    "atheris is not installed, so nothing was fuzzed: pip install atheris (wheels are for Linux); "
    "the kept inputs are tried without it by tests/property/test_fuzz_corpus.py"
)


def main() -> int:
    """Return 0 if nothing was found, 1 if something was, 3 without the fuzzer."""
    names = list(targets())
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="+", choices=[*names, "all"], metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minimise", action="store_true", help="keep what was found in tests/data")
    parser.add_argument("--repeat", type=Path, help="run this input once, without the fuzzer")
    given = parser.parse_args()
    if given.repeat is not None:
        (only,) = given.targets
        accepted = targets()[only].accepts(given.repeat.read_bytes())
        print("it is read" if accepted else "it is refused, as it should be")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(ABSENT, file=sys.stderr)
        return 3
    chosen = names if "all" in given.targets else given.targets
    finds: list[str] = []

    def one(name: str) -> None:
        outcome = fuzz(name, given.seconds)
        print(outcome.line(), flush=True)
        for find in outcome.finds:
            print(f"  {find}", flush=True)
        finds.extend(outcome.finds)
        if given.minimise:
            print(f"  {name}: a corpus of {minimise(name)} bytes", flush=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(one, chosen))
    print(f"{len(chosen)} targets, {len(finds)} finds")
    return 1 if finds else 0


sys.exit(main())
