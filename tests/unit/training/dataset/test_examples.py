"""A stranger's data set can neither crash a reader nor feed it nonsense."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.training import SIZE, rendered, small_dataset, with_members
from vtbridge.errors import DatasetError
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.dataset.manifest import MANIFEST_FILE, read_manifest
from vtbridge.training.dataset.split import Split

Change = Callable[[bytes], bytes]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rendered(tmp_path, small_dataset(subjects=4, poses=1))
    return tmp_path


def changed(folder: Path, suffix: str, change: Change) -> Path:
    """Change members of the first shard, and return its path."""
    path = folder / "train" / "00000.tar"
    path.write_bytes(with_members(path.read_bytes(), suffix, change))
    return path


def telling(**more: object) -> Change:
    return lambda content: json.dumps({**json.loads(content), **more}).encode()


def png(rgba: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return cv2.imencode(".png", rgba)[1].tobytes()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (telling(shows=[3]), "shows.0"),
        (telling(shows=["wings"]), "WINGS"),
        (telling(poses=[[float("nan")] * 45]), "poses.0.0"),
        (telling(poses=[[float("inf")] * 45]), "poses.0.0"),
        (telling(poses=[[10**400] * 45]), "poses.0.0"),
        (telling(poses=[[2.0] * 45]), "poses.0.0: Input should be less than or equal to 1"),
        (telling(poses=[[0.0] * 44]), "poses.0: List should have at least 45"),
        (telling(poses=[[0.0] * 45] * 2), r"p01\.expression\.png is missing"),
        (telling(poses=[]), "poses: "),
        (telling(rest=None), "rest: "),
        (lambda content: b"[" * 100_000, "Invalid JSON"),
        (lambda content: b"\xff", "Invalid JSON"),
        (lambda content: b"", "Invalid JSON"),
    ],
)
def test_a_record_that_cannot_be_meant_is_named_in_one_line(
    dataset: Path, change: Change, complaint: str
) -> None:
    path = changed(dataset, "poses.json", change)
    with pytest.raises(DatasetError, match=complaint) as caught:
        Examples(dataset, Split.TRAIN)
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert str(caught.value).endswith("): render the data set again")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG",
        png(np.zeros((SIZE, SIZE, 3), np.uint8)),
        png(np.zeros((SIZE, SIZE // 2, 4), np.uint8)),
        png(np.zeros((2 * SIZE, 2 * SIZE, 4), np.uint8)),
        # Three gigabytes, if it were believed.
        png(np.zeros((1, 1, 4), np.uint8)).replace(
            bytes([0, 0, 0, 1] * 2), bytes([0, 0, 0x70, 0] * 2), 1
        ),
    ],
    ids=["empty", "begun", "opaque", "oblong", "larger", "huge"],
)
def test_a_picture_of_another_kind_is_named(dataset: Path, content: bytes) -> None:
    changed(dataset, "p00.posed.png", lambda _: content)
    with Examples(dataset, Split.TRAIN) as examples:
        named = rf"p00\.posed\.png is no RGBA picture of {SIZE} x {SIZE}"
        with pytest.raises(DatasetError, match=named):
            examples[0]


def test_a_member_that_claims_to_be_larger_than_its_file_is_not_read(dataset: Path) -> None:
    path = dataset / "train" / "00000.tar"
    huge = tarfile.TarInfo("a.poses.json")
    huge.size = 1 << 50
    path.write_bytes(huge.tobuf() + bytes(1024))
    with pytest.raises(DatasetError, match=r"a\.poses\.json is no whole file"):
        Examples(dataset, Split.TRAIN)


def test_links_and_folders_are_refused(dataset: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("a.rest.png")
        link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
        archive.addfile(link)
    (dataset / "train" / "00000.tar").write_bytes(out.getvalue())
    with pytest.raises(DatasetError, match=r"a\.rest\.png is no whole file"):
        Examples(dataset, Split.TRAIN)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["shards"][0].update(file="train/../../elsewhere.tar"),
        lambda told: told["shards"][0].update(file="/etc/passwd"),
        lambda told: told["recipe"].pop("size"),
        lambda told: told["recipe"].update(size="large"),
        lambda told: told.update(recipe={}),
    ],
)
def test_a_manifest_that_leads_elsewhere_or_lacks_something_is_refused(
    dataset: Path, change: Callable[[dict[str, object]], object]
) -> None:
    path = dataset / MANIFEST_FILE
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged"):
        read_manifest(dataset)


def test_closed_examples_say_so_instead_of_seeming_to_be_none(dataset: Path) -> None:
    examples = Examples(dataset, Split.TRAIN)
    assert examples[0].rest.shape == examples[1].rest.shape
    examples.close()
    examples.close()
    with pytest.raises(ValueError, match="closed"):
        list(iter(examples))


def test_what_is_no_data_set_is_told_and_leaves_nothing_to_close(tmp_path: Path) -> None:
    # A half-made reader that complained when it is collected would fail this test.
    for _ in range(2):
        with pytest.raises(DatasetError, match="is no finished data set"):
            Examples(tmp_path / "nothing", Split.TRAIN)
