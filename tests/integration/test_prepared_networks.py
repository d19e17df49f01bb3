"""Networks prepared for OpenVINO: only the very bytes that belong to the weights are run."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import pytest

from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes import openvino
from vtbridge.render.runtimes.openvino import (
    EXPORT_FOLDER,
    EXPORT_RECORD,
    export,
    export_problem,
    has_bf16,
    ir_paths,
    open_openvino,
)
from vtbridge.render.runtimes.runtime import RuntimeRequest, open_runtime
from vtbridge.render.settings import DeviceName, Precision, RuntimeName
from vtbridge.render.weights.manifest import DEFAULT_WEIGHTS
from vtbridge.render.weights.store import WeightStore


@pytest.fixture
def store(weight_store: WeightStore, tmp_path: Path) -> WeightStore:
    """Return a store that shares the real one's files, each of which may be replaced."""
    if problem := export_problem(weight_store, DEFAULT_WEIGHTS):
        pytest.fail(problem)
    copy = WeightStore(tmp_path / "store")
    for file in weight_store.directory(DEFAULT_WEIGHTS).rglob("*"):
        if file.is_file():
            link = copy.root / file.relative_to(weight_store.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return copy


def replace(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


def prepared(store: WeightStore) -> Path:
    return store.directory(DEFAULT_WEIGHTS) / EXPORT_FOLDER


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("which", [0, 1], ids=["graph", "constants"])
def test_one_flipped_bit_is_refused(stage: Stage, which: int, store: WeightStore) -> None:
    file = ir_paths(prepared(store), stage)[which]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    replace(file, bytes(content))
    with pytest.raises(WeightsError, match=f"{stage}.*damaged.*vtbridge weights pull"):
        open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))


@pytest.mark.parametrize("name", [EXPORT_RECORD, "edit.bin", "face.xml"])
def test_a_missing_file_is_told_of_with_the_remedy(name: str, store: WeightStore) -> None:
    (prepared(store) / name).unlink()
    with pytest.raises(WeightsError, match="vtbridge weights pull tha3-separable-float"):
        open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": 2}'])
def test_a_damaged_record_is_told_of(content: bytes, store: WeightStore) -> None:
    replace(prepared(store) / EXPORT_RECORD, content)
    assert "is damaged" in export_problem(store, DEFAULT_WEIGHTS)


def test_networks_of_other_weights_are_refused(store: WeightStore) -> None:
    record = json.loads((prepared(store) / EXPORT_RECORD).read_text())
    record["sources"]["editor"] = "0" * 64
    replace(prepared(store) / EXPORT_RECORD, json.dumps(record).encode())
    assert "from other weights" in export_problem(store, DEFAULT_WEIGHTS)


def test_networks_of_an_older_graph_are_refused(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export_problem(store, DEFAULT_WEIGHTS) == ""
    monkeypatch.setattr(openvino, "GRAPH_REVISION", openvino.GRAPH_REVISION + 1)
    assert "another version of vtbridge" in export_problem(store, DEFAULT_WEIGHTS)


def test_bf16_runs_where_the_cpu_has_it_and_is_refused_elsewhere(store: WeightStore) -> None:
    request = RuntimeRequest(store, DEFAULT_WEIGHTS, precision=Precision.BF16)
    if has_bf16():
        assert open_openvino(request).describe() == "openvino bf16 CPU"
    else:
        with pytest.raises(RuntimeUnavailable, match=r"does not multiply bf16.*set precision"):
            open_openvino(request)


def test_the_default_tells_which_precision_it_took(store: WeightStore) -> None:
    expected = "bf16" if has_bf16() else "f32-fast"
    runtime = open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))
    assert runtime.describe() == f"openvino {expected} CPU"


@pytest.mark.parametrize("step", ["get_property", "read_model", "compile_model"])
def test_the_default_falls_back_to_pytorch_where_openvino_fails(
    step: str,
    store: WeightStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(ov.Core, step, fail)
    request = RuntimeRequest(store, DEFAULT_WEIGHTS, device=DeviceName.CPU)
    with pytest.raises(RuntimeUnavailable, match=r"no such instruction.*set runtime to pytorch"):
        open_runtime(RuntimeName.OPENVINO, request)
    caplog.set_level(logging.INFO)
    runtime = open_runtime(RuntimeName.AUTO, request)
    assert runtime.describe() == "pytorch f32 CPU"
    assert "no such instruction" in caplog.text


def test_a_half_made_export_is_cleared_away_and_the_old_one_replaced(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.directory(DEFAULT_WEIGHTS)
    (folder / ".openvino.killed" / "openvino").mkdir(parents=True)
    (folder / ".openvino.killed" / "openvino" / "edit.bin").write_bytes(bytes(100))
    (prepared(store) / "old").write_text("of the export before")
    monkeypatch.setattr(openvino, "run_throwaway", write_stages)
    export(folder)
    assert export_problem(store, DEFAULT_WEIGHTS) == ""
    assert ir_paths(prepared(store), Stage.EDIT)[0].read_bytes() == b"new"
    assert not (prepared(store) / "old").exists()
    assert not list(folder.glob(".openvino*"))


@pytest.mark.parametrize("step", ["mkdir", "rename"])
def test_a_folder_that_cannot_be_written_is_a_problem_of_the_weights(
    step: str, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(openvino, "run_throwaway", write_stages)
    with monkeypatch.context() as broken:
        broken.setattr(Path, step, full)
        with pytest.raises(WeightsError, match=r"No space left on device.*free some space"):
            export(store.directory(DEFAULT_WEIGHTS))
    assert export_problem(store, DEFAULT_WEIGHTS) == "", "the old files are gone"


def test_no_export_starts_without_room_for_it(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "_GRAPHS_BYTES", 1 << 60)
    with pytest.raises(WeightsError, match=r"MiB free and .* are needed"):
        export(store.directory(DEFAULT_WEIGHTS))


def write_stages(_module: str, job: str, **__: object) -> None:
    """Leave what the real process leaves, but for its content."""
    _, target = job.splitlines()
    for stage in Stage:
        for path in ir_paths(Path(target), stage):
            path.write_bytes(b"new")
