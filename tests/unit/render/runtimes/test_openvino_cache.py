"""Compiled networks that are kept: loaded when whole and meant, else compiled again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from vtbridge.quiet_openvino import opset13 as ops
from vtbridge.quiet_openvino import ov
from vtbridge.render.runtimes.openvino_cache import KEPT, CompileCache

# A CPU keeps and loads compiled networks as GPUs and NPUs do.
DEVICE = "CPU"


class Counting:
    """Gives a network and counts how often it was needed."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> ov.Model:
        self.calls += 1
        x = ops.parameter([1, 4], np.float32, name="x")
        return ov.Model([ops.multiply(x, np.float32(3))], [x])


@pytest.fixture
def cache(tmp_path: Path) -> CompileCache:
    return CompileCache(ov.Core(), DEVICE, tmp_path / "made on demand")


def compiled(
    cache: CompileCache, read: Counting, content: bytes = b"graph", **options: object
) -> list[float]:
    model = cache.compiled("edit", (content,), options, read)
    answer: list[float] = model(np.ones((1, 4), np.float32))[0].tolist()[0]
    return answer


def blobs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "made on demand").iterdir())


def test_the_second_start_compiles_nothing(cache: CompileCache) -> None:
    read = Counting()
    assert compiled(cache, read) == compiled(cache, read) == [3, 3, 3, 3]
    assert read.calls == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_file_is_deleted_and_compiled_again(
    damage: str, cache: CompileCache, tmp_path: Path
) -> None:
    read = Counting()
    compiled(cache, read)
    (blob,) = blobs(tmp_path)
    content = bytearray(blob.read_bytes())
    match damage:
        case "flip":
            content[len(content) // 2] ^= 1
        case "cut":
            del content[len(content) // 2 :]
        case "empty":
            content.clear()
        case "foreign":
            content[:] = os.urandom(len(content))
    blob.write_bytes(content)
    assert compiled(cache, read) == [3, 3, 3, 3]
    assert read.calls == 2
    compiled(cache, read)
    assert read.calls == 2, "the damaged file was not replaced"


def test_what_openvino_refuses_to_load_is_compiled_again(
    cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counting()
    compiled(cache, read)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("made by another build")

    with monkeypatch.context() as refusing:
        refusing.setattr(ov.Core, "import_model", refuse)
        assert compiled(cache, read) == [3, 3, 3, 3]
    compiled(cache, read)
    assert read.calls == 2


def test_other_weights_and_other_options_are_compiled_apart(cache: CompileCache) -> None:
    read = Counting()
    compiled(cache, read)
    compiled(cache, read, content=b"other graph")
    compiled(cache, read, INFERENCE_NUM_THREADS=1)
    assert read.calls == 3


def test_only_the_newest_files_of_a_stage_are_kept(cache: CompileCache, tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        compiled(cache, Counting(), content=b"%d" % number)
        for age, blob in enumerate(sorted(blobs(tmp_path), key=lambda file: file.stat().st_mtime)):
            os.utime(blob, (age, age))  # in the order in which they were made
    assert len(blobs(tmp_path)) == KEPT
    read = Counting()
    compiled(cache, read, content=b"%d" % (KEPT + 2))
    assert read.calls == 0


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = CompileCache(ov.Core(), DEVICE, tmp_path / "file" / "below")
    read = Counting()
    assert compiled(cache, read) == compiled(cache, read) == [3, 3, 3, 3]
    assert read.calls == 2
