"""A key pressed for real, in a virtual display, triggers an expression of a real daemon."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import skip_loudly
from tests.support.daemon import running, wait_until
from tests.support.expressions import STILL
from tests.support.triggers import expression_of

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 60.0
KEYS = """
[expressions.cat]
values = { mouth_uuu = 1 }
key = "ctrl+alt+1"
[expressions.glare]
mode = "hold"
values = { eyebrow_angry = 1 }
key = "f9"
"""


@contextlib.contextmanager
def display() -> Iterator[str]:
    """Yield the name of a virtual display."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        skip_loudly("Xvfb and xdotool are not installed")
    if importlib.util.find_spec("pynput") is None:
        skip_loudly("pynput is not installed (the extra hotkeys)")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


def test_keys_trigger_from_anywhere(
    tmp_path: Path, prepared_michi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("expressions.toml").write_text(KEYS, encoding="utf-8")
    with display() as name:
        monkeypatch.setenv("DISPLAY", name)

        def xdotool(*arguments: str) -> None:
            subprocess.run(["xdotool", *arguments], check=True, env=dict(os.environ), timeout=30)

        settings = "keyboard = true\n" + STILL  # what comes first is still in [control]
        with running(
            tmp_path, "run", inputs=("vmc",), extra=settings, package=prepared_michi
        ) as daemon:

            def active(one: str) -> bool:
                return bool(expression_of(daemon, one)["active"])

            def cat_by_key() -> bool:
                xdotool("key", "ctrl+alt+1")
                return active("cat")

            wait_until(cat_by_key, PATIENCE_S, "the key is heard")
            xdotool("keydown", "F9")
            wait_until(lambda: active("glare"), PATIENCE_S, "on while it is down")
            assert expression_of(daemon, "glare")["triggers"] == ["keyboard"]
            xdotool("keyup", "F9")
            wait_until(lambda: not active("glare"), PATIENCE_S, "off when it is let go")
            assert daemon.terminate() == 0
