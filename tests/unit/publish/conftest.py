"""One segment name a test, cleaned up whatever happens, and both ends of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.vtbf import unused_name
from vtbridge.publish.vtbf import FrameReader, FrameWriter


@pytest.fixture
def name() -> Iterator[str]:
    """Return a name that no segment has."""
    with unused_name() as unused:
        yield unused


@pytest.fixture
def writer(name: str) -> Iterator[FrameWriter]:
    with FrameWriter.open(name, max_width=32, max_height=32) as opened:
        yield opened


@pytest.fixture
def reader(name: str, writer: FrameWriter) -> Iterator[FrameReader]:
    with FrameReader.attach(name) as attached:
        yield attached
