"""Whatever stands in a model's file, it is a figure or a DatasetError, and no memory is lost."""

from __future__ import annotations

import copy
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.figure_textures import small
from tests.support.figures import a_figure
from tests.support.mmd_files import pmd_bytes, pmx_bytes
from tests.support.vrm_files import chunks_of, glb_of, vrm_bytes
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.framing import camera_of
from vtbridge.training.figures.posing import posed
from vtbridge.training.figures.read import read_figure

FIGURE = small(a_figure(triangles=600))
FILES = {
    "f.pmx": pmx_bytes(FIGURE),
    "f.pmd": pmd_bytes(FIGURE),
    "f0.vrm": vrm_bytes(FIGURE, 0),
    "f1.vrm": vrm_bytes(FIGURE, 1, sparse=True),
}
POSE = np.linspace(-1, 1, POSE_SIZE, dtype=np.float32)
SAME_FOLDER = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def use(path: Path) -> bool:
    """Do all that a data set does with a model; False if it is refused."""
    try:
        figure = read_figure(path)
        binding = bind(figure)
        camera = camera_of(figure, binding)
    except DatasetError as error:
        refusal = str(error)
    else:
        positions, normals = posed(figure, binding, POSE)
        assert np.isfinite(positions).all()
        assert np.isfinite(normals).all()
        assert camera.half_height > 0
        assert figure.triangles.min() >= 0
        assert figure.triangles.max() < len(figure.positions)
        assert sum(part.count for part in figure.materials) == len(figure.triangles)
        assert all(part.texture < len(figure.textures) for part in figure.materials)
        return True
    assert str(path) in refusal
    return False


@pytest.mark.parametrize("name", FILES)
def test_the_whole_file_is_used(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    assert use(tmp_path / name)


@pytest.mark.parametrize("name", FILES)
@SAME_FOLDER
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused_or_used(
    tmp_path: Path, name: str, share: float
) -> None:
    data = FILES[name]
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    use(tmp_path / name)


@pytest.mark.parametrize("name", FILES)
@SAME_FOLDER
@given(
    flips=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_wrong_bytes_anywhere_are_refused_or_used(
    tmp_path: Path, name: str, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(FILES[name])
    for share, value in flips:
        data[int(len(data) * share)] = value
    (tmp_path / name).write_bytes(bytes(data))
    use(tmp_path / name)


@pytest.mark.parametrize("name", ["f.pmx", "f.pmd"])
@SAME_FOLDER
@given(
    share=st.floats(0, 1, exclude_max=True),
    number=st.sampled_from(
        [0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x7F800000, 0x7FC00000, 0x10000000]
    ),
)
def test_a_huge_number_anywhere_is_refused_or_used(
    tmp_path: Path, name: str, share: float, number: int
) -> None:
    data = bytearray(FILES[name])
    place = int((len(data) - 4) * share)
    data[place : place + 4] = struct.pack("<I", number)
    (tmp_path / name).write_bytes(bytes(data))
    use(tmp_path / name)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to everything in JSON."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in items:
            found += places_in(entry, (*path, key))
    return found


DOCUMENTS = {name: chunks_of(FILES[name]) for name in ("f0.vrm", "f1.vrm")}
PLACES = {name: places_in(document) for name, (document, _) in DOCUMENTS.items()}
WRONG = st.sampled_from(
    [None, -1, 0, 1, 7, 2**31 - 1, 2**63, 1e308, -1e38, float("nan"), float("inf"), "", "x", True]
) | st.sampled_from([[], {}, [[]], [0], [1, 2, 3], {"index": 0}])


@pytest.mark.parametrize("name", DOCUMENTS)
@SAME_FOLDER
@given(data=st.data())
def test_a_wrong_value_anywhere_in_the_json_is_refused_or_used(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    document, chunk = DOCUMENTS[name]
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(PLACES[name]))
        at = document
        try:
            for key in way:
                at = at[key]
            at[last] = data.draw(WRONG)
        except (KeyError, IndexError, TypeError):
            pass  # an earlier change took the place away
    (tmp_path / name).write_bytes(glb_of(document, chunk))
    use(tmp_path / name)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["accessors"][0].update(count=2**31 - 1),
        lambda d: [a.update(count=2**31 - 1) for a in d["accessors"] if "sparse" in a],
        lambda d: d["meshes"][0].update(primitives=d["meshes"][0]["primitives"] * 5000),
        lambda d: d["nodes"].extend([d["nodes"][-1]] * 15_000),
        lambda d: d["meshes"][0]["primitives"][0].update(
            targets=d["meshes"][0]["primitives"][0]["targets"] * 100_000
        ),
        lambda d: d["nodes"].extend([{"children": [0]}] * 100_000),
    ],
)
def test_a_small_file_cannot_claim_much_memory(tmp_path: Path, change: Any) -> None:
    document, chunk = DOCUMENTS["f1.vrm"]
    document = copy.deepcopy(document)
    change(document)
    path = tmp_path / "f.vrm"
    path.write_bytes(glb_of(document, chunk))
    tracemalloc.start()
    try:
        use(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 600 << 20
