"""One segment name a test, cleaned up whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.vtbf import unused_name


@pytest.fixture
def name() -> Iterator[str]:
    """Return a name that no segment has."""
    with unused_name() as unused:
        yield unused
