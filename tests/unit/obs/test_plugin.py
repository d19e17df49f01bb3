"""The plugin in OBS's folders: built, replaced when outdated, and what is missing is named."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from vtbridge.errors import ObsError
from vtbridge.obs import plugin
from vtbridge.obs.install import ObsRoot
from vtbridge.obs.plugin import (
    TOOLS_COMMAND,
    build_plugin,
    install_plugin,
    plugin_folder,
    plugin_is_current,
    plugin_library,
    sources_digest,
)
from vtbridge.resources import shipped_file

REPOSITORY = Path(__file__).parents[3]
PLUGIN = REPOSITORY / "integrations" / "obs-plugin"
SCRIPT = REPOSITORY / "integrations" / "obs-script" / "vtbridge.lua"
LOCALES = PLUGIN / "data" / "locale"


@pytest.fixture
def root(tmp_path: Path) -> ObsRoot:
    path = tmp_path / "obs-studio"
    path.mkdir()
    return ObsRoot(path, "native")


def ended(code: int, output: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, output, "")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a build write a file of its number; return what was built."""
    done: list[str] = []

    def build(folder: Path) -> None:
        done.append(f"build {len(done)}")
        for name in ("bin/64bit/vtbridge.so", "data/locale/en-US.ini"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(done[-1])
        folder.joinpath("data/sources.sha256").write_text(sources_digest())

    monkeypatch.setattr(plugin, "build_plugin", build)
    return done


def test_plugin_is_built_once_and_again_when_its_sources_are_others(
    root: ObsRoot, builds: list[str]
) -> None:
    assert plugin_is_current(root) is None
    assert install_plugin(root) is True
    assert plugin_is_current(root) is True
    assert install_plugin(root) is False
    loaded = plugin_library(root).open()  # as an OBS that runs has it
    plugin_folder(root).joinpath("data/sources.sha256").write_text("older")
    assert plugin_is_current(root) is False
    assert install_plugin(root) is True
    with loaded:
        assert loaded.read() == "build 0", "what OBS has loaded is never written over"
    assert plugin_library(root).read_text() == "build 1"
    assert builds == ["build 0", "build 1"]
    left = {path.name for path in plugin_folder(root).rglob("*") if path.is_file()}
    assert left == {"vtbridge.so", "en-US.ini", "sources.sha256"}


@pytest.mark.parametrize("packaging", ["Flatpak", "Snap"])
def test_packaged_obs_is_sent_to_the_script(
    tmp_path: Path, packaging: str, builds: list[str]
) -> None:
    with pytest.raises(ObsError, match="obs install --script"):
        install_plugin(ObsRoot(tmp_path, packaging))
    assert builds == []


def test_folder_that_cannot_be_written_is_told(root: ObsRoot, builds: list[str]) -> None:
    root.path.joinpath("plugins").write_text("a file where the folder should be")
    with pytest.raises(ObsError, match=r"plugins/vtbridge: .*not installed"):
        install_plugin(root)


@pytest.mark.parametrize("missing", ["cmake", "make", "cc"])
def test_missing_tool_is_named_with_what_to_install(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"cmake": ["cmake"], "make": ["make", "ninja"], "cc": ["cc", "gcc", "clang"]}[missing]
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(
        shutil, "which", lambda name: None if name in absent else f"/usr/bin/{name}"
    )
    wanted = "a C compiler" if missing == "cc" else missing
    with pytest.raises(ObsError, match=wanted) as refused:
        build_plugin(tmp_path, run=lambda command: ended(0))
    assert TOOLS_COMMAND in str(refused.value)
    assert "--script" in str(refused.value)


@pytest.mark.parametrize(("step", "told"), [(0, "headers"), (1, "compiled"), (2, "copied")])
def test_step_that_fails_is_told_with_its_last_words(
    tmp_path: Path, step: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return ended(int(len(commands) == step + 1), "first\n" * 99 + "Could not find libobs")

    with pytest.raises(ObsError, match=told) as refused:
        build_plugin(tmp_path, run=run)
    assert len(commands) == step + 1
    assert "Could not find libobs" in str(refused.value)
    assert str(refused.value).count("first") < 20


def test_every_source_of_the_plugin_is_shipped() -> None:
    listed = re.findall(r'"(integrations/obs-plugin/[^"]+)"', (REPOSITORY / "setup.py").read_text())
    there = {
        str(path.relative_to(REPOSITORY))
        for path in PLUGIN.rglob("*")
        if path.is_file() and "build" not in path.relative_to(PLUGIN).parts
    }
    assert set(listed) == there
    built = set(re.findall(r"src/\w+\.c", (PLUGIN / "CMakeLists.txt").read_text()))
    assert built == {f"src/{path.name}" for path in (PLUGIN / "src").glob("*.c")}


def keys_of(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = [re.fullmatch(r'([\w.]+)="(.*)"', line) for line in lines if line]
    assert all(entries), path
    return {entry[1]: entry[2] for entry in entries if entry}


@pytest.mark.parametrize("locale", ["en-US", "zh-CN", "ja-JP"])
def test_locale_says_everything_that_the_plugin_asks_for(locale: str) -> None:
    texts = keys_of(LOCALES / f"{locale}.ini")
    english = keys_of(LOCALES / "en-US.ini")
    source = "".join(path.read_text() for path in (PLUGIN / "src").glob("*.c"))
    asked = set(re.findall(r'obs_module_text\("([^"]+)"\)', source))
    asked |= set(re.findall(r'"((?:State|Health|Look|Away)\.\w+)"', source))
    assert set(texts) == asked
    for key, text in texts.items():
        assert text.count("%1") == english[key].count("%1")
        assert text.count("%2") == english[key].count("%2")
        assert text


def test_hotkeys_are_by_default_those_of_the_built_in_expressions() -> None:
    path = shipped_file("vtbridge/expressions/builtin.toml")
    builtin = list(tomllib.loads(path.read_text(encoding="utf-8"))["expressions"])
    c = (PLUGIN / "src" / "avatar_hotkeys.c").read_text()
    lua = SCRIPT.read_text(encoding="utf-8")
    for text, begin in ((c, "DEFAULT_EXPRESSIONS[] = {"), (lua, "DEFAULT_EXPRESSIONS = {")):
        names = text.split(begin, 1)[1].split("}", 1)[0]
        assert re.findall(r'"(\w+)"', names) == builtin
