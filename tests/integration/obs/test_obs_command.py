"""``vtbridge obs`` against a real OBS, and the password in none of its outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.obs import ObsProcess

REPOSITORY = Path(__file__).parents[3]


def vtbridge_obs(
    home: Path, *arguments: str, password: str | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``vtbridge obs ARGUMENTS`` in a home of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PYTHONPATH": str(REPOSITORY),
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    if password is not None:
        environment["VTBRIDGE_OBS_PASSWORD"] = password
    return subprocess.run(
        [sys.executable, "-m", "vtbridge", "obs", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=home,
        check=False,
    )


def test_password_once_stored_opens_obs_and_is_never_shown(obs: ObsProcess, tmp_path: Path) -> None:
    port = ("--port", str(obs.port))
    runs = [vtbridge_obs(tmp_path, "status", *port)]
    assert runs[-1].returncode == 9
    assert "vtbridge obs password" in runs[-1].stderr
    runs.append(vtbridge_obs(tmp_path, "password", text=f"{obs.password}\n"))
    stored = tmp_path / ".config" / "vtbridge" / "obs-password"
    assert runs[-1].returncode == 0, runs[-1].stderr
    assert str(stored) in runs[-1].stdout
    scene = ("--scene", "command", "--source", "command avatar")
    for wanted_changes in (3, 0):
        runs.append(vtbridge_obs(tmp_path, "setup", *scene, *port, "--json"))
        assert runs[-1].returncode == 0, runs[-1].stderr
        report = json.loads(runs[-1].stdout)
        assert report["transport"] == "shared memory"
        assert len(report["changes"]) == wanted_changes
    runs.append(vtbridge_obs(tmp_path, "setup", *scene, *port, "--placement", "fit", "--show"))
    assert runs[-1].returncode == 0, runs[-1].stderr
    runs.append(vtbridge_obs(tmp_path, "status", *port, "--json"))
    assert runs[-1].returncode == 0, runs[-1].stderr
    status = json.loads(runs[-1].stdout)
    assert status["reachable"] is True
    assert status["auth_required"] is True
    assert status["script_loaded"] is True
    assert status["program_scene"] == "command"
    assert status["state"] == "ready"
    assert status["trouble"] == ""
    shown = {source["name"]: source for source in status["sources"]}["command avatar"]
    assert (shown["transport"], shown["shown"], shown["in_program"]) == (
        "shared memory",
        True,
        True,
    )
    runs.append(vtbridge_obs(tmp_path, "status", *port))
    assert "loaded    yes" in runs[-1].stdout
    assert "source    'command avatar': by shared memory, in the program" in runs[-1].stdout
    stored.chmod(0o644)
    runs.append(vtbridge_obs(tmp_path, "status", *port))
    assert runs[-1].returncode == 2
    assert "chmod 600" in runs[-1].stderr
    for run in runs:
        assert obs.password not in run.stdout + run.stderr
        assert "Traceback" not in run.stderr


def test_wrong_password_and_absent_obs_end_with_code_9(obs: ObsProcess, tmp_path: Path) -> None:
    canary = "canary-wrong-77"
    port = ("--port", str(obs.port))
    refused = vtbridge_obs(tmp_path, "setup", *port, password=canary)
    assert refused.returncode == 9
    assert "refused the password" in refused.stderr
    absent = vtbridge_obs(tmp_path, "status", "--port", "1", "--json", password=canary)
    assert absent.returncode == 9
    told = json.loads(absent.stdout)
    assert (told["reachable"], told["state"]) == (False, "unreachable")
    assert "start OBS" in told["trouble"]
    for run in (refused, absent):
        assert canary not in run.stdout + run.stderr


def test_install_needs_an_obs_and_writes_where_it_can_read(tmp_path: Path) -> None:
    nothing = vtbridge_obs(tmp_path, "install")
    assert nothing.returncode == 9
    assert "start it once" in nothing.stderr
    flatpak = tmp_path / ".var/app/com.obsproject.Studio/config/obs-studio"
    native = tmp_path / ".config/obs-studio"
    for folder in (flatpak, native):
        folder.mkdir(parents=True)
    done = vtbridge_obs(tmp_path, "install")
    assert done.returncode == 0, done.stderr
    for folder in (flatpak, native):
        assert (folder / "scripts" / "vtbridge.lua").is_file()
        assert str(folder / "scripts" / "vtbridge.lua") in done.stdout
    assert "--device=shm" in done.stdout
    assert "Tools > Scripts" in done.stdout


def test_plugin_is_built_for_the_obs_of_this_system_and_told_by_status(
    built_plugin: Path, tmp_path: Path
) -> None:
    """``built_plugin`` says whether it can be built here at all."""
    root = tmp_path / ".config/obs-studio"
    for folder in (root, tmp_path / ".var/app/com.obsproject.Studio/config/obs-studio"):
        folder.mkdir(parents=True)
    mixed = vtbridge_obs(tmp_path, "install", "--plugin", "--collection", "a")
    assert mixed.returncode == 2
    assert "--collection is for the script" in mixed.stderr
    library = root / "plugins/vtbridge/bin/64bit/vtbridge.so"
    for told in ("built", "up to date"):
        done = vtbridge_obs(tmp_path, "install", "--plugin")
        assert done.returncode == 0, done.stderr
        assert f"{told}: {library}" in done.stdout
        assert "not for the Flatpak OBS" in done.stdout
    data = [path.relative_to(built_plugin) for path in built_plugin.rglob("*")]
    assert data
    assert all((root / "plugins/vtbridge" / path).exists() for path in data)
    status = vtbridge_obs(tmp_path, "status", "--port", "1", "--json")
    assert json.loads(status.stdout)["plugins"] == [{"path": str(library), "current": True}]


def test_running_obs_keeps_its_scene_collection(obs: ObsProcess, tmp_path: Path) -> None:
    assert obs.running
    scenes = tmp_path / ".config/obs-studio/basic/scenes"
    scenes.mkdir(parents=True)
    scenes.joinpath("a.json").write_text('{"name": "a"}')
    refused = vtbridge_obs(tmp_path, "install", "--collection", "a")
    assert refused.returncode == 9
    assert "close OBS first" in refused.stderr
    assert scenes.joinpath("a.json").read_text() == '{"name": "a"}'


@pytest.mark.parametrize("command", ["install", "setup", "status", "password"])
def test_help_shows_an_example(tmp_path: Path, command: str) -> None:
    shown = vtbridge_obs(tmp_path, command, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Example: vtbridge obs" in shown.stdout
