"""Networks prepared for a runtime: only the very bytes that belong to the weights are run."""

from __future__ import annotations

import errno
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from vtbridge.errors import ConfigError, InferenceError, RuntimeUnavailable, WeightsError
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.runtimes import prepared
from vtbridge.render.runtimes.onnx_files import ABOUT_FILE, export_onnx
from vtbridge.render.runtimes.openvino import has_bf16, open_openvino
from vtbridge.render.runtimes.prepared import ONNX_FILES, OPENVINO_FILES, RECORD
from vtbridge.render.runtimes.runtime import NeverPrepared, RuntimeRequest
from vtbridge.render.settings import Precision
from vtbridge.render.weights.manifest import DEFAULT_WEIGHTS
from vtbridge.render.weights.runtime_files import check_runtime_files
from vtbridge.render.weights.store import WeightStore

PREPARE = "vtbridge weights prepare tha3-separable-float --for openvino"


@pytest.fixture
def store(weight_store: WeightStore, tmp_path: Path) -> WeightStore:
    """Return a store that shares the real one's files, each of which may be replaced."""
    if problem := OPENVINO_FILES.problem(weight_store, DEFAULT_WEIGHTS):
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


def folder(store: WeightStore) -> Path:
    return store.directory(DEFAULT_WEIGHTS) / OPENVINO_FILES.folder


def problem(store: WeightStore) -> str:
    return OPENVINO_FILES.problem(store, DEFAULT_WEIGHTS)


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    replace(file, bytes(content))


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("which", [0, 1], ids=["graph", "constants"])
def test_one_flipped_bit_is_refused(stage: Stage, which: int, store: WeightStore) -> None:
    flip_a_bit(OPENVINO_FILES.paths(folder(store), stage)[which])
    with pytest.raises(WeightsError, match=f"{stage}.*damaged.*{PREPARE}"):
        OPENVINO_FILES.read_stage(store, DEFAULT_WEIGHTS, stage)


@pytest.mark.parametrize("which", [0, 1], ids=["graph", "constants"])
def test_a_runtime_does_not_open_with_a_damaged_stage(which: int, store: WeightStore) -> None:
    file = OPENVINO_FILES.paths(folder(store), Stage.EDIT)[which]
    flip_a_bit(file)
    with pytest.raises(WeightsError, match=f"edit.*damaged.*{PREPARE}"):
        open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))
    (damaged,) = [check for check in check_runtime_files(store, DEFAULT_WEIGHTS) if check.problem]
    assert damaged.path == file
    assert damaged.remedy == PREPARE


def test_every_damaged_file_is_told_of(store: WeightStore) -> None:
    files = {file for stage in Stage for file in OPENVINO_FILES.paths(folder(store), stage)}
    for file in files:
        flip_a_bit(file)
    damaged = [check for check in check_runtime_files(store, DEFAULT_WEIGHTS) if check.problem]
    assert {check.path for check in damaged} == files
    assert {check.remedy for check in damaged} == {PREPARE}


@pytest.mark.parametrize("name", [RECORD, "edit.bin", "face.xml"])
def test_a_missing_file_is_told_of_with_the_remedy(name: str, store: WeightStore) -> None:
    (folder(store) / name).unlink()
    with pytest.raises(WeightsError, match=PREPARE):
        open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))


def test_what_was_never_prepared_is_told_apart_from_what_is_damaged(store: WeightStore) -> None:
    (folder(store) / RECORD).unlink()
    with pytest.raises(NeverPrepared):
        OPENVINO_FILES.read_stage(store, DEFAULT_WEIGHTS, Stage.EDIT)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": 3}'])
def test_a_damaged_record_is_told_of(content: bytes, store: WeightStore) -> None:
    replace(folder(store) / RECORD, content)
    assert "is damaged" in problem(store)


def test_files_of_an_older_version_are_told_as_such(store: WeightStore) -> None:
    replace(folder(store) / RECORD, b'{\n  "format": 1,\n  "graph_revision": 1\n}')
    assert "by an older version" in problem(store)


def test_networks_of_other_weights_are_refused(store: WeightStore) -> None:
    record = json.loads((folder(store) / RECORD).read_text())
    record["sources"]["editor"] = "0" * 64
    replace(folder(store) / RECORD, json.dumps(record).encode())
    assert "from other weights" in problem(store)


def test_networks_of_an_older_graph_are_refused(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem(store) == ""
    monkeypatch.setattr(prepared, "GRAPH_REVISION", prepared.GRAPH_REVISION + 1)
    assert "another version of vtbridge" in problem(store)


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


def test_files_that_go_away_later_are_a_failure_of_inference(store: WeightStore) -> None:
    runtime = open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))
    crop = runtime.upload(np.zeros((1, 4, 128, 128), np.float32))
    first = [np.array(runtime.download(layer)) for layer in runtime.run(Stage.DECOMPOSE, crop)]
    again = runtime.run(Stage.DECOMPOSE, crop)
    assert all(map(np.array_equal, first, map(runtime.download, again)))
    (folder(store) / "decompose.bin").unlink()
    with pytest.raises(InferenceError, match=r"stage decompose failed.*decompose\.bin"):
        runtime.run(Stage.DECOMPOSE, crop)


@pytest.mark.parametrize("step", ["get_property", "read_model", "compile_model"])
def test_a_failure_of_openvino_makes_it_unavailable(
    step: str, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(ov.Core, step, fail)
    with pytest.raises(RuntimeUnavailable, match=r"no such instruction.*choose another runtime"):
        open_openvino(RuntimeRequest(store, DEFAULT_WEIGHTS))


def write_stages(_module: str, job: str, **__: object) -> None:
    """Leave what the real process leaves, but for its content."""
    _, target, precision = job.splitlines()
    suffixes = (".xml", ".bin") if Path(target).name == "openvino" else (".onnx",)
    for stage in Stage:
        for suffix in suffixes:
            (Path(target) / f"{stage}{suffix}").write_bytes(f"new {precision}".encode())


def test_half_made_files_are_cleared_away_and_the_old_ones_replaced(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = store.directory(DEFAULT_WEIGHTS)
    (weights / ".openvino.killed" / "openvino").mkdir(parents=True)
    (weights / ".openvino.killed" / "openvino" / "edit.bin").write_bytes(bytes(100))
    (folder(store) / "old").write_text("of the files before")
    monkeypatch.setattr(prepared, "run_throwaway", write_stages)
    OPENVINO_FILES.prepare(weights)
    assert problem(store) == ""
    assert OPENVINO_FILES.read_stage(store, DEFAULT_WEIGHTS, Stage.EDIT) == (b"new f32", b"new f32")
    assert not (folder(store) / "old").exists()
    assert not list(weights.glob(".openvino*"))


@pytest.mark.parametrize("step", ["mkdir", "rename"])
def test_a_folder_that_cannot_be_written_is_a_problem_of_the_weights(
    step: str, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prepared, "run_throwaway", write_stages)
    with monkeypatch.context() as broken:
        broken.setattr(Path, step, full)
        with pytest.raises(WeightsError, match=r"No space left on device.*free some space"):
            OPENVINO_FILES.prepare(store.directory(DEFAULT_WEIGHTS))
    assert problem(store) == "", "the old files are gone"


def test_nothing_is_prepared_without_room_for_it(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_GRAPHS_BYTES", 1 << 60)
    with pytest.raises(WeightsError, match=r"MiB free and .* are needed"):
        OPENVINO_FILES.prepare(store.directory(DEFAULT_WEIGHTS))


def test_a_missing_exporter_is_told_with_its_packages(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name.startswith("onnx") else find(name, *rest),
    )
    with pytest.raises(RuntimeUnavailable, match="run `pip install onnx onnxscript`"):
        ONNX_FILES.prepare(store.directory(DEFAULT_WEIGHTS))


@pytest.fixture
def _quick_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "run_throwaway", write_stages)


@pytest.mark.usefixtures("_quick_export")
def test_an_export_says_what_goes_in_and_out_and_whose_work_it_is(
    store: WeightStore, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "folder"
    written = export_onnx(store, DEFAULT_WEIGHTS, target, Precision.F16)
    assert sorted(written) == sorted(target.iterdir())
    assert (target / "edit.onnx").read_bytes() == b"new f16"
    about = (target / ABOUT_FILE).read_text("utf-8")
    assert "Pramook Khungurn" in about
    assert "CC BY 4.0" in about
    for stage, signature in stage_signatures(store.variant(DEFAULT_WEIGHTS)).items():
        assert f"{stage}.onnx" in about
        for port in (*signature.inputs, *signature.output_ports):
            assert f" {port} float32" in about


@pytest.mark.usefixtures("_quick_export")
def test_an_export_replaces_nothing_unless_it_is_told_to(
    store: WeightStore, tmp_path: Path
) -> None:
    mine = tmp_path / "edit.onnx"
    mine.write_text("mine")
    with pytest.raises(ConfigError, match=r"edit\.onnx is there already.*--force"):
        export_onnx(store, DEFAULT_WEIGHTS, tmp_path, Precision.F32)
    assert mine.read_text() == "mine"
    export_onnx(store, DEFAULT_WEIGHTS, tmp_path, Precision.F32, force=True)
    assert mine.read_text() == "new f32"
    assert not list(tmp_path.glob(".export-*"))


@pytest.mark.usefixtures("_quick_export")
def test_an_export_to_where_nothing_can_be_written_is_told(
    store: WeightStore, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be written"):
        export_onnx(store, DEFAULT_WEIGHTS, tmp_path / "file" / "below", Precision.F32)
