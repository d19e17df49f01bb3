"""Fixtures every category shares, and the rules that keep the suite honest."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

# Tests run on every core at once. The threads of PyTorch and of numpy's BLAS would burn the others'
# cores while they wait for each other, here and in what the tests start: five times the processor's
# time for the same. Each library looks once, when it is imported.
NUMPY_CAME_FIRST = "numpy" in sys.modules
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest  # noqa: E402

from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore  # noqa: E402

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
CATEGORIES = ("unit", "property", "golden", "integration", "bench")
SLOWEST = (
    "golden/test_native_parity.py",
    "integration/test_research.py",
    "integration/test_first_use.py",
    "integration/test_bench_command.py",
    "integration/test_bake.py",
    "golden/test_poser_parity.py",
    "integration/obs/test_avatar_source.py",
    "integration/test_animate_command.py",
    "integration/test_runtime_selection.py",
    "integration/weights/test_weights_hostile.py",
    "golden/test_tha3_networks.py",
    "integration/test_run_command.py",
    "integration/senders/test_third_party_senders.py",
    "integration/test_package.py",
    "integration/studio/test_manual_poser.py",
    "integration/studio/test_panels.py",
)
"""Files of more than 30 s, which begin first: one that begins last keeps one core waiting.

The first lets the reference pose, for which others of golden/ would only wait; the second prepares
the character that other integration tests show.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the category of its folder; a test elsewhere is a mistake. Slow ones first."""
    if NUMPY_CAME_FIRST:
        raise pytest.UsageError("a pytest plugin imports numpy: turn it off with -p no:NAME")
    tests = REPOSITORY / "tests"
    places = {tests / name: place for place, name in enumerate(SLOWEST)}
    if gone := [path for path in places if not path.is_file()]:
        raise pytest.UsageError(f"tests/conftest.py names as slow what is not there: {gone}")
    items.sort(key=lambda item: places.get(item.path, len(places)))
    for item in items:
        category = item.path.relative_to(tests).parts[0]
        if category not in CATEGORIES:
            raise pytest.UsageError(f"{item.path} lies in none of {', '.join(CATEGORIES)}")
        item.add_marker(category)


def pytest_collection_finish() -> None:
    """Let no garbage collection walk thousands of collected tests again and again.

    One takes a third of a second with all of them in memory, and some tests ask for dozens.
    """
    gc.collect()
    gc.freeze()


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
