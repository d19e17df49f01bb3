"""What a fuzzer needs to know of a parser: one small value for each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vtbridge.errors import VtbridgeError

BUDGET_MS = 20.0
"""What a datagram may cost, whatever is in it."""
LARGEST_DATAGRAM = 65_507
MEMORY = Path("/dev/shm")
"""Thousands of small files a second belong on no disk."""


@dataclass(frozen=True)
class Target:
    """One parser under any bytes.

    Attributes:
        name: of its corpus, and on the command line.
        run: parses; raises nothing but ``refusals``.
        seeds: returns what it reads gladly, made by the program or by the tests.
        refusals: what its documentation says that it raises.
        longest: bytes of an input.
        budget_ms: CPU time that no input may take longer than, None where no stranger sends it.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    refusals: tuple[type[Exception], ...] = (VtbridgeError,)
    longest: int = 1 << 16
    budget_ms: float | None = None

    def accepts(self, data: bytes) -> bool:
        """Return whether the parser reads ``data``; whatever it should not raise comes out."""
        try:
            self.run(data)
        except self.refusals as refusal:
            if isinstance(refusal, VtbridgeError) and len(str(refusal)) > LONGEST_MESSAGE:
                raise AssertionError(f"a message of {len(str(refusal))} characters") from refusal
            return False
        return True


LONGEST_MESSAGE = 20_000
"""Of a refusal: many settings may be wrong at once, but no message repeats what is hostile."""


@cache
def folder() -> Path:
    """Return a folder of this process for the files that parsers read, in memory where it can."""
    kept = tempfile.TemporaryDirectory(
        prefix="vtbridge-fuzz-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    )
    _FOLDERS.append(kept)
    return Path(kept.name)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def file_of(data: bytes, name: str) -> Path:
    """Write ``data`` to the file ``name`` of this process's folder, and return its path."""
    path = folder() / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def framed(datagrams: Iterable[bytes]) -> bytes:
    """Return several datagrams as one input: each after its length, two bytes, little-endian."""
    return b"".join(len(one).to_bytes(2, "little") + one for one in datagrams)


def unframed(data: bytes) -> list[bytes]:
    """Return the datagrams of any input; the last one may be cut off."""
    datagrams, at = [], 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "little")
        datagrams.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return datagrams
