"""What stands in the file: clean alpha, right colours, and the sound in its time."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.animate_job import SIZE, run_job, talking
from tests.support.animation import (
    CLICK_S,
    brightness,
    click_time,
    decoded,
    picture_times,
    write_clip,
)
from vtbridge.app.animate.faces import Span
from vtbridge.app.animate.request import Request
from vtbridge.video.formats import FormatName

pytestmark = pytest.mark.usefixtures("short_pieces")


@pytest.mark.parametrize("name", [FormatName.WEBM, FormatName.MOV])
def test_alpha_is_really_there_and_edges_are_clean(name: FormatName, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0)] * 5)
    exact, out = tmp_path / "exact", tmp_path / f"out.{name}"
    run_job(Request(clip, exact, size=(256, 256)))
    run_job(Request(clip, out, size=(256, 256)))
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
        run_job(Request(clip, out, size=SIZE, background=background))
        with av.open(str(out)) as container:
            metadata = {key.lower(): v for key, v in container.streams.video[0].metadata.items()}
        assert metadata.get("alpha_mode") == told
    run_job(Request(clip, tmp_path / "out.mov", size=SIZE))
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "ap4h"


def test_key_colour_arrives_as_it_was_asked_for(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.0)] * 3)
    out = tmp_path / "out.mp4"
    run_job(Request(clip, out, size=SIZE, background="#00ff00"))
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
    corner = decoded(out)[1][0, 0, :3].astype(int)
    assert np.abs(corner - (0, 255, 0)).max() <= 3


def test_png_files_hold_straight_alpha_and_no_hidden_colour(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(3))
    out = tmp_path / "frames"
    outcome = run_job(Request(clip, out))
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
    outcome = run_job(Request(clip, out, size=SIZE))
    assert told in outcome.sound
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == written
        assert len(container.streams.audio) == 1
    assert click_time(clip) == pytest.approx(CLICK_S, abs=0.01)
    assert click_time(out) == pytest.approx(click_time(clip), abs=0.01)


def test_copied_sound_is_the_same_to_the_byte(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(30), sound="aac")
    out = tmp_path / "out.mp4"
    run_job(Request(clip, out, size=SIZE))

    def sound(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]

    assert sound(out) == sound(clip)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_part_begins_at_zero_with_its_own_sound(suffix: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "me.mp4", talking(40), sound="aac")
    out = tmp_path / f"out{suffix}"
    outcome = run_job(Request(clip, out, size=SIZE, span=Span(0.21, 1.0)))
    assert outcome.pictures == 19  # 0.24, 0.28, ..., 0.96
    assert picture_times(out) == pytest.approx([i * 0.04 for i in range(19)], abs=0.001)
    assert click_time(out) == pytest.approx(CLICK_S - 0.24, abs=0.01)
    with av.open(str(out)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(0.76, abs=0.05)
