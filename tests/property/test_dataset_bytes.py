"""Whatever bytes a data set has, reading it gives examples or says what is damaged."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.training import SIZE, rendered, small_dataset, with_members
from vtbridge.errors import DatasetError
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.dataset.manifest import MANIFEST_FILE
from vtbridge.training.dataset.split import Split

EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12), st.booleans()),
    min_size=1,
    max_size=4,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["shows", "rest", "poses", "name", "light"])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bytes")
    rendered(folder, small_dataset(subjects=4, poses=1))
    return folder


def edited(content: bytes, edits: list[tuple[float, bytes, bool]]) -> bytes:
    """Return ``content`` with bytes put over others, or between them."""
    for place, new, is_over in edits:
        at = round(place * len(content))
        content = content[:at] + new + content[at + len(new) * is_over :]
    return content


def read_all(folder: Path) -> None:
    """Read every example, which is as it should be or is not there."""
    with contextlib.suppress(DatasetError), Examples(folder, Split.TRAIN) as examples:
        for index in range(len(examples)):
            with contextlib.suppress(DatasetError):
                example = examples[index]
                assert example.rest.shape == example.posed.shape == (SIZE, SIZE, 4)
                assert np.abs(example.pose).max() <= 1


@contextlib.contextmanager
def put_back(path: Path) -> Iterator[bytes]:
    """Give the content of a file that is as before at the end of the block."""
    content = path.read_bytes()
    try:
        yield content
    finally:
        path.write_bytes(content)


def shard_of(folder: Path) -> Path:
    return folder / "train" / "00000.tar"


@settings(max_examples=150)
@given(EDITS, st.sampled_from(["shard", "manifest"]))
def test_any_edit_of_a_file_is_read_or_told(
    dataset: Path, edits: list[tuple[float, bytes, bool]], which: str
) -> None:
    path = dataset / MANIFEST_FILE if which == "manifest" else shard_of(dataset)
    with put_back(path) as content:
        path.write_bytes(edited(content, edits))
        read_all(dataset)


@settings(max_examples=100)
@given(KEYS, JSON)
def test_any_record_of_poses_is_read_or_told(dataset: Path, key: str, value: object) -> None:
    def replaced(content: bytes) -> bytes:
        return json.dumps({**json.loads(content), key: value}).encode()

    with put_back(shard_of(dataset)) as content:
        shard_of(dataset).write_bytes(with_members(content, "poses.json", replaced))
        read_all(dataset)
