"""``vtbridge weights``: what people and programs read, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.weights import small_store
from vtbridge.cli.weights import app
from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Network

runner = CliRunner()


def failure(*arguments: str) -> WeightsError:
    """Run a command that has to fail and return its error."""
    error = runner.invoke(app, arguments).exception
    assert isinstance(error, WeightsError)
    return error


def test_list_as_json_is_json_alone(tmp_path: Path) -> None:
    small_store(tmp_path)
    result = runner.invoke(app, ["list", "--json", "--store", str(tmp_path)])
    listed = json.loads(result.stdout)
    rows = {row["name"]: row for row in listed["entries"]}
    assert listed["root"] == str(tmp_path)
    assert rows["small"]["state"] == "ready"
    assert rows["tha3-separable-float"]["state"] == "missing"
    assert rows["tha3-separable-float"]["license"] == "CC BY 4.0"


def test_list_names_author_licence_and_remedy(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    (store.directory("small") / Network.EDITOR.weight_file).unlink()
    shown = runner.invoke(app, ["list", "--store", str(tmp_path)]).output
    for words in ("tha3-standard-half", "Khungurn", "CC BY-NC 4.0", "import PATH --as small"):
        assert words in shown


def test_verify_reports_damage_and_fails_with_its_exit_code(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    path = store.directory("small") / Network.EDITOR.weight_file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = runner.invoke(app, ["verify", "--json", "--store", str(tmp_path)])
    assert isinstance(result.exception, WeightsError)
    assert result.exception.exit_code == 4
    assert str(path) in str(result.exception)
    assert "vtbridge weights import" in str(result.exception)
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert [file["path"] for file in told["files"] if not file["ok"]] == [str(path)]


def test_verify_misses_nothing_that_nobody_prepared(tmp_path: Path) -> None:
    small_store(tmp_path)
    result = runner.invoke(app, ["verify", "small", "--store", str(tmp_path)])
    assert result.exception is None
    assert "openvino" not in result.stdout


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_verify_finds_damage_in_what_was_prepared(tmp_path: Path, runtime: str) -> None:
    store = small_store(tmp_path)
    folder = store.directory("small") / runtime.removesuffix("runtime")
    folder.mkdir()
    (folder / "export.json").write_text("{")
    error = failure("verify", "small", "--store", str(tmp_path))
    assert f"vtbridge weights prepare small --for {runtime}" in str(error)


@pytest.mark.parametrize("name", ["tha3-separable-float", "unheard-of"])
def test_verify_of_nothing_is_a_failure(tmp_path: Path, name: str) -> None:
    assert "vtbridge weights" in str(failure("verify", name, "--store", str(tmp_path)))


def test_verify_of_an_empty_store_checks_what_comes_along(tmp_path: Path) -> None:
    result = runner.invoke(app, ["verify", "--json", "--store", str(tmp_path)])
    assert result.exception is None
    assert {file["name"] for file in json.loads(result.stdout)["files"]} == {"vtbridge-v1"}


def test_pull_refuses_unknown_names(tmp_path: Path) -> None:
    error = failure("pull", "unheard-of", "--store", str(tmp_path))
    assert "tha3-separable-float" in str(error)


def test_import_of_nothing_names_the_path(tmp_path: Path) -> None:
    error = failure("import", str(tmp_path / "gone.zip"), "--store", str(tmp_path))
    assert "gone.zip" in str(error)
