"""The commands on the real weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vtbridge.cli.weights import app
from vtbridge.errors import WeightsError
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore

runner = CliRunner()


def test_first_pull_tells_whose_work_it_is(tmp_path: Path) -> None:
    arguments = ["pull", "--store", str(tmp_path)]
    first = runner.invoke(app, arguments, env={"COLUMNS": "400"})
    assert first.exception is None
    assert "Network weights of Talking Head Anime 3 by Pramook Khungurn" in first.stderr
    assert "CC BY 4.0" in first.stderr
    assert "Lambda drawn by garun" in first.stderr
    assert "CC BY-NC 4.0" in first.stderr
    second = runner.invoke(app, arguments, env={"COLUMNS": "400"})
    assert second.exception is None
    assert "nothing to do" in second.stdout
    assert "Khungurn" not in second.stderr
    store = WeightStore(tmp_path)
    assert not any(check.problem for check in store.verify(DEFAULT_WEIGHTS))
    # A pull is over when the weights are there: one runtime reads them as they are.
    assert not (store.directory(DEFAULT_WEIGHTS) / "openvino").exists()


def test_verify_of_the_real_store_passes_and_finds_a_flipped_bit(
    weight_store: WeightStore, tmp_path: Path
) -> None:
    shutil.copytree(weight_store.directory(DEFAULT_WEIGHTS), tmp_path / DEFAULT_WEIGHTS)
    arguments = ["verify", "--json", "--store", str(tmp_path)]
    whole = runner.invoke(app, arguments)
    assert whole.exception is None
    told = json.loads(whole.stdout)
    assert told["ok"] is True
    assert len(told["files"]) > 5
    for name, remedy in (
        ("openvino/face.bin", f"vtbridge weights prepare {DEFAULT_WEIGHTS} --for openvino"),
        ("face_morpher.safetensors", f"vtbridge weights pull {DEFAULT_WEIGHTS}"),
    ):
        path = tmp_path / DEFAULT_WEIGHTS / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        result = runner.invoke(app, arguments)
        assert isinstance(result.exception, WeightsError)
        assert result.exception.exit_code == 4
        assert str(path) in str(result.exception)
        assert remedy in str(result.exception)


@pytest.mark.parametrize("command", ["pull", "list", "verify", "import"])
def test_every_command_has_help_with_examples(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"vtbridge weights {command}" in result.output
