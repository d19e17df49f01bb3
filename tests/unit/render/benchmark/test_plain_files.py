"""The exported networks are kept, checked whenever they are read, and made anew if need be."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.support.weights import small_store
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.benchmark import plain_files
from vtbridge.render.benchmark.plain_files import PlainGraph, plain_networks, read_graph


class Exporter:
    """Writes small files in place of the process that takes half a minute."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, module: str, job: str, **options: Any) -> None:
        self.runs += 1
        _, target = job.splitlines()
        for graph in PlainGraph:
            (Path(target) / f"{graph}.onnx").write_bytes(f"{graph} {self.runs}".encode())


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Exporter:
    fake = Exporter()
    monkeypatch.setattr(plain_files, "run_throwaway", fake)
    return fake


def export(tmp_path: Path) -> Path:
    store = small_store(tmp_path / "store")
    return plain_networks(store, "small", print, folder=tmp_path / "cache")


def test_networks_are_exported_once(tmp_path: Path, exporter: Exporter) -> None:
    folder = export(tmp_path)
    assert export(tmp_path) == folder
    assert exporter.runs == 1
    assert read_graph(folder, PlainGraph.FRAME) == b"frame 1"


@pytest.mark.parametrize("harm", ["cut short", "gone"])
def test_a_damaged_file_is_refused_and_made_anew(
    tmp_path: Path, exporter: Exporter, harm: str
) -> None:
    folder = export(tmp_path)
    path = folder / "frame.onnx"
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="run the benchmark again"):
        read_graph(folder, PlainGraph.FRAME)
    assert read_graph(export(tmp_path), PlainGraph.FRAME) == b"frame 2"


def test_other_graphs_are_exported_anew_and_old_ones_go(
    tmp_path: Path, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    for revision in (1, 2, 3):
        monkeypatch.setattr(plain_files, "REVISION", revision)
        folders.append(export(tmp_path))
    assert exporter.runs == 3
    assert [folder.exists() for folder in folders] == [False, True, True]


def test_a_package_that_is_missing_is_named_with_the_remedy(
    tmp_path: Path, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(RuntimeUnavailable, match=r"onnxscript.*pip install 'vtbridge\[onnx\]'"):
        export(tmp_path)
    assert exporter.runs == 0


def test_a_cache_that_cannot_be_written_is_told_with_a_remedy(
    tmp_path: Path, exporter: Exporter
) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(WeightsError, match="XDG_CACHE_HOME"):
        export(tmp_path)
