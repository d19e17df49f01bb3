"""An animation that breaks off: what is done is kept, and nothing half is ever shown."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.animate_job import LONG, PICTURE, PIECE, SIZE, breaking_off, run_job, talking
from tests.support.animation import DiscPoser, GreyTracker, decoded, picture_times, write_clip
from vtbridge.app.animate.job import Stage, animate
from vtbridge.app.animate.request import Request
from vtbridge.app.animate.work_folder import work_path
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.video.formats import FormatName

pytestmark = pytest.mark.usefixtures("short_pieces")


@pytest.mark.parametrize("name", [FormatName.MP4, FormatName.WEBM, FormatName.PNG])
def test_broken_off_and_resumed_is_as_if_never_broken_off(name: FormatName, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(LONG), sound="aac")
    suffix = "" if name is FormatName.PNG else f".{name}"
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    poses = [tmp_path / "whole.json", tmp_path / "out.json"]
    run_job(Request(clip, whole, size=SIZE, poses_out=poses[0]))
    request = Request(clip, out, size=SIZE, poses_out=poses[1], force=True)

    broken_at = PIECE + 4
    with pytest.raises(KeyboardInterrupt):
        run_job(request, progress=breaking_off(Stage.DRAW, broken_at, KeyboardInterrupt()))
    assert not out.exists(), "half of an output was shown"
    assert work_path(out).is_dir()
    with pytest.raises(KeyboardInterrupt):
        run_job(request, progress=breaking_off(Stage.JOIN, 0, KeyboardInterrupt()))
    assert not out.exists()
    poser = DiscPoser()
    outcome = run_job(request, poser)
    assert outcome.drawn == poser.drawn == 0, "drawn twice"

    assert not work_path(out).exists()
    assert poses[0].read_bytes() == poses[1].read_bytes()
    if name is FormatName.PNG:
        files = sorted(out.iterdir())
        assert len(files) == LONG
        assert all(file.read_bytes() == (whole / file.name).read_bytes() for file in files)
    else:
        assert picture_times(out) == picture_times(whole)
        for ours, theirs in zip(decoded(out), decoded(whole), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_resumed_run_draws_only_what_is_missing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(LONG))
    request = Request(clip, tmp_path / "out.mp4", size=SIZE)
    with pytest.raises(KeyboardInterrupt):
        run_job(request, progress=breaking_off(Stage.DRAW, PIECE + 5, KeyboardInterrupt()))
    seen: list[tuple[Stage, int, int]] = []
    poser = DiscPoser()
    outcome = run_job(request, poser, progress=lambda *step: seen.append(step))
    assert outcome.drawn == poser.drawn == LONG - PIECE
    drawing = [step[1:] for step in seen if step[0] is Stage.DRAW]
    assert drawing[0] == (PIECE, LONG)
    assert drawing[-1] == (LONG, LONG)
    assert not [step for step in seen if step[0] is Stage.TRACK], "tracked twice"


def test_progress_ends_with_all_of_it_also_where_the_last_piece_is_full(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(PIECE))
    seen: list[tuple[Stage, int, int]] = []
    run_job(
        Request(clip, tmp_path / "out.mp4", size=SIZE), progress=lambda *step: seen.append(step)
    )
    assert (Stage.DRAW, PIECE, PIECE) in seen


def test_other_arguments_do_not_go_on_with_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(10))
    request = Request(clip, tmp_path / "out.mp4", size=SIZE)
    with pytest.raises(KeyboardInterrupt):
        run_job(request, progress=breaking_off(Stage.DRAW, 5, KeyboardInterrupt()))
    other = replace(request, background="#ff0000")
    with pytest.raises(ConfigError, match=r"with another background.*--restart"):
        run_job(other)
    run_job(replace(other, restart=True))
    assert decoded(tmp_path / "out.mp4")[0][0, 0, 0] > 240


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full: free some space"),
        (av.error.OSError(errno.ENOSPC, "No space left on device"), "is full: free some space"),
        (av.error.InvalidDataError(1, "bad"), "FFmpeg failed"),
    ],
)
def test_trouble_of_the_disk_is_told_and_the_work_is_kept(
    error: Exception, complaint: str, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(10))
    request = Request(clip, tmp_path / "out.mp4", size=SIZE)
    with pytest.raises(VtbridgeError, match=complaint):
        run_job(request, progress=breaking_off(Stage.DRAW, 5, error))
    assert not request.output or not request.output.exists()
    assert run_job(request).drawn == 10


def test_disk_that_is_full_from_the_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(3))

    def refuse(path: Path, text: str, encoding: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(VtbridgeError, match=r"out\.mp4\.unfinished is full: free some space"):
        run_job(Request(clip, tmp_path / "out.mp4", size=SIZE))
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]


def test_networks_that_do_not_load_leave_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(3))

    def refuse() -> DiscPoser:
        raise VtbridgeError("no networks")

    with pytest.raises(VtbridgeError, match="no networks"):
        animate(
            Request(clip, tmp_path / "out.mp4", size=SIZE),
            PICTURE,
            Config(),
            open_tracker=GreyTracker,
            open_poser=refuse,
            progress=lambda stage, done, total: None,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]


def test_output_that_is_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(5))
    out = tmp_path / "out.mp4"
    out.write_text("last year's")
    request = Request(clip, out, size=SIZE)
    with pytest.raises(ConfigError, match="--force"):
        run_job(request)
    with pytest.raises(KeyboardInterrupt):
        run_job(
            replace(request, force=True), progress=breaking_off(Stage.JOIN, 0, KeyboardInterrupt())
        )
    assert out.read_text() == "last year's"
    run_job(replace(request, force=True))
    assert len(decoded(out)) == 5
