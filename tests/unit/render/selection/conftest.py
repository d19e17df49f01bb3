"""The stand-ins' answers, and a machine that has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fault_runtime import stand_in_golden
from tests.support.selection_bench import Bench
from vtbridge.render.selection.golden import Golden


@pytest.fixture(scope="session")
def golden() -> Golden:
    return stand_in_golden({})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> Bench:
    return Bench(tmp_path, monkeypatch, golden)
