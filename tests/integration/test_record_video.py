"""``vtbridge record --video``: the file shows what the avatar showed, when, and how transparent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import skip_loudly
from tests.support.animation import decoded, picture_times
from tests.support.daemon import isolated_environment, unique_name, wait_until, write_config
from tests.support.shown_avatar import (
    PATIENCE_S,
    ShownAvatar,
    colour_of,
    drawing,
    noise,
    recorded,
    showing_on,
    shown_avatar,
)
from tests.support.vtbf import REPOSITORY
from vtbridge.cli.commands import app
from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.publish.media_tcp import straight_from_premultiplied
from vtbridge.video.live_formats import VideoCodec

VIDEOS = [
    (VideoCodec.VP9, "webm", 12, 4.0),
    (VideoCodec.ANIMATION, "mov", 0, 0.0),
    (VideoCodec.PRORES, "mov", 2, 2.0),
]
"""Codec, suffix, how far alpha may be off, how far colours may be off on average."""


def straight(premultiplied: U8Array) -> U8Array:
    out = np.empty_like(premultiplied)
    straight_from_premultiplied(premultiplied, out)
    return out


def seen_in(picture: U8Array) -> int:
    """Return the number of the drawing whose colour the middle of ``picture`` has."""
    height, width = picture.shape[:2]
    found = picture[height // 2, width // 2, :3].astype(int)
    return min(range(14), key=lambda number: int(np.abs(found - colour_of(number)).sum()))


@pytest.mark.parametrize(("codec", "suffix", "alpha_off", "colour_off"), VIDEOS)
def test_recording_shows_what_the_avatar_showed_and_when(
    codec: VideoCodec, suffix: str, alpha_off: int, colour_off: float, tmp_path: Path
) -> None:
    target = tmp_path / f"out.{suffix}"
    with shown_avatar(96, 64) as avatar, recorded(avatar, target, codec) as recorder:
        avatar.show_to(recorder, 10)
    assert (recorder.frames, recorder.missed, recorder.dropped) == (10, 0, 0)
    pictures = decoded(target)
    assert [seen_in(picture) for picture in pictures] == list(range(10))
    for number, picture in enumerate(pictures):
        truth = straight(drawing(number, 96, 64))
        off = np.abs(picture.astype(int) - truth)
        assert off[..., 3].max() <= alpha_off
        assert off[truth[..., 3] >= 120][:, :3].mean() <= colour_off
        edge = (truth[..., 3] > 8) & (truth[..., 3] < 120)
        assert off[edge][:, :3].mean() <= colour_off, "something dark flowed into the edge"
    start_ns = avatar.published_ns[0]
    expected = [(t_ns - start_ns) / 1e9 for t_ns in avatar.published_ns]
    assert picture_times(target) == pytest.approx(expected, abs=0.0011)
    with av.open(str(target)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 >= expected[-1]


def test_sides_that_no_encoder_takes_are_filled_up_with_nothing(tmp_path: Path) -> None:
    target = tmp_path / "odd.webm"
    with shown_avatar(63, 65) as avatar, recorded(avatar, target) as recorder:
        avatar.show_to(recorder, 3)
    for number, picture in enumerate(decoded(target)):
        assert picture.shape == (66, 64, 4)
        assert picture[65:, :, 3].max() <= 12
        assert picture[:, 63:, 3].max() <= 12
        off = picture[:65, :63, 3].astype(int) - drawing(number, 63, 65)[..., 3]
        assert np.abs(off).max() <= 12


def test_png_files_are_exact_and_come_at_the_avatars_rate(tmp_path: Path) -> None:
    target = tmp_path / "frames"
    with shown_avatar(63, 65) as avatar, recorded(avatar, target) as recorder:
        avatar.show_to(recorder, 5)
    files = sorted(target.iterdir())
    assert [file.name for file in files] == [f"{index:06d}.png" for index in range(len(files))]
    starts = [round((t_ns - avatar.published_ns[0]) * 60 / 1e9) for t_ns in avatar.published_ns]
    for number, (start, until) in enumerate(
        zip(starts, [*starts[1:], starts[-1] + 1], strict=True)
    ):
        for index in range(start, until):
            with Image.open(files[index]) as image:
                np.testing.assert_array_equal(np.asarray(image), straight(drawing(number, 63, 65)))


def test_constant_rate_has_a_picture_at_every_step(tmp_path: Path) -> None:
    target = tmp_path / "even.mov"
    with shown_avatar() as avatar, recorded(avatar, target, fps=25.0) as recorder:
        avatar.show_to(recorder, 6)
        wait_until(lambda: avatar.lives() and recorder.seconds > 0.4, PATIENCE_S, "it goes on")
    times = picture_times(target)
    assert times == pytest.approx([0.04 * step for step in range(len(times))], abs=1e-4)
    assert len(times) >= 10
    numbers = [seen_in(picture) for picture in decoded(target)]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 5


def test_avatar_that_starts_again_goes_on_in_the_same_file(tmp_path: Path) -> None:
    target = tmp_path / "out.mov"
    with shown_avatar() as avatar, recorded(avatar, target) as recorder:
        avatar.show_to(recorder, 3)
        avatar.end()
        wait_until(lambda: recorder.away, PATIENCE_S, "it is seen that the avatar went")
        avatar.start()
        avatar.show_to(recorder, 3)
        wait_until(lambda: not recorder.away, PATIENCE_S, "it is seen that the avatar is back")
    assert (recorder.missed, recorder.dropped) == (0, 0)
    assert [seen_in(picture) for picture in decoded(target)] == list(range(6))
    expected = [(t_ns - avatar.published_ns[0]) / 1e9 for t_ns in avatar.published_ns]
    assert picture_times(target) == pytest.approx(expected, abs=0.0011)


DIES = """
import os, signal, sys
from tests.support.shown_avatar import drawing
from vtbridge.datatypes import Frame
from vtbridge.publish.vtbf import FrameWriter
writer = FrameWriter.open(sys.argv[1], max_width=64, max_height=64)
for number in range(3):
    sys.stdin.readline()
    writer.write(Frame(drawing(number), 1))
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_avatar_costs_the_recording_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.mov"
    with shown_avatar() as avatar:
        avatar.end()
        dying = subprocess.Popen(
            [sys.executable, "-c", DIES, avatar.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        with dying:
            assert dying.stdin is not None
            assert dying.stdout is not None
            dying.stdin.write("\n")
            dying.stdin.flush()
            assert dying.stdout.readline() == "0\n"
            with recorded(avatar, target) as recorder:
                for wanted in (1, 2, 3):
                    wait_until(lambda: recorder.frames == wanted, PATIENCE_S, "it is recorded")  # noqa: B023
                    if wanted < 3:
                        dying.stdin.write("\n")
                        dying.stdin.flush()
                assert dying.wait(PATIENCE_S) == -signal.SIGKILL
                wait_until(lambda: recorder.away, PATIENCE_S, "it is seen that the avatar died")
                avatar.start()
                avatar.shown = 3
                avatar.show_to(recorder, 2)
    assert (recorder.frames, recorder.missed, recorder.dropped) == (5, 0, 0)
    assert [seen_in(picture) for picture in decoded(target)] == list(range(5))
    times = picture_times(target)
    assert times == sorted(set(times))


def test_frames_of_another_size_are_scaled_to_the_first_ones(tmp_path: Path) -> None:
    target = tmp_path / "out.mov"
    with shown_avatar() as avatar, recorded(avatar, target) as recorder:
        avatar.show_to(recorder, 2)
        avatar.width, avatar.height = 256, 128  # the segment moves: it was made for 64x64
        avatar.show_to(recorder, 1)
    assert recorder.rescaled == 1
    *_, last = decoded(target)
    assert last.shape == (64, 64, 4)
    assert not last[:32, :, 3].any(), "half as high as wide, it stands on the lower edge"
    assert last[48, 32, 3] == 255
    assert np.abs(last[48, 32, :3].astype(int) - colour_of(2)).max() <= 2


FILLS_THE_DISK = """
import shutil, sys
from pathlib import Path
from tests.support.daemon import wait_until
from tests.support.shown_avatar import noise, recorded, shown_avatar, showing_on
disk, kept = Path(sys.argv[1]), Path(sys.argv[2])
with shown_avatar(128, 128) as avatar, showing_on(avatar, noise(8, 128), fps=100):
    for name in ("out.webm", "frames"):
        with recorded(avatar, disk / name) as recorder:
            wait_until(lambda: bool(recorder.trouble), 60, "the disk is full")
        print(recorder.trouble, recorder.pictures, sep="|")
        shutil.move(disk / name, kept / name)
"""


def on_a_small_disk(disk: Path, size: str, then: str = "") -> list[str]:
    """Return what runs a command with a tmpfs of its own at ``disk``, and ``then`` after it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        skip_loudly("unshare is not installed (apt install util-linux)")
    namespace = [str(unshare), "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = f"mount -t tmpfs -o size={size} tmpfs {disk}"
    if subprocess.run([*namespace, "sh", "-c", mount, "sh"], check=False).returncode:
        skip_loudly("this machine lets nobody but root mount a tmpfs")
    return [*namespace, "sh", "-c", f'{mount} && "$@"; code=$?; {then or ":"}; exit $code', "sh"]


def test_full_disk_ends_the_recording_with_all_that_fitted(tmp_path: Path) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    ran = subprocess.run(
        [
            *on_a_small_disk(disk, "5m"),
            *(sys.executable, "-c", FILLS_THE_DISK, str(disk), str(kept)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    (reason, frames), (png_reason, png_frames) = (
        line.split("|") for line in ran.stdout.splitlines()
    )
    assert reason == png_reason == "No space left on device"
    assert len(decoded(kept / "out.webm")) >= int(frames) > 30
    with av.open(str(kept / "out.webm")) as container:
        assert container.duration, "the reserve was for the index and the length"
    files = sorted((kept / "frames").iterdir())
    assert len(files) == int(png_frames) > 30
    for file in (files[0], files[-1]):
        with Image.open(file) as image:
            image.load()


def recording(
    folder: Path, avatar: ShownAvatar, target: Path, *options: str, prefix: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start ``vtbridge record --video`` and return it once the file grows, or is to."""
    write_config(folder, avatar.name)
    process = subprocess.Popen(
        [
            *(*prefix, sys.executable, "-m", "vtbridge", "record", "--video", str(target)),
            *("--config", str(folder / "config.toml"), *options),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(folder),
    )
    assert process.stderr is not None
    greeting = process.stderr.readline()
    assert "Ctrl-C to stop" in greeting, greeting
    return process


def test_full_disk_is_told_and_what_is_there_is_a_whole_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    prefix = on_a_small_disk(disk, "6m", f"cp {disk}/out.mov {tmp_path}")
    with shown_avatar() as avatar, showing_on(avatar, noise(8, 64), fps=100):
        process = recording(tmp_path, avatar, disk / "out.mov", prefix=prefix)
        with process:
            _, told = process.communicate(timeout=60)
        assert process.returncode == 1
    told = " ".join(told.split())
    assert "out.mov ends early (what is there can be played): No space left on device" in told
    assert "make room" in told
    assert "Traceback" not in told
    assert len(decoded(tmp_path / "out.mov")) > 50


def test_ctrl_c_ends_the_file_and_tells_what_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "out.mov"
    with shown_avatar() as avatar, showing_on(avatar, [drawing(n) for n in range(10)]):
        with recording(tmp_path, avatar, target) as process:
            wait_until(lambda: target.exists() and target.stat().st_size > 50_000, 30, "it grows")
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, told
    assert f"{len(decoded(target))} frames in" in told
    assert "64x64, QuickTime Animation with alpha, lossless" in told


@pytest.mark.parametrize("suffix", ["mov", "webm"])
def test_killed_recording_can_be_played_up_to_its_last_seconds(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"out.{suffix}"
    with (
        shown_avatar() as avatar,
        showing_on(avatar, noise(8, 64)),
        recording(tmp_path, avatar, target) as process,
    ):
        wait_until(lambda: target.exists() and target.stat().st_size > 200_000, 30, "it grows")
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    assert len(decoded(target)) > 10
    assert [path.name for path in tmp_path.glob("*out*")] == [target.name], "nothing else is left"


def test_what_cannot_begin_says_why_and_touches_nothing(tmp_path: Path) -> None:
    there = tmp_path / "there.webm"
    there.write_bytes(b"precious")
    config = ("--config", str(tmp_path / "config.toml"))
    write_config(tmp_path, unique_name())
    for arguments, told in (
        (("--video", str(there)), "is there already"),
        (("--video", str(tmp_path / "a.mp4")), "no recording with alpha is called .mp4"),
        (("--video", str(tmp_path / "a.webm"), "--codec", "prores"), "does not fit a.webm"),
        (("--video", str(tmp_path / "a.webm")), "start it with: vtbridge run"),
        ((str(tmp_path / "a.vtbrec"), "--video", str(tmp_path / "a.webm")), "run --record"),
        ((), "nothing to record"),
        ((str(tmp_path / "a.vtbrec"), "--fps", "30"), "--video"),
    ):
        ran = CliRunner().invoke(app, ["record", *arguments, *config])
        assert isinstance(ran.exception, VtbridgeError)
        assert told in str(ran.exception)
    assert there.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "there.webm"]
