"""The whole way: a real key in a real OBS changes the face in the composited scene."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import skip_loudly
from tests.support.daemon import running, status_of
from tests.support.expressions import QUICK, STILL
from tests.support.obs import BACKGROUND, ObsSetup, running_obs, wait_until
from vtbridge.obs.client import ObsClient
from vtbridge.obs.scene import SHARED_MEMORY_KIND
from vtbridge.publish.vtbf import FrameReader

pytestmark = pytest.mark.usefixtures("weight_store")

PATIENCE_S = 60.0
FACE = (slice(64, 192), slice(192, 320))
PRESSES = 3


def test_real_key_changes_the_face_in_the_scene(
    built_plugin: Path,
    tmp_path: Path,
    prepared_michi: Path,
    record_property: Callable[[str, object], None],
) -> None:
    if shutil.which("xdotool") is None:
        skip_loudly("xdotool is not installed (apt install xdotool)")
    tmp_path.joinpath("expressions.toml").write_text(QUICK, encoding="utf-8")
    with (
        running(tmp_path, "run", inputs=("vmc",), extra=STILL, package=prepared_michi) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        source: dict[str, Any] = {
            "id": SHARED_MEMORY_KIND,
            "name": "avatar",
            "settings": {
                "avatar": daemon.name,
                "osc_port": daemon.ports["osc"],
                "expressions": [{"value": "cat"}],
            },
            "hotkeys": {f"vtbridge.{daemon.name}.expression.cat": [{"key": "OBS_KEY_F7"}]},
        }
        folder = tmp_path / "obs"
        folder.mkdir()
        with running_obs(folder, ObsSetup(plugin=built_plugin, sources=[source])) as obs:
            seen = 0

            def published() -> np.ndarray[Any, np.dtype[np.int16]]:
                nonlocal seen
                frame = reader.read_newer(seen, timeout_s=PATIENCE_S)
                assert frame is not None
                seen = frame.frame_no
                return frame.rgba[FACE].astype(np.int16)

            def at_rest() -> np.ndarray[Any, np.dtype[np.int16]]:
                face, same = published(), 0
                deadline = time.monotonic() + PATIENCE_S
                while same < 40:
                    assert time.monotonic() < deadline, "it never comes to rest"
                    before, face = face, published()
                    same = same + 1 if np.abs(face - before).max() <= 2 else 0
                return face

            def shown(client: ObsClient) -> np.ndarray[Any, np.dtype[np.int16]]:
                return obs.screenshot(client, "Scene")[FACE].astype(np.int16)

            def press() -> None:
                subprocess.run(
                    ["xdotool", "key", "F7"],
                    env={**os.environ, "DISPLAY": obs.display},
                    check=True,
                    timeout=PATIENCE_S,
                )

            def cat() -> dict[str, Any]:
                states = status_of(daemon)["expressions"]
                return next(state for state in states if state["name"] == "cat")

            with obs.client() as client:
                wait_until(lambda: bool((shown(client) != BACKGROUND).any()), "it is shown")
                at_rest()
                resting = shown(client)
                press()
                wait_until(
                    lambda: bool(np.abs(shown(client) - resting).max() > 24), "the face changes"
                )
                state = cat()
                assert (state["active"], state["triggers"]) == (True, ["key"])
                press()
                wait_until(
                    lambda: bool(np.abs(shown(client) - resting).max() <= 6), "it is as before"
                )
                assert not cat()["active"]

                delays = []
                hotkey = {"hotkeyName": f"vtbridge.{daemon.name}.expression.cat"}
                for _ in range(PRESSES):
                    still = at_rest()
                    began = time.monotonic()
                    client.request("TriggerHotkeyByName", hotkey)
                    while np.abs(published() - still).max() <= 24:
                        assert time.monotonic() < began + PATIENCE_S, "no frame shows a change"
                    delays.append(time.monotonic() - began)
                p50_s = statistics.median(delays)
                record_property("hotkey_to_published_frame_p50_s", p50_s)
                print(f"hotkey to published frame: p50 {p50_s:.3f} s of {delays}")
            counters = status_of(daemon)["counters"]
            assert not counters.get("control.rejected"), "OBS's ticks are understood"
            assert not counters.get("control.unknown")
        assert daemon.terminate() == 0
