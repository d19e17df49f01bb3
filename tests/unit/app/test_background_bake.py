"""A bake beside the avatar is heard, ended when it should be, and costs nothing but itself."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from vtbridge.app.background_bake import BackgroundBake, BakeProgress, bake_command
from vtbridge.errors import AlreadyBaking

_END_S = 30.0

NEWS = """
import json, sys
for baked_s, psnr_db in ((1.0, None), (2.5, 35.25)):
    news = {"phase": "sampling", "baked_s": baked_s, "wanted_s": 9, "psnr_db": psnr_db}
    print(json.dumps({"news": news}), flush=True)
"""


def baking(script: str) -> tuple[BackgroundBake, list[BakeProgress]]:
    heard: list[BakeProgress] = []
    return BackgroundBake([sys.executable, "-c", script], heard.append), heard


def run(bake: BackgroundBake) -> None:
    bake.start()
    wait_for_end(bake)


def wait_for_end(bake: BackgroundBake) -> None:
    give_up = time.monotonic() + _END_S
    while bake.alive and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not bake.alive
    assert bake.failure is None


def test_its_news_are_heard() -> None:
    bake, heard = baking(NEWS)
    run(bake)
    assert heard == [
        BakeProgress("sampling", 1.0, 9.0, None),
        BakeProgress("sampling", 2.5, 9.0, 35.25),
    ]
    assert bake.progress == heard[-1]
    assert bake.trouble == ""


@pytest.mark.parametrize(
    "line", ["", "[1]", "{}", '{"news": 3}', '{"news": {"phase": 1}}', "[" * 9000, "\\xff"]
)
def test_what_is_no_news_is_passed_over(line: str) -> None:
    bake, heard = baking(f"print('{line}')\n" + NEWS)
    run(bake)
    assert len(heard) == 2


def test_its_last_words_say_why_it_failed() -> None:
    bake, _ = baking(NEWS + "sys.exit('vtbridge: there is no room on the disk')")
    run(bake)
    assert bake.trouble == "there is no room on the disk"


def test_one_that_dies_without_a_word_is_told_by_its_exit_code() -> None:
    bake, _ = baking("import os; os._exit(7)")
    run(bake)
    assert bake.trouble == "exit code 7"


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    bake = BackgroundBake([str(tmp_path / "absent")])
    run(bake)
    assert "could not be started" in bake.trouble


def test_one_that_another_process_does_is_no_failure() -> None:
    bake, _ = baking(NEWS + f"sys.exit({AlreadyBaking.exit_code})")
    run(bake)
    assert bake.elsewhere
    assert bake.trouble == ""


def test_stopped_it_is_ended_by_the_end_of_its_input_and_that_is_no_failure() -> None:
    bake, heard = baking(NEWS + "sys.stdin.read(); sys.exit(9)")
    bake.start()
    give_up = time.monotonic() + _END_S
    while len(heard) < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
    assert bake.alive
    assert bake.stop(timeout_s=_END_S)
    assert bake.trouble == ""


def test_the_command_is_one_that_this_vtbridge_knows() -> None:
    import subprocess

    name, weights = "nobody-of-this-name.png", "tha3-separable-float"
    words = bake_command(name, Path("me"), minutes=3.0, weights=weights, threads=1)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert "nobody-of-this-name.png" in done.stderr
    assert done.returncode == 3
