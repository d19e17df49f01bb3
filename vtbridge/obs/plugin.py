"""The native plugin: built here from the shipped sources, put where OBS looks for a user's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from vtbridge.errors import ObsError
from vtbridge.obs.install import ObsRoot, find_obs_roots
from vtbridge.resources import shipped_file

PLUGIN_NAME = "vtbridge"
BUILD_TIMEOUT_S = 300.0
TOOLS_COMMAND = "sudo apt-get install cmake make gcc libobs-dev"
"""What Debian and Ubuntu need; other distributions have the same under similar names."""

_SOURCES = "integrations/obs-plugin/CMakeLists.txt"
_HEADER = "integrations/include/vtbf.h"
_DIGEST_NAME = "sources.sha256"
_COMPILERS = ("cc", "gcc", "clang")
_LOG_LINES = 12

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def plugin_folder(root: ObsRoot) -> Path:
    """Return the folder in which the OBS of ``root`` looks for this plugin."""
    return root.path / "plugins" / PLUGIN_NAME


def plugin_library(root: ObsRoot) -> Path:
    """Return where the built plugin lies."""
    return plugin_folder(root) / "bin" / "64bit" / f"{PLUGIN_NAME}.so"


def plugin_is_current(root: ObsRoot) -> bool | None:
    """Return whether the installed plugin was built from these sources, None if there is none."""
    if not plugin_library(root).is_file():
        return None
    try:
        digest = plugin_folder(root).joinpath("data", _DIGEST_NAME).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    return digest.strip() == sources_digest()


def find_plugins() -> tuple[str, ...]:
    """Return one sentence for each OBS of this user that has the plugin."""
    states = {False: "of another version; run `vtbridge obs install --plugin`", True: "up to date"}
    return tuple(
        f"{plugin_library(root)}: {states[current]}"
        for root in find_obs_roots()
        for current in [plugin_is_current(root)]
        if current is not None
    )


def sources_digest() -> str:
    """Return a checksum of everything that the plugin is built from."""
    digest = hashlib.sha256()
    folder = _source_folder()
    files = [*folder.glob("src/*.[ch]"), *folder.glob("data/**/*.*"), folder / "CMakeLists.txt"]
    for path in (*sorted(files), shipped_file(_HEADER)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build_plugin(folder: Path, *, run: Run | None = None) -> None:
    """Build the plugin and leave in ``folder`` what belongs into OBS's folder for it.

    Args:
        folder: exists and is empty.
        run: runs a program and returns how it ended; for tests.

    Raises:
        ObsError: a tool or OBS's headers are missing, or do not work; the message says what to
            install.
    """
    start = run or _run
    _require_tools()
    with tempfile.TemporaryDirectory(prefix="vtbridge-plugin-") as build:
        configure = ["cmake", "-S", str(_source_folder()), "-B", build]
        configure.append("-DCMAKE_BUILD_TYPE=Release")
        if shutil.which("make") is None:
            configure += ["-G", "Ninja"]
        _succeed(start(configure), "OBS's headers were not found, or CMake failed")
        _succeed(start(["cmake", "--build", build]), "the plugin could not be compiled")
        install = ["cmake", "--install", build, "--prefix", str(folder)]
        _succeed(start(install), "the built plugin could not be copied")
    folder.joinpath("data", _DIGEST_NAME).write_text(sources_digest() + "\n", encoding="ascii")


def install_plugin(root: ObsRoot) -> bool:
    """Build the plugin, put it below ``root``, and return whether that changed anything.

    An OBS that runs keeps the one it has loaded until it is started again.

    Raises:
        ObsError: it cannot be built or written here, or this OBS could not load it.
    """
    if sys.platform != "linux":
        raise ObsError(
            f"the plugin is built by this command on Linux only, not on {sys.platform}; "
            "integrations/obs-plugin/README.md tells how to build it by hand"
        )
    if root.packaging != "native":
        raise ObsError(
            f"OBS as a {root.packaging} brings libraries of its own, for which nothing can be "
            "built here; use the script: vtbridge obs install --script"
        )
    if plugin_is_current(root):
        return False
    with tempfile.TemporaryDirectory(prefix="vtbridge-plugin-") as built:
        build_plugin(Path(built))
        target = plugin_folder(root)
        try:
            _copy_over(Path(built), target)
        except OSError as error:
            raise ObsError(f"{target}: {error.strerror}; the plugin was not installed") from error
    return True


def _source_folder() -> Path:
    return shipped_file(_SOURCES).parent


def _require_tools() -> None:
    missing = [] if shutil.which("cmake") else ["cmake"]
    if not os.environ.get("CC") and not any(map(shutil.which, _COMPILERS)):
        missing.append("a C compiler")
    if not shutil.which("make") and not shutil.which("ninja"):
        missing.append("make")
    if missing:
        raise ObsError(
            f"the plugin is built on your computer, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing: {TOOLS_COMMAND}; "
            "the script needs none of it: vtbridge obs install --script"
        )


def _succeed(done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode == 0:
        return
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_LOG_LINES:])
    raise ObsError(f"{what}. Try: {TOOLS_COMMAND}\n{said}")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ObsError(f"{command[0]} did not come to an end: {error}") from error


def _copy_over(built: Path, target: Path) -> None:
    """Copy file by file, each whole or not at all; the checksum, which vouches for all, last."""
    files = sorted(path for path in built.rglob("*") if path.is_file())
    for source in sorted(files, key=lambda path: path.name == _DIGEST_NAME):
        goal = target / source.relative_to(built)
        goal.parent.mkdir(parents=True, exist_ok=True)
        temporary = goal.with_name(f".{goal.name}.new")
        try:
            shutil.copyfile(source, temporary)
            temporary.chmod(0o644)
            temporary.replace(goal)  # OBS may have the old one loaded: never written over
        finally:
            temporary.unlink(missing_ok=True)
