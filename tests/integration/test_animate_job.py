"""Whole animations with real codecs; discs stand in for the networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.animate_job import LONG, PICTURE, PIECE, SIZE, breaking_off, run_job, talking
from tests.support.animation import (
    DiscPoser,
    GreyTracker,
    brightness,
    decoded,
    picture_times,
    write_clip,
)
from tests.support.small_videos import turn_clockwise
from vtbridge.app.animate import job
from vtbridge.app.animate.canvas import Canvas
from vtbridge.app.animate.faces import Span
from vtbridge.app.animate.job import Stage, animate
from vtbridge.app.animate.request import Request
from vtbridge.config.schema import Config
from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.render.pose_file import read_poses
from vtbridge.video.formats import FORMATS, FormatName

pytestmark = pytest.mark.usefixtures("short_pieces")


VIDEO_FORMATS = [name for name in FormatName if FORMATS[name].container]


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
    outcome = run_job(Request(clip, out, size=SIZE, poses_out=tmp_path / "poses.json"))
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


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.3, 0.31, 0.9, 0.95]
    clip = write_clip(tmp_path / "me.mkv", talking(6), times=times)
    for suffix in (".mp4", ".webm"):
        out = tmp_path / f"out{suffix}"
        run_job(Request(clip, out, size=SIZE))
        assert picture_times(out) == pytest.approx(times, abs=0.001)


def test_source_stands_beside_upright(tmp_path: Path) -> None:
    stored = brightness(0.0)
    stored[:, :24] = 230  # what the phone's sensor saw on the left is up
    clip = write_clip(tmp_path / "me.mp4", [stored] * 3)
    turn_clockwise(clip)
    out = tmp_path / "out.mp4"
    run_job(Request(clip, out, size=SIZE, side_by_side=True, background="#000000"))
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
        run_job(request, progress=breaking_off(Stage.DRAW, PIECE + 3, KeyboardInterrupt()))
    run_job(request)
    beside = [float(picture[20:44, 20:70, 0].mean()) for picture in decoded(out)]
    assert beside == pytest.approx([40 + 200 * level for level in levels[10:]], abs=6)


def test_still_character_is_drawn_once(tmp_path: Path) -> None:
    poses = np.zeros((6, 45), np.float32)
    poses[4:] = 0.5
    poser = DiscPoser()
    pictures = list(job.drawn_pictures(poses, poser, Canvas(), iter(())))
    assert len(pictures) == 6
    assert poser.drawn == 2


def test_video_without_a_face_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0, face=False)] * 5)
    with pytest.raises(VtbridgeError, match="no face was found in any of 5 pictures"):
        run_job(Request(clip, tmp_path / "out.mp4", size=SIZE))
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]


def test_character_idles_while_no_face_is_seen(tmp_path: Path) -> None:
    pictures = talking(60)
    pictures[20:] = [brightness(0.0, face=False)] * 40
    clip = write_clip(tmp_path / "me.mp4", pictures)
    outcome = run_job(Request(clip, tmp_path / "out.mp4", size=SIZE, poses_out=tmp_path / "p.json"))
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
