"""The script inside OBS: where OBS keeps its files, copying it there, adding it to a collection."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from vtbridge.errors import ObsError
from vtbridge.resources import shipped_file

SCRIPT_NAME = "vtbridge.lua"
BACKUP_SUFFIX = ".before-vtbridge"
"""Not ``.bak``, which is OBS's own, and not ``.json``, which OBS would list."""

FLATPAK_SHM_COMMAND = "flatpak override --user --device=shm com.obsproject.Studio"

_OBS_PROCESSES = frozenset({"obs", "obs64", "obs64.exe", "obs-studio"})
_MAX_COLLECTION_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class ObsRoot:
    """One installation's own folder.

    Attributes:
        path: such as ``~/.config/obs-studio``.
        packaging: ``native``, ``Flatpak`` or ``Snap``.
    """

    path: Path
    packaging: str

    @property
    def script(self) -> Path:
        """Where the script goes: below the root, which each packaging can read."""
        return self.path / "scripts" / SCRIPT_NAME


def find_obs_roots(
    *, home: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[ObsRoot, ...]:
    """Return the folders of every OBS that this user has started at least once.

    Args:
        home: the user's home folder, this user's by default.
        environment: for ``XDG_CONFIG_HOME``; this process's by default.
    """
    house = home or Path.home()
    variables = os.environ if environment is None else environment
    native = Path(variables.get("XDG_CONFIG_HOME") or house / ".config")
    candidates = (
        ObsRoot(native / "obs-studio", "native"),
        ObsRoot(house / ".var/app/com.obsproject.Studio/config/obs-studio", "Flatpak"),
        ObsRoot(house / "snap/obs-studio/current/.config/obs-studio", "Snap"),
    )
    return tuple(root for root in candidates if root.path.is_dir())


def script_text() -> str:
    """Return the script that belongs to this vtbridge."""
    return shipped_file(f"integrations/obs-script/{SCRIPT_NAME}").read_text(encoding="utf-8")


def script_is_current(root: ObsRoot) -> bool | None:
    """Return whether the installed script is this version's, None if there is none."""
    try:
        return root.script.read_text(encoding="utf-8") == script_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return False


def require_script_support() -> None:
    """Return if OBS could run the script on this system.

    Raises:
        ObsError: it could not; the message names what works instead.
    """
    if sys.platform != "linux":
        raise ObsError(
            "the script, a source by shared memory, needs Linux; here OBS shows the avatar by a "
            "Media Source, which needs no script: run `vtbridge obs setup` while OBS runs"
        )


def install_script(root: ObsRoot) -> bool:
    """Copy the script below ``root`` and return whether that changed anything.

    Raises:
        ObsError: this system cannot run it, or it cannot be written.
    """
    require_script_support()
    if script_is_current(root):
        return False
    try:
        root.script.parent.mkdir(exist_ok=True)
        _replace(root.script, script_text())
    except OSError as error:
        raise ObsError(f"{root.script}: {error.strerror}; the script was not installed") from error
    return True


def find_installations() -> tuple[str, ...]:
    """Return one sentence for each OBS of this user: where its script lies and how it stands."""
    states = {
        None: "not installed; run `vtbridge obs install` (the plugin does not need it)",
        False: "of another version; run `vtbridge obs install`",
        True: "up to date",
    }
    return tuple(
        f"{root.script} ({root.packaging} OBS): {states[script_is_current(root)]}"
        for root in find_obs_roots()
    )


def obs_is_running() -> bool:
    """Return True if an OBS runs on this computer."""
    return any(process.info["name"] in _OBS_PROCESSES for process in psutil.process_iter(["name"]))


def find_collections(root: ObsRoot) -> dict[str, Path]:
    """Return the scene collections by the names that OBS shows."""
    found = {}
    for path in sorted((root.path / "basic" / "scenes").glob("*.json")):
        content = _read_collection(path)
        if content is not None:
            found[str(content.get("name") or path.stem)] = path
    return found


def add_to_collection(
    root: ObsRoot, collection: str, *, running: Callable[[], bool] = obs_is_running
) -> bool:
    """Add the installed script to a scene collection and return whether that changed it.

    The file as it was stays beside it, with ``BACKUP_SUFFIX``.

    Args:
        root: whose collection.
        collection: name as OBS shows it.
        running: tells whether OBS runs.

    Raises:
        ObsError: OBS runs (it would overwrite the file on exit), there is no such
            collection, or it cannot be written.
    """
    if running():
        raise ObsError(
            "OBS is running and would overwrite the change when it quits; close OBS first, or add "
            f"{root.script} in OBS under Tools > Scripts > +"
        )
    collections = find_collections(root)
    path = collections.get(collection)
    if path is None:
        known = ", ".join(f"'{name}'" for name in collections) or "none"
        raise ObsError(f"{root.path} has no scene collection '{collection}'; it has: {known}")
    content = _read_collection(path)
    if content is None:
        raise ObsError(
            f"{path} is no scene collection; add the script in OBS under Tools > Scripts"
        )
    if not _list_script(content, str(root.script)):
        return False
    try:
        shutil.copy2(path, path.with_name(path.name + BACKUP_SUFFIX))
        _replace(path, json.dumps(content, ensure_ascii=False, indent=4))
    except OSError as error:
        raise ObsError(f"{path}: {error.strerror}; the collection was not changed") from error
    return True


def _list_script(content: dict[str, Any], script: str) -> bool:
    """Put ``script`` into the collection's list; an older place of it is corrected."""
    modules = content.setdefault("modules", {})
    scripts = modules.setdefault("scripts-tool", []) if isinstance(modules, dict) else None
    if not isinstance(scripts, list):
        raise ObsError("the scene collection's list of scripts is damaged; add the script in OBS")
    ours = [
        entry
        for entry in scripts
        if isinstance(entry, dict) and Path(str(entry.get("path", ""))).name == SCRIPT_NAME
    ]
    if not ours:
        scripts.append({"path": script, "settings": {}})
        return True
    if ours[0].get("path") == script:
        return False
    ours[0]["path"] = script
    return True


def _read_collection(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _MAX_COLLECTION_BYTES:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _replace(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` holds either the old or the new content, never half."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
