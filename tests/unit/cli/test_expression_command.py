from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vtbridge.cli.commands import app
from vtbridge.cli.expression import blocks_of
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.expressions.library import builtin_text

CAT = "# my cat\n[expressions.cat]\nvalues = { mouth_uuu = 1 }\n\n# another\n"
BOW = (
    "[expressions.bow]\nmode = 'one_shot'\n"
    "[[expressions.bow.keyframes]]\nat_s = 1\nvalues = { head_x = -1 }\n"
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["expression", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_names_the_built_in_set_and_the_characters_own(tmp_path: Path) -> None:
    assert "wink_left" in run("list")
    tmp_path.joinpath("me.png").touch()
    tmp_path.joinpath("expressions.toml").write_text(CAT)
    told = run("list", "--picture", str(tmp_path / "me.png"))
    assert "cat" in told
    assert "wink_left" in told


def test_show_prints_a_file_to_begin_with_and_single_blocks(tmp_path: Path) -> None:
    whole = run("show")
    assert whole == builtin_text()
    own = tmp_path / "own.toml"
    own.write_text(whole)
    assert "no mistakes; 16 expressions" in run("check", str(own))
    assert run("show", "nod") in whole
    with pytest.raises(ConfigError, match="did you mean smile"):
        run("show", "smiel")


def test_blocks_keep_their_keyframes_and_leave_the_next_ones_comment() -> None:
    assert blocks_of(CAT + BOW) == {
        "cat": "[expressions.cat]\nvalues = { mouth_uuu = 1 }",
        "bow": BOW.rstrip(),
    }


def test_check_names_the_line(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(CAT + "fade_in_s = 99\n")
    with pytest.raises(ConfigError, match=r"own\.toml:6: expressions\.cat\.fade_in_s: expected at"):
        run("check", str(own))
    assert "the built-in set holds" in run("check")


def test_layout_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    assert "16 buttons" in run("layout", str(tmp_path / "my.tosc"))
    assert tmp_path.joinpath("my.tosc").read_bytes()[:1] == b"\x78"
    tmp_path.joinpath("file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        run("layout", str(tmp_path / "file" / "my.tosc"))


def test_trigger_without_an_avatar_says_how_to_start_one() -> None:
    with pytest.raises(VtbridgeError, match="no avatar 'nobody' runs here"):
        run("trigger", "smile", "-n", "nobody")
