"""What fuzzing found stays understood or refused: every target over its kept inputs, and damaged.

The fuzzer itself is not needed; ``make fuzz`` looks for more.
"""

from __future__ import annotations

import random

import pytest

from tests.fuzz.run import LARGEST_KEPT, MOST_KEPT
from tests.fuzz.table import CORPUS, corpus_of, targets

MUTATIONS = 24
LARGEST_CORPUS = 300_000
PIECES = (
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"nan",
    b"1e999",
    b"[" * 40,
    b"null",
    b"\n",
    b"",
)


def damaged(source: random.Random, data: bytes) -> bytes:
    """Return ``data`` with one to three places overwritten, cut out or filled in."""
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(data) + 1)
        gone = source.choice((0, 1, 4, 30))
        data = data[:at] + source.choice((*PIECES, source.randbytes(3))) + data[at + gone :]
    return data


@pytest.mark.parametrize("name", targets())
def test_kept_inputs_and_damaged_ones_are_understood_or_refused(name: str) -> None:
    target, source = targets()[name], random.Random(name)
    inputs = [*target.seeds(), *corpus_of(name)]
    assert any(target.accepts(data) for data in inputs), "one at least is understood"
    for number in range(MUTATIONS):
        target.accepts(damaged(source, inputs[number % len(inputs)]))
    for data in inputs:
        target.accepts(data)
    target.accepts(b"")


def test_corpus_is_small_and_of_known_targets() -> None:
    sizes = {path: path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()}
    assert {path.parent.name for path in sizes} <= set(targets())
    assert len(sizes) > len(targets())
    assert max(sizes.values()) <= LARGEST_KEPT
    for name in targets():
        assert sum(size for path, size in sizes.items() if path.parent.name == name) <= MOST_KEPT
    assert sum(sizes.values()) <= LARGEST_CORPUS
