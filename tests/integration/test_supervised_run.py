"""`vtbridge run` goes on when its renderer dies: one real avatar, killed and reloaded."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import (
    DaemonProcess,
    run_vtbridge,
    running,
    status_of,
    wait_until,
)
from vtbridge.publish.segment import open_segment, read_status
from vtbridge.publish.vtbf import FrameReader, segment_path

pytestmark = pytest.mark.usefixtures("weight_store")
PATIENCE_S = 60.0
LIMITS = "[supervisor]\nrestarts = 50\nhung_after_s = 5\n"


@pytest.fixture(scope="module")
def avatar(
    tmp_path_factory: pytest.TempPathFactory, prepared_michi: Path
) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("avatar")
    with running(folder, "run", package=prepared_michi, extra=LIMITS) as daemon:
        yield daemon
        assert daemon.terminate() == 0
        assert not segment_path(daemon.name).exists()


def logged(avatar: DaemonProcess, text: str) -> bool:
    return any(text in line for line in avatar.log)


def test_the_parent_loads_none_of_what_its_renderer_may_die_of(avatar: DaemonProcess) -> None:
    loaded = {
        pid: Path(f"/proc/{pid}/maps").read_text()
        for pid in (avatar.process.pid, avatar.renderer_pid)
    }
    assert "numpy" in loaded[avatar.renderer_pid]
    parent = loaded[avatar.process.pid]
    assert not any(name in parent for name in ("numpy", "torch", "openvino", "cv2"))


def test_a_second_avatar_of_the_name_is_told_which_process_holds_it(avatar: DaemonProcess) -> None:
    config = str(avatar.folder / "config.toml")
    second = run_vtbridge(avatar.folder, "run", "--config", config)
    assert second.returncode == 8
    assert f"pid {avatar.process.pid} " in second.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_readers_of_frames_go_on_in_the_same_segment(
    avatar: DaemonProcess, number: signal.Signals
) -> None:
    fd = open_segment(segment_path(avatar.name), writable=False)
    try:
        with FrameReader.attach(avatar.name) as reader:
            assert reader.read_newer(0, timeout_s=PATIENCE_S) is not None
            before = read_status(fd)
            assert before is not None
            restarts = status_of(avatar)["restarts"]
            os.kill(avatar.renderer_pid, number)
            # The reader that is attached gets the new renderer's frames, numbered on.
            epoch = before.epoch
            wait_until(lambda: (read_status(fd) or before).epoch > epoch, PATIENCE_S, "it started")
            now = read_status(fd)
            assert now is not None
            received = reader.read_newer(now.latest, timeout_s=PATIENCE_S)
            assert received is not None
            assert received.frame_no > before.latest
        assert os.fstat(fd).st_nlink == 1
    finally:
        os.close(fd)
    assert logged(avatar, f"was killed by {number.name}")
    token = avatar.url.split("#token=")[1]
    wait_until(lambda: restarted_page(avatar) is not None, PATIENCE_S, "its page is told")
    page = restarted_page(avatar)
    assert page is not None
    assert page.endswith(token), "pages that are open stay let in"
    avatar.url = page
    assert status_of(avatar)["restarts"] == restarts + 1


def restarted_page(avatar: DaemonProcess) -> str | None:
    """Return the page's address as the renderer that runs now left it."""
    told = run_vtbridge(
        avatar.folder, "studio", "--no-browser", "--config", str(avatar.folder / "config.toml")
    )
    found = re.search(r"http\S+", told.stdout)
    return found[0] if found and told.returncode == 0 else None


def test_settings_are_reloaded_as_a_whole_or_not_at_all(avatar: DaemonProcess) -> None:
    path = avatar.folder / "config.toml"
    text = path.read_text()
    renderer = avatar.renderer_pid
    try:
        path.write_text(text.replace("restarts = 50", "restarts = 40") + "\n[idle]\nsway = 0.05\n")
        avatar.process.send_signal(signal.SIGHUP)
        wait_until(lambda: logged(avatar, "settings reloaded"), PATIENCE_S, "it was read")
        wait_until(lambda: logged(avatar, "for supervisor.restarts vtbridge has"), 5, "it is told")
        path.write_text(text + "\n[idle]\nsway = 'often'\n")
        avatar.process.send_signal(signal.SIGHUP)
        wait_until(lambda: logged(avatar, "the settings stay as they are"), PATIENCE_S, "refused")
    finally:
        path.write_text(text)
    refusal = next(line for line in avatar.log if "stay as they are" in line)
    assert str(path) in refusal
    assert "idle.sway" in refusal
    assert avatar.renderer_pid == renderer
