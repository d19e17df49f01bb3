"""Changed settings hold at once, are kept in the file, and nothing is lost when that fails."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from vtbridge.app.live_settings import LiveSettings
from vtbridge.config.load import load_config
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError

OWN = "# mine\n[idle]\nsway = 0.2 # calm\n"


class Kept:
    """Settings in a file, and what was made of them."""

    def __init__(self, folder: Path, text: str | None = OWN, *, save_after_s: float = 60.0) -> None:
        self.file = folder / "deep" / "config.toml"
        if text is not None:
            self.file.parent.mkdir()
            self.file.write_text(text)
        self.used: list[Config] = []
        self.written = threading.Event()
        config = load_config(self.file) if text is not None else Config()
        self.live = LiveSettings(config, self.file, self.used.append, save_after_s=save_after_s)


def test_change_holds_at_once_and_is_saved_with_comments(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.live.change({"idle": {"sway": 0.4}, "retarget": {"smoothing": {"eyes": {"beta": 9}}}})
    assert (kept.used[-1].idle.sway, kept.used[-1].retarget.smoothing.eyes.beta) == (0.4, 9)
    assert kept.file.read_text() == OWN
    kept.live.save()
    assert kept.file.read_text().startswith("# mine\n[idle]\nsway = 0.4 # calm\n")
    assert load_config(kept.file) == kept.used[-1]


def test_default_comes_back_and_leaves_the_file(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.live.change({"idle": {"sway": None}})
    assert kept.used[-1] == Config()
    kept.live.save()
    assert "sway" not in kept.file.read_text()


def test_file_is_made_where_there_was_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path, None)
    kept.live.change({"idle": {"smile": 0.6}})
    kept.live.save()
    assert load_config(kept.file).idle.smile == 0.6


def test_changes_are_saved_by_themselves(tmp_path: Path) -> None:
    kept = Kept(tmp_path, save_after_s=0.01)
    kept.live.change({"idle": {"sway": 0.7}})
    for _ in range(500):
        if "0.7" in kept.file.read_text():
            break
        kept.written.wait(0.01)
    assert "sway = 0.7 # calm" in kept.file.read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"idle": {"sway": 2}},
        {"idle": {"nose": 1}},
        {"idle": {"sway": {"deep": 1}}},
        {"retarget": {"sensitivity": {"head": {"dead_zone": 0.5, "full_at": 0.4}}}},
        {"idle": {"blink_every_min_s": 9.0, "sway": 0.9}},
    ],
)
def test_change_that_does_not_fit_changes_nothing(
    tmp_path: Path, change: dict[str, object]
) -> None:
    kept = Kept(tmp_path)
    with pytest.raises(ConfigError):
        kept.live.change(change)
    kept.live.save()
    assert kept.used == []
    assert kept.file.read_text() == OWN


def test_what_was_edited_meanwhile_stays(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.live.change({"idle": {"sway": 0.4}})
    kept.file.write_text("[idle]\nsmile = 0.9 # happier\n")
    kept.live.save()
    config = load_config(kept.file)
    assert (config.idle.smile, config.idle.sway) == (0.9, 0.4)


def test_what_was_saved_is_not_saved_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.live.change({"idle": {"sway": 0.4}})
    kept.live.save()
    kept.file.write_text("[idle]\nsway = 0.1 # by hand, after that\n")
    kept.live.change({"idle": {"smile": 0.9}})
    kept.live.save()
    config = load_config(kept.file)
    assert (config.idle.smile, config.idle.sway) == (0.9, 0.1)


def test_file_that_is_broken_is_left_alone_and_told_until_it_is_whole(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.live.change({"idle": {"sway": 0.4}})
    kept.file.write_text("[idle\n")
    kept.live.save()
    assert "config.toml" in kept.live.trouble
    assert kept.file.read_text() == "[idle\n"
    kept.file.write_text("")
    kept.live.save()
    assert kept.live.trouble == ""
    assert load_config(kept.file).idle.sway == 0.4


def test_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    link = tmp_path / "link.toml"
    link.symlink_to(kept.file)
    live = LiveSettings(load_config(link), link, kept.used.append, save_after_s=60)
    live.change({"idle": {"sway": 0.4}})
    live.save()
    assert link.is_symlink()
    assert load_config(kept.file).idle.sway == 0.4
