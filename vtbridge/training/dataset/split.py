"""Which works are for training, and which are kept to tell how well it went."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum


class Split(StrEnum):
    """A side of the data set; the value is its folder."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def split_by_work(
    works: Iterable[str], shares: Mapping[Split, float], seed: int
) -> dict[str, Split]:
    """Return the side of each work: shares as exact as the number of works allows.

    Args:
        works: names, repetitions allowed.
        shares: of each side; they sum to 1.
        seed: of the order in which works are dealt out.
    """
    ordered = sorted(
        set(works), key=lambda work: hashlib.sha256(f"{seed}:{work}".encode()).digest()
    )
    sides: dict[str, Split] = {}
    given, passed = 0, 0.0
    for split in Split:
        passed += shares.get(split, 0.0)
        until = round(passed * len(ordered))
        sides |= dict.fromkeys(ordered[given:until], split)
        given = until
    return sides
