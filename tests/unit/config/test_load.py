from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vtbridge.config.document import documented_defaults
from vtbridge.config.load import load_config, parse_config
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError
from vtbridge.tracking.formats import SOURCE_KINDS

SHIPPED = Path(__file__).parents[3].joinpath("config.toml").read_text(encoding="utf-8")


def test_shipped_file_holds_exactly_the_defaults() -> None:
    assert parse_config(SHIPPED, "config.toml") == Config()


def test_shipped_file_is_what_the_schema_says() -> None:
    assert documented_defaults() == SHIPPED, "run `make config`"


def test_shipped_file_names_every_setting() -> None:
    import tomllib

    def settings(table: dict[str, object], prefix: str = "") -> set[str]:
        names: set[str] = set()
        for key, value in table.items():
            if isinstance(value, dict):
                names |= settings(value, f"{prefix}{key}.")
            else:
                names.add(f"{prefix}{key}")
        return names

    # TOML has no null, so a setting whose default is "none" can only stand commented out.
    defaults = settings(Config().model_dump(mode="json", exclude_none=True))
    assert settings(tomllib.loads(SHIPPED)) == defaults


def test_every_setting_of_the_shipped_file_is_explained() -> None:
    lines = SHIPPED.splitlines()
    for above, line in pairwise(lines):
        if "=" in line and not line.lstrip().startswith("#"):
            assert above.lstrip().startswith("#"), f"no comment above {line!r}"


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[avatar]\nfps = 30\npicure = 'x'\n", 3, "avatar.picure"),
        ("[avatar]\n\nfps = 0\n", 3, "avatar.fps"),
        ("# a\n[avatr]\nfps = 30\n", 2, "avatr"),
        ("[control]\nhttp_port = 'web'\n", 2, "control.http_port"),
        ("[tracking.vmc]\nport = 99999\n", 2, "tracking.vmc.port"),
        ("# a\nretarget.mirro = true\n", 2, "retarget.mirro"),
        ("avatar.fps = 30\n\n[tracking]\nvmc . port = 99999\n", 4, "tracking.vmc.port"),
    ],
)
def test_mistake_is_told_with_file_line_and_key(text: str, line: int, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"stream\.toml:{line}: {key}: "):
        parse_config(text, "stream.toml")


def test_broken_toml_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"stream\.toml: .*line 2"):
        parse_config("[avatar]\nfps = = 3\n", "stream.toml")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config("[avatar]\nfps = -1\nnme = 'x'\n", "stream.toml")
    assert str(caught.value).count("stream.toml:") == 2


def test_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        load_config(tmp_path / "absent.toml")


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[avatar]\nname = '\xff'\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(path)


@pytest.mark.parametrize("named", ["me.png", "./me.png", "pictures/me.png"])
def test_picture_beside_the_file_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    folder, elsewhere = tmp_path / "stream", tmp_path / "elsewhere"
    (folder / "pictures").mkdir(parents=True)
    elsewhere.mkdir()
    folder.joinpath(named).write_bytes(b"")
    path = folder / "config.toml"
    path.write_text(f"[avatar]\npicture = {named!r}\nfps = 12\n")
    monkeypatch.chdir(elsewhere)
    avatar = load_config(path).avatar
    assert Path(avatar.picture) == folder / named
    assert avatar.fps == 12
    monkeypatch.chdir(folder)
    assert Path(load_config(Path("config.toml")).avatar.picture).is_file()


@pytest.mark.parametrize(
    ("table", "named"),
    [("webcam", "me.mp4"), ("webcam", "clips/me"), ("microphone", "voice.wav")],
)
def test_device_that_is_a_file_beside_the_config_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, named: str
) -> None:
    folder, elsewhere = tmp_path / "stream", tmp_path / "elsewhere"
    (folder / "clips").mkdir(parents=True)
    elsewhere.mkdir()
    folder.joinpath(named).write_bytes(b"")
    path = folder / "config.toml"
    path.write_text(f"[tracking.{table}]\ndevice = {named!r}\nenabled = true\n")
    monkeypatch.chdir(elsewhere)
    settings = getattr(load_config(path).tracking, table)
    assert Path(settings.device) == folder / named
    assert settings.enabled


@pytest.mark.parametrize(
    ("table", "key"),
    [("avatar", "picture"), ("tracking.webcam", "device"), ("tracking.microphone", "device")],
)
def test_path_from_the_home_folder_is_whole_even_if_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, key: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    path = tmp_path / "config.toml"
    path.write_text(f'[{table}]\n{key} = "~/clips/me.wav"\n')
    found: Any = load_config(path)
    for name in table.split("."):
        found = getattr(found, name)
    assert Path(getattr(found, key)) == tmp_path / "me" / "clips" / "me.wav"


@pytest.mark.parametrize("device", ["~me.wav", "~nobody-is-called-so/me.wav"])
def test_tilde_that_means_nobody_is_part_of_the_name(tmp_path: Path, device: str) -> None:
    beside = tmp_path / device
    beside.parent.mkdir(exist_ok=True)
    beside.touch()
    path = tmp_path / "config.toml"
    path.write_text(f'[tracking.microphone]\ndevice = "{device}"\n')
    assert load_config(path).tracking.microphone.device == str(beside)


@pytest.mark.parametrize("device", ["0", "2", '"0"', '"USB Audio 2.0"', '""', '"absent.wav"'])
def test_device_that_is_no_file_stays_as_it_was_written(tmp_path: Path, device: str) -> None:
    tmp_path.joinpath("0").write_bytes(b"no sound")
    path = tmp_path / "config.toml"
    path.write_text(f"[tracking.microphone]\ndevice = {device}\n")
    assert load_config(path).tracking.microphone.device == json.loads(device)


def test_shipped_file_names_every_tracker_where_trackers_are_ranked() -> None:
    table = SHIPPED[: SHIPPED.index("[tracking.fusion]")].rpartition("\n\n")[2]
    assert set(SOURCE_KINDS) <= set(re.findall(r"\w+", table))


def test_every_example_of_the_shipped_file_holds_if_it_is_switched_on() -> None:
    lines = SHIPPED.splitlines()
    examples = [place for place, line in enumerate(lines) if re.match(r"# \w+ = ", line)]
    assert [lines[place] for place in examples].count('# head = ["livelink", "webcam"]') == 1
    for place in examples:
        name = lines[place].split()[1]
        rest = lines[:place] + lines[place + 1 :]
        if lines[place + 1].startswith(f"{name} = "):
            rest[place] = lines[place].removeprefix("# ")
        else:
            rest.insert(place, lines[place].removeprefix("# "))
        above = place - 1
        while re.match(r"# \w+ = ", lines[above]):
            above -= 1
        rest[above] = re.sub(r"^# (?=\[[\w.]+\]$)", "", rest[above])
        assert parse_config("\n".join(rest), "config.toml") != Config()


def test_characters_to_switch_to_are_found_beside_the_file(tmp_path: Path) -> None:
    tmp_path.joinpath("mine.png").write_bytes(b"")
    path = tmp_path / "config.toml"
    path.write_text('[avatar]\ncharacters = ["mine.png", "momo", "absent.png"]\n')
    beside = str(tmp_path / "mine.png")
    assert load_config(path).avatar.characters == (beside, "momo", "absent.png")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('key = "q"', "avatar.triggers.momo.key: 'q' is typed all the time"),
        ('midi = "note:200"', "avatar.triggers.momo.midi: the number behind note:"),
        ('obs = ["scene"]', "avatar.triggers.momo.obs: scene of what"),
    ],
)
def test_what_shows_a_character_is_checked_as_for_expressions(line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"stream\.toml:2: {re.escape(told)}"):
        parse_config(f"[avatar.triggers.momo]\n{line}\n", "stream.toml")


@pytest.mark.parametrize("named", ["michi", "absent.png", "folder.png", "x" * 5000 + ".png"])
def test_picture_that_is_not_beside_the_file_stays_as_it_was_written(
    tmp_path: Path, named: str
) -> None:
    tmp_path.joinpath("michi").write_bytes(b"no picture")
    tmp_path.joinpath("folder.png").mkdir()
    path = tmp_path / "config.toml"
    path.write_text(f"[avatar]\npicture = {named!r}\n")
    assert load_config(path).avatar.picture == named
