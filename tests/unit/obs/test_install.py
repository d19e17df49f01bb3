"""The script in OBS's folders: found, written, added to a collection, nothing else touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vtbridge.errors import ObsError
from vtbridge.obs.install import (
    BACKUP_SUFFIX,
    ObsRoot,
    add_to_collection,
    find_collections,
    find_obs_roots,
    install_script,
    script_is_current,
    script_text,
)


@pytest.fixture
def root(tmp_path: Path) -> ObsRoot:
    path = tmp_path / "obs-studio"
    (path / "basic" / "scenes").mkdir(parents=True)
    return ObsRoot(path, "native")


def write_collection(root: ObsRoot, file: str, content: object) -> Path:
    path = root.path / "basic" / "scenes" / file
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def add(root: ObsRoot, name: str) -> bool:
    return add_to_collection(root, name, running=lambda: False)


def test_native_and_flatpak_roots_are_found(tmp_path: Path) -> None:
    native = tmp_path / "conf" / "obs-studio"
    flatpak = tmp_path / ".var/app/com.obsproject.Studio/config/obs-studio"
    for folder in (native, flatpak):
        folder.mkdir(parents=True)
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "conf")}
    roots = find_obs_roots(home=tmp_path, environment=environment)
    assert roots == (ObsRoot(native, "native"), ObsRoot(flatpak, "Flatpak"))
    assert find_obs_roots(home=tmp_path, environment={}) == (ObsRoot(flatpak, "Flatpak"),)


def test_script_is_written_once_and_replaced_when_outdated(root: ObsRoot) -> None:
    assert script_is_current(root) is None
    assert install_script(root) is True
    assert script_is_current(root) is True
    assert install_script(root) is False
    root.script.write_text("-- older")
    assert script_is_current(root) is False
    assert install_script(root) is True
    assert root.script.read_text(encoding="utf-8") == script_text()
    assert root.script.stat().st_mode & 0o777 == 0o644


def test_script_that_cannot_be_written_is_told(root: ObsRoot) -> None:
    root.path.joinpath("scripts").write_text("a file where the folder should be")
    with pytest.raises(ObsError, match=r"scripts/vtbridge\.lua"):
        install_script(root)


def test_collection_gets_the_script_and_keeps_all_else(root: ObsRoot) -> None:
    content: dict[str, Any] = {
        "name": "Spiel é",
        "sources": [{"id": "scene", "name": "日本"}],
        "modules": {"other": 1, "scripts-tool": [{"path": "/x/other.lua", "settings": {"a": 1}}]},
    }
    path = write_collection(root, "Spiel.json", content)
    path.chmod(0o600)
    before = path.read_bytes()
    assert add(root, "Spiel é") is True
    after = json.loads(path.read_text(encoding="utf-8"))
    content["modules"]["scripts-tool"].append({"path": str(root.script), "settings": {}})
    assert after == content
    assert path.with_name("Spiel.json" + BACKUP_SUFFIX).read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert add(root, "Spiel é") is False


def test_script_listed_at_an_older_place_is_moved_with_its_settings(root: ObsRoot) -> None:
    entry = {"path": "/old/vtbridge.lua", "settings": {"kept": True}}
    path = write_collection(root, "a.json", {"name": "a", "modules": {"scripts-tool": [entry]}})
    assert add(root, "a") is True
    scripts = json.loads(path.read_text())["modules"]["scripts-tool"]
    assert scripts == [{"path": str(root.script), "settings": {"kept": True}}]


def test_running_obs_is_refused_and_nothing_changes(root: ObsRoot) -> None:
    path = write_collection(root, "a.json", {"name": "a"})
    before = path.read_bytes()
    with pytest.raises(ObsError, match="close OBS first"):
        add_to_collection(root, "a", running=lambda: True)
    assert path.read_bytes() == before
    assert [child.name for child in path.parent.iterdir()] == ["a.json"]


def test_unknown_collection_names_those_that_exist(root: ObsRoot) -> None:
    write_collection(root, "a.json", {"name": "Stream"})
    write_collection(root, "broken.json", [1, 2])
    root.path.joinpath("basic/scenes/worse.json").write_text("{")
    assert list(find_collections(root)) == ["Stream"]
    with pytest.raises(ObsError, match=r"no scene collection 'Nope'; it has: 'Stream'"):
        add(root, "Nope")


@pytest.mark.parametrize("modules", [7, [], {"scripts-tool": {}}, {"scripts-tool": "x"}])
def test_damaged_collection_is_left_alone(root: ObsRoot, modules: object) -> None:
    path = write_collection(root, "a.json", {"name": "a", "modules": modules})
    before = path.read_bytes()
    with pytest.raises(ObsError, match="damaged"):
        add(root, "a")
    assert path.read_bytes() == before
