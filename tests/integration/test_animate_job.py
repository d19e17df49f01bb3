"""Whole animations with real codecs; discs stand in for the networks."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.animation import (
    CLICK_S,
    DiscPoser,
    GreyTracker,
    brightness,
    click_time,
    decoded,
    picture_times,
    write_clip,
)
from tests.support.small_videos import turn_clockwise
from vtbridge.app.animate import encode, job
from vtbridge.app.animate.canvas import Canvas
from vtbridge.app.animate.faces import Span
from vtbridge.app.animate.formats import FORMATS, FormatName
from vtbridge.app.animate.job import Outcome, Stage, animate
from vtbridge.app.animate.request import Request
from vtbridge.app.animate.work_folder import work_path
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture, U8Array
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.render.pose_file import read_poses

PICTURE = Picture(np.zeros((512, 512, 4), np.uint8), "nobody", "digest", credit="by nobody")
SIZE = (64, 64)
PIECE = 10
LONG = 2 * PIECE + 6
VIDEO_FORMATS = [name for name in FormatName if FORMATS[name].container]


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "PIECE_PICTURES", PIECE)


def talking(count: int) -> list[U8Array]:
    return [brightness(0.5 + 0.5 * np.sin(index / 3)) for index in range(count)]


def run(
    request: Request, poser: DiscPoser | None = None, progress: job.Progress | None = None
) -> Outcome:
    return animate(
        request,
        PICTURE,
        Config(),
        open_tracker=GreyTracker,
        open_poser=lambda: poser or DiscPoser(),
        progress=progress or (lambda stage, done, total: None),
    )


def breaking_off(stage: Stage, at: int, error: BaseException) -> job.Progress:
    def progress(now: Stage, done: int, total: int) -> None:
        if now is stage and done == at:
            raise error

    return progress


def red_over_blue(pictures: Sequence[U8Array]) -> list[float]:
    """Return how red the disc is in each picture."""
    return [float(p[28:36, 28:36, 0].mean()) - float(p[28:36, 28:36, 2].mean()) for p in pictures]


@pytest.mark.parametrize("name", VIDEO_FORMATS)
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)], ids=["25", "29.97"])
def test_every_picture_has_its_own_at_the_same_time(
    name: FormatName, fps: Fraction, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(LONG), fps=fps)
    out = tmp_path / f"out.{name}"
    outcome = run(Request(clip, out, size=SIZE, poses_out=tmp_path / "poses.json"))
    assert outcome.pictures == outcome.faces == outcome.drawn == LONG
    assert outcome.seconds == pytest.approx(LONG / float(fps))
    precision_s = 0.0006 if name is FormatName.WEBM else 1e-6  # Matroska counts milliseconds
    assert picture_times(out) == pytest.approx(picture_times(clip), abs=precision_s)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == fps
        assert (stream.width, stream.height) == SIZE
        assert not container.streams.audio
        assert "by nobody" in {**container.metadata}.values()
    mouth = read_poses(tmp_path / "poses.json")[:, 26]
    shown = red_over_blue(decoded(out))
    assert len(shown) == LONG
    assert np.corrcoef(mouth, shown)[0, 1] > 0.97, "pictures and poses do not belong together"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["me.mp4", out.name, "poses.json"]


@pytest.mark.parametrize("name", [FormatName.WEBM, FormatName.MOV])
def test_alpha_is_really_there_and_edges_are_clean(name: FormatName, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0)] * 5)
    exact, out = tmp_path / "exact", tmp_path / f"out.{name}"
    run(Request(clip, exact, size=(256, 256)))
    run(Request(clip, out, size=(256, 256)))
    with Image.open(exact / "000004.png") as image:
        truth = np.asarray(image)
    assert set(np.unique(truth[..., 3])) >= {0, 255}
    shown = decoded(out)[4]
    assert np.abs(shown[..., 3].astype(int) - truth[..., 3]).max() <= 12
    edge = (truth[..., 3] > 30) & (truth[..., 3] < 225)
    wrong = np.abs(shown[edge][:, :3].astype(int) - truth[edge][:, :3])
    assert wrong.mean() < 4, "something dark flowed into the edge"


def test_browsers_and_obs_are_told_of_the_alpha(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0)] * 3)
    for background, told in ((None, "1"), ("#00ff00", None)):
        out = tmp_path / f"{told}.webm"
        run(Request(clip, out, size=SIZE, background=background))
        with av.open(str(out)) as container:
            metadata = {key.lower(): v for key, v in container.streams.video[0].metadata.items()}
        assert metadata.get("alpha_mode") == told
    run(Request(clip, tmp_path / "out.mov", size=SIZE))
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "ap4h"


def test_key_colour_arrives_as_it_was_asked_for(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0)] * 3)
    out = tmp_path / "out.mp4"
    run(Request(clip, out, size=SIZE, background="#00ff00"))
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
    corner = decoded(out)[1][0, 0, :3].astype(int)
    assert np.abs(corner - (0, 255, 0)).max() <= 3


def test_png_files_hold_straight_alpha_and_no_hidden_colour(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(3))
    out = tmp_path / "frames"
    outcome = run(Request(clip, out))
    assert "no sound" in outcome.sound
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"{index:06d}.png" for index in range(3)]
    with Image.open(files[1]) as image:
        assert image.mode == "RGBA"
        assert image.size == (512, 512)
        rgba = np.asarray(image)
    assert not rgba[rgba[..., 3] == 0].any()
    inside = rgba[256, 256, :3]
    soft = (rgba[..., 3] > 10) & (rgba[..., 3] < 245)
    assert soft.sum() > 500
    np.testing.assert_array_equal(rgba[soft][:, :3], np.broadcast_to(inside, (soft.sum(), 3)))


@pytest.mark.parametrize(
    ("suffix", "spoken", "written", "told"),
    [
        (".mp4", "aac", "aac", "copied"),
        (".mov", "aac", "aac", "copied"),
        (".webm", "aac", "opus", "anew"),
        (".webm", "libopus", "opus", "copied"),
        (".mp4", "libopus", "opus", "copied"),
        (".mp4", "pcm_s16le", "aac", "anew"),
        (".mov", "pcm_s16le", "pcm_s16le", "copied"),
    ],
)
def test_sound_comes_along_in_time(
    suffix: str, spoken: str, written: str, told: str, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "me.mkv", talking(25), sound=spoken)
    out = tmp_path / f"out{suffix}"
    outcome = run(Request(clip, out, size=SIZE))
    assert told in outcome.sound
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == written
        assert len(container.streams.audio) == 1
    assert click_time(clip) == pytest.approx(CLICK_S, abs=0.01)
    assert click_time(out) == pytest.approx(click_time(clip), abs=0.01)


def test_copied_sound_is_the_same_to_the_byte(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(30), sound="aac")
    out = tmp_path / "out.mp4"
    run(Request(clip, out, size=SIZE))

    def sound(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]

    assert sound(out) == sound(clip)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_part_begins_at_zero_with_its_own_sound(suffix: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(40), sound="aac")
    out = tmp_path / f"out{suffix}"
    outcome = run(Request(clip, out, size=SIZE, span=Span(0.21, 1.0)))
    assert outcome.pictures == 19  # 0.24, 0.28, ..., 0.96
    assert picture_times(out) == pytest.approx([i * 0.04 for i in range(19)], abs=0.001)
    assert click_time(out) == pytest.approx(CLICK_S - 0.24, abs=0.01)
    with av.open(str(out)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(0.76, abs=0.05)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.3, 0.31, 0.9, 0.95]
    clip = write_clip(tmp_path / "me.mkv", talking(6), times=times)
    for suffix in (".mp4", ".webm"):
        out = tmp_path / f"out{suffix}"
        run(Request(clip, out, size=SIZE))
        assert picture_times(out) == pytest.approx(times, abs=0.001)


def test_source_stands_beside_upright(tmp_path: Path) -> None:
    stored = brightness(0.0)
    stored[:, :24] = 230  # what the phone's sensor saw on the left is up
    clip = write_clip(tmp_path / "me.mp4", [stored] * 3)
    turn_clockwise(clip)
    out = tmp_path / "out.mp4"
    run(Request(clip, out, size=SIZE, side_by_side=True, background="#000000"))
    shown = decoded(out)[1]
    assert shown.shape[:2] == (64, 42 + 64)  # 32:48 at a height of 64
    assert shown[4:28, 4:38, :3].min() > 180
    assert shown[36:60, 4:38, :3].max() < 90


def test_source_beside_is_the_right_picture_also_of_a_part_and_after_a_break(
    tmp_path: Path,
) -> None:
    levels = [round(0.5 + 0.5 * np.sin(index), 2) for index in range(LONG + 10)]
    clip = write_clip(tmp_path / "me.mp4", [brightness(level) for level in levels])
    out = tmp_path / "out.mp4"
    request = Request(clip, out, size=SIZE, side_by_side=True, span=Span(0.4))
    with pytest.raises(KeyboardInterrupt):
        run(request, progress=breaking_off(Stage.DRAW, PIECE + 3, KeyboardInterrupt()))
    run(request)
    beside = [float(picture[20:44, 20:70, 0].mean()) for picture in decoded(out)]
    assert beside == pytest.approx([40 + 200 * level for level in levels[10:]], abs=6)


def test_still_character_is_drawn_once(tmp_path: Path) -> None:
    poses = np.zeros((6, 45), np.float32)
    poses[4:] = 0.5
    poser = DiscPoser()
    pictures = list(job.drawn_pictures(poses, poser, Canvas(), iter(())))
    assert len(pictures) == 6
    assert poser.drawn == 2


@pytest.mark.parametrize("name", [FormatName.MP4, FormatName.WEBM, FormatName.PNG])
def test_broken_off_and_resumed_is_as_if_never_broken_off(name: FormatName, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(LONG), sound="aac")
    suffix = "" if name is FormatName.PNG else f".{name}"
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    poses = [tmp_path / "whole.json", tmp_path / "out.json"]
    run(Request(clip, whole, size=SIZE, poses_out=poses[0]))
    request = Request(clip, out, size=SIZE, poses_out=poses[1], force=True)

    broken_at = PIECE + 4
    with pytest.raises(KeyboardInterrupt):
        run(request, progress=breaking_off(Stage.DRAW, broken_at, KeyboardInterrupt()))
    assert not out.exists(), "half of an output was shown"
    assert work_path(out).is_dir()
    with pytest.raises(KeyboardInterrupt):
        run(request, progress=breaking_off(Stage.JOIN, 0, KeyboardInterrupt()))
    assert not out.exists()
    poser = DiscPoser()
    outcome = run(request, poser)
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
        run(request, progress=breaking_off(Stage.DRAW, PIECE + 5, KeyboardInterrupt()))
    seen: list[tuple[Stage, int, int]] = []
    poser = DiscPoser()
    outcome = run(request, poser, progress=lambda *step: seen.append(step))
    assert outcome.drawn == poser.drawn == LONG - PIECE
    drawing = [step[1:] for step in seen if step[0] is Stage.DRAW]
    assert drawing[0] == (PIECE, LONG)
    assert drawing[-1] == (LONG, LONG)
    assert not [step for step in seen if step[0] is Stage.TRACK], "tracked twice"


def test_progress_ends_with_all_of_it_also_where_the_last_piece_is_full(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(PIECE))
    seen: list[tuple[Stage, int, int]] = []
    run(Request(clip, tmp_path / "out.mp4", size=SIZE), progress=lambda *step: seen.append(step))
    assert (Stage.DRAW, PIECE, PIECE) in seen


def test_other_arguments_do_not_go_on_with_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(10))
    request = Request(clip, tmp_path / "out.mp4", size=SIZE)
    with pytest.raises(KeyboardInterrupt):
        run(request, progress=breaking_off(Stage.DRAW, 5, KeyboardInterrupt()))
    other = replace(request, background="#ff0000")
    with pytest.raises(ConfigError, match=r"with another background.*--restart"):
        run(other)
    run(replace(other, restart=True))
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
        run(request, progress=breaking_off(Stage.DRAW, 5, error))
    assert not request.output or not request.output.exists()
    assert run(request).drawn == 10


def test_disk_that_is_full_from_the_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(3))

    def refuse(path: Path, text: str, encoding: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(VtbridgeError, match=r"out\.mp4\.unfinished is full: free some space"):
        run(Request(clip, tmp_path / "out.mp4", size=SIZE))
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
        run(request)
    with pytest.raises(KeyboardInterrupt):
        run(replace(request, force=True), progress=breaking_off(Stage.JOIN, 0, KeyboardInterrupt()))
    assert out.read_text() == "last year's"
    run(replace(request, force=True))
    assert len(decoded(out)) == 5


def test_video_without_a_face_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0, face=False)] * 5)
    with pytest.raises(VtbridgeError, match="no face was found in any of 5 pictures"):
        run(Request(clip, tmp_path / "out.mp4", size=SIZE))
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]


def test_character_idles_while_no_face_is_seen(tmp_path: Path) -> None:
    pictures = talking(60)
    pictures[20:] = [brightness(0.0, face=False)] * 40
    clip = write_clip(tmp_path / "me.mp4", pictures)
    outcome = run(Request(clip, tmp_path / "out.mp4", size=SIZE, poses_out=tmp_path / "p.json"))
    assert (outcome.pictures, outcome.faces) == (60, 20)
    assert len(decoded(tmp_path / "out.mp4")) == 60


def test_poses_alone_need_no_poser(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(7))

    def refuse() -> DiscPoser:
        raise AssertionError("a poser was opened")

    outcome = animate(
        Request(clip, None, poses_out=tmp_path / "deep" / "poses.json"),
        PICTURE,
        Config(),
        open_tracker=GreyTracker,
        open_poser=refuse,
        progress=lambda stage, done, total: None,
    )
    assert outcome.pictures == 7
    assert read_poses(tmp_path / "deep" / "poses.json").shape == (7, 45)
    assert len(json.loads((tmp_path / "deep" / "poses.json").read_text())) == 7
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["poses.json"]
