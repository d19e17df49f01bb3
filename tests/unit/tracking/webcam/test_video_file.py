"""Video files come out as upright pictures in order, or with a message that helps."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.small_videos import (
    SIDE_H,
    SIDE_W,
    grey_index,
    grey_picture,
    turn_clockwise,
    write_sound,
    write_video,
)
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.webcam import video_file
from vtbridge.tracking.webcam.video_file import VideoFile, open_video

COUNT = 8


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", [grey_picture(i) for i in range(COUNT)])


def test_every_picture_comes_once_with_its_time(clip: Path) -> None:
    with open_video(clip) as video:
        assert (video.width, video.height) == (SIDE_W, SIDE_H)
        assert float(video.fps) == pytest.approx(25)
        assert video.frame_count == COUNT
        assert video.duration_s == pytest.approx(COUNT / 25)
        assert not video.has_sound
        pictures = list(video.pictures())
    assert [grey_index(picture.rgb) for picture in pictures] == list(range(COUNT))
    assert [picture.index for picture in pictures] == list(range(COUNT))
    assert [picture.t_s for picture in pictures] == pytest.approx([i / 25 for i in range(COUNT)])
    assert pictures[0].rgb.shape == (SIDE_H, SIDE_W, 3)
    assert not pictures[0].rgb.flags.writeable


def test_pictures_can_be_had_again_and_from_an_index_on(clip: Path) -> None:
    with open_video(clip) as video:
        for start in (0, 5, 3):
            pictures = list(video.pictures(start))
            assert [picture.index for picture in pictures] == list(range(start, COUNT))
            assert [grey_index(picture.rgb) for picture in pictures] == list(range(start, COUNT))
        assert list(video.pictures(COUNT)) == []


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 1.9]
    path = write_video(tmp_path / "v.mkv", [grey_picture(i) for i in range(5)], times=times)
    with open_video(path) as video:
        assert [p.t_s for p in video.pictures()] == pytest.approx(times, abs=2e-3)


def test_times_start_with_the_file(tmp_path: Path) -> None:
    times = [7.0 + i / 25 for i in range(12)]
    noise = np.random.default_rng(3).integers(0, 255, (12, SIDE_H, SIDE_W, 3), np.uint8)
    path = write_video(tmp_path / "v.ts", list(noise), times=times)
    with open_video(path) as video:
        assert next(iter(video.pictures())).t_s == pytest.approx(0.0, abs=1e-3)


def test_sound_is_noticed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [grey_picture(0)] * 3, with_sound=True)
    with open_video(path) as video:
        assert video.has_sound
        assert len(list(video.pictures())) == 3


def test_picture_of_a_phone_held_upright_is_upright(tmp_path: Path) -> None:
    stored = grey_picture(0)
    stored[:, : SIDE_W // 2] = 220  # bright on the left of what the sensor saw
    path = write_video(tmp_path / "phone.mp4", [stored] * 2)
    turn_clockwise(path)
    with open_video(path) as video:
        assert (video.width, video.height) == (SIDE_H, SIDE_W)
        shown = next(video.pictures()).rgb
    assert shown.shape == (SIDE_W, SIDE_H, 3)
    assert shown[: SIDE_W // 2 - 4].mean() > 180  # left has become up
    assert shown[SIDE_W // 2 + 4 :].mean() < 60
    assert shown.flags.c_contiguous


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VtbridgeError, match=r"gone\.mp4 does not exist"):
        open_video(tmp_path / "gone.mp4")


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100, bytes(5000)])
def test_what_is_no_video_is_named_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(VtbridgeError, match=r"notes\.mp4 cannot be read.*ffmpeg -i"):
        open_video(path)


def test_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VtbridgeError, match="is a folder: name a video file in it"):
        open_video(tmp_path)


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VtbridgeError, match="is no file: name a video file"):
        open_video(tmp_path / "pipe")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_still_picture_is_told_from_a_video(suffix: str, tmp_path: Path, clip: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / f"me.{suffix}")
    with open_video(tmp_path / f"me.{suffix}") as still, open_video(clip) as video:
        assert still.is_still
        assert not video.is_still


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VtbridgeError, match="holds no pictures, only sound"):
        open_video(write_sound(tmp_path / "voice.wav"))


def test_damage_costs_only_its_own_pictures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (40, SIDE_H, SIDE_W, 3), np.uint8)
    path = write_video(tmp_path / "v.mp4", list(noise))
    content = path.read_bytes()
    first, last = len(content) * 4 // 10, len(content) * 6 // 10
    path.write_bytes(content[:first] + bytes(last - first) + content[last:])
    with caplog.at_level(logging.WARNING), open_video(path) as video:
        caplog.clear()
        assert 25 <= len(list(video.pictures())) < 40
    assert [record.message.split(" is ")[1][:17] for record in caplog.records] == [
        "damaged in places"
    ]


def test_file_that_stops_being_readable_gives_what_came_before(
    clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking:
        """A container on a disk that fails after four packets."""

        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self, stream: Any) -> Iterator[Any]:
            yield from itertools.islice(self._container.demux(stream), 4)
            raise av.error.OSError(5, "Input/output error")

    opened = VideoFile._open
    monkeypatch.setattr(VideoFile, "_open", lambda self: Breaking(opened(self)))
    with caplog.at_level(logging.WARNING), open_video(clip) as video:
        assert 1 <= len(list(video.pictures())) <= 4
    assert "ends early, it is damaged" in caplog.text


def test_file_cut_off_gives_what_is_left(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (40, SIDE_H, SIDE_W, 3), np.uint8)
    path = write_video(tmp_path / "v.mkv", list(noise))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with open_video(path) as video:
        assert 5 <= len(list(video.pictures())) < 40


def test_pictures_too_large_are_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_file, "MOST_PIXELS", SIDE_W * SIDE_H - 1)
    with pytest.raises(VtbridgeError, match=f"its pictures are {SIDE_W}x{SIDE_H}"):
        open_video(clip)
