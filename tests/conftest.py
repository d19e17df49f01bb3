"""Fixtures every category shares, and the rules that keep the suite honest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
CATEGORIES = ("unit", "property", "golden", "integration", "bench")

# Tests run on every core at once. PyTorch's threads would burn the others' cores while they wait
# for each other, here and in what the tests start: two cores took twice as long for the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the category of its folder; a test elsewhere is a mistake."""
    for item in items:
        category = item.path.relative_to(REPOSITORY / "tests").parts[0]
        if category not in CATEGORIES:
            raise pytest.UsageError(f"{item.path} lies in none of {', '.join(CATEGORIES)}")
        item.add_marker(category)


def skip_loudly(reason: str) -> None:
    """Skip the running test, or fail it where everything must be there (CI)."""
    if os.environ.get("CI"):
        pytest.fail(f"must not be skipped in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of captures that lies beside a developer's checkout."""
    if not SHARED_DATA.is_dir():
        skip_loudly(f"{SHARED_DATA} is absent: captures and recordings are not in the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def captures(shared_data: Path) -> Path:
    """Return the folder of datagrams recorded from real trackers."""
    return shared_data / "captures"


@pytest.fixture(scope="session")
def weight_store() -> WeightStore:
    """Return the store that ``vtbridge weights pull`` filled; read it, never write to it."""
    store = WeightStore()
    if not store.is_ready(DEFAULT_WEIGHTS):
        skip_loudly(f"{DEFAULT_WEIGHTS} is not in {store.root}: run `vtbridge weights pull`")
    return store
