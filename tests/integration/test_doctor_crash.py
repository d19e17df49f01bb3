"""``vtbridge doctor`` outlives libraries that crash, and ends at once at Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import isolated_environment, unique_name, write_config


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    write_config(folder, unique_name())
    config = str(folder / "config.toml")
    return subprocess.Popen(
        [sys.executable, "-m", "vtbridge", "doctor", "--config", config, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a foreground process group of its own, as in a terminal
        env=isolated_environment(folder)
        | {"VTBRIDGE_WEIGHTS_DIR": str(folder / "nothing")}
        | environment,
    )


def test_library_that_crashes_is_named_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cv2.py").write_text("import os\nos.abort()\n")
    (broken / "aiohttp.py").write_text("print('noise that is no finding', flush=True)\n")
    (broken / "zeroconf.py").write_text("raise RuntimeError('built for another machine')\n")
    (broken / "torch.py").write_text("import absent_for_sure\n")
    path = os.pathsep.join(filter(None, [str(broken), os.environ.get("PYTHONPATH", "")]))
    process = start(tmp_path, "--json", PYTHONPATH=path)
    output, errors = process.communicate(timeout=100)
    found = {finding["check"]: finding for finding in json.loads(output)}
    assert process.returncode == 2
    assert errors == ""
    crashed = found["library opencv-python-headless"]
    assert crashed["verdict"] == "failure"
    assert "SIGABRT" in crashed["seen"]
    assert "built for another machine" in found["library zeroconf"]["seen"]
    assert "absent_for_sure" in found["library torch"]["seen"]
    assert found["library aiohttp"]["verdict"] == "ok"
    assert found["vmc port"]["verdict"] == "ok"
    assert found["frame transport"]["verdict"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_with_one_line_and_leaves_nothing_running(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stdout is not None
    assert "machine" in process.stdout.readline()
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "stopped; the rest was not looked at\n"
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
