"""``vtbridge config``: a file that can be edited, or a sentence why there is none."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from vtbridge.cli.config import app
from vtbridge.config.load import load_config
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError

runner = CliRunner()


def failure(*arguments: str) -> str:
    """Run a command that has to fail and return its sentence."""
    error = runner.invoke(app, arguments).exception
    assert isinstance(error, ConfigError)
    return str(error)


def test_init_writes_the_defaults_and_the_folders_above(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "config.toml"
    assert runner.invoke(app, ["init", str(path)]).exit_code == 0
    assert load_config(path) == Config()


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    assert "exists already" in failure("init", str(path))
    assert path.read_text() == "mine"


def test_init_where_nothing_can_be_written_names_the_place(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file / "config.toml", file / "below" / "config.toml"):
        sentence = failure("init", str(path))
        assert str(path.parent) in sentence
        assert "name another path" in sentence
    sentence = failure("init", str(tmp_path / ("x" * 300)))
    assert "name another path" in sentence
