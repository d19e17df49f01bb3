"""``vtbridge weights prepare`` and ``export``: what they make, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.weights import small_store
from vtbridge.cli.weights import app
from vtbridge.errors import ConfigError, RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes import prepared
from vtbridge.render.weights.manifest import EntryKind
from vtbridge.render.weights.record import Record
from vtbridge.render.weights.store import WeightStore

runner = CliRunner()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Let files be made without networks; return what was asked for: module and precision."""
    asked: list[tuple[str, str]] = []

    def write_stages(module: str, job: str, **__: object) -> None:
        _, target, precision = job.splitlines()
        asked.append((module.rpartition(".")[2], precision))
        for stage in Stage:
            for suffix in (".xml", ".bin") if "openvino" in module else (".onnx",):
                (Path(target) / f"{stage}{suffix}").write_text(precision)

    monkeypatch.setattr(prepared, "run_throwaway", write_stages)
    return asked


@pytest.mark.parametrize(
    ("options", "asked", "folder"),
    [
        ((), ("openvino_export", "f32"), "openvino"),
        (("--for", "onnxruntime"), ("onnx_export", "f32"), "onnx"),
        (("--for", "onnxruntime", "--precision", "f16"), ("onnx_export", "f16"), "onnx-f16"),
    ],
)
def test_prepare_makes_what_the_runtime_loads_once(
    options: tuple[str, ...],
    asked: tuple[str, str],
    folder: str,
    jobs: list[tuple[str, str]],
    tmp_path: Path,
) -> None:
    store = small_store(tmp_path)
    command = ["prepare", "small", *options, "--store", str(tmp_path)]
    assert "is ready" in runner.invoke(app, command).stdout
    assert "nothing to do" in runner.invoke(app, command).stdout
    assert jobs == [asked]
    assert (store.directory("small") / folder / prepared.RECORD).is_file()


@pytest.mark.usefixtures("jobs")
def test_prepare_refuses_a_precision_without_files(tmp_path: Path) -> None:
    small_store(tmp_path)
    command = ["prepare", "small", "--precision", "f16", "--store", str(tmp_path)]
    assert isinstance(runner.invoke(app, command).exception, RuntimeUnavailable)


def test_export_prints_what_it_wrote(jobs: list[tuple[str, str]], tmp_path: Path) -> None:
    small_store(tmp_path / "store")
    out = tmp_path / "out"
    store = ["--store", str(tmp_path / "store")]
    result = runner.invoke(app, ["export", "small", "-o", str(out), "--precision", "f16", *store])
    assert result.exception is None
    assert jobs == [("onnx_export", "f16")]
    printed = {Path(line) for line in result.stdout.splitlines()}
    assert printed == set(out.iterdir())
    assert {path.name for path in printed} >= {f"{stage}.onnx" for stage in Stage}


@pytest.mark.usefixtures("jobs")
def test_export_replaces_only_when_forced(tmp_path: Path) -> None:
    small_store(tmp_path / "store")
    command = ["export", "small", "-o", str(tmp_path), "--store", str(tmp_path / "store")]
    (tmp_path / "face.onnx").write_text("mine")
    error = runner.invoke(app, command).exception
    assert isinstance(error, ConfigError)
    assert "add --force" in str(error)
    assert (tmp_path / "face.onnx").read_text() == "mine"
    assert runner.invoke(app, [*command, "--force"]).exception is None
    assert (tmp_path / "face.onnx").read_text() == "f32"


@pytest.mark.parametrize("command", ["export", "prepare"])
def test_weights_that_are_not_there_are_told_with_the_remedy(command: str, tmp_path: Path) -> None:
    error = runner.invoke(
        app, [command, "tha3-separable-float", "--store", str(tmp_path)]
    ).exception
    assert isinstance(error, WeightsError)
    assert "vtbridge weights pull tha3-separable-float" in str(error)


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("command", ["export", "prepare"])
def test_a_picture_is_no_network(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = Record(
        kind=EntryKind.PICTURE, author="me", license="CC0", credit="", source="a test", files={}
    )
    monkeypatch.setattr(WeightStore, "record", lambda *_: record)
    error = runner.invoke(app, [command, "red", "--store", str(tmp_path)]).exception
    assert isinstance(error, WeightsError)
    assert "holds no networks" in str(error)
