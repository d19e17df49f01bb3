"""The engine on every instruction set that this processor has."""

from __future__ import annotations

import pytest

from vtbridge.render.native._native import Engine


def available_isas() -> list[str]:
    """Return the instruction sets that an engine can be made for here."""
    names = []
    for isa in ("avx512", "avx2", "sse", "generic"):
        try:
            Engine(1, isa)
        except ValueError:
            continue
        names.append(isa)
    return names


@pytest.fixture(params=available_isas())
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine of two threads."""
    return Engine(2, request.param)
