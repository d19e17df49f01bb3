"""A video that grows can be played, whether it was ended or broken off."""

from __future__ import annotations

import contextlib
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.support.shown_avatar import drawing, noise
from tests.support.small_disk import SmallDisk
from vtbridge.datatypes import U8Array
from vtbridge.video.live_formats import LIVE_FORMATS, VideoCodec
from vtbridge.video.live_video import LiveVideo, PngFiles

VIDEOS = [(VideoCodec.VP9, "webm"), (VideoCodec.ANIMATION, "mov"), (VideoCodec.PRORES, "mov")]
MS = Fraction(1, 1000)


def opened(
    path: Path, codec: VideoCodec, *, side: int = 32, reserve_bytes: int | None = None
) -> LiveVideo:
    return LiveVideo(
        path, LIVE_FORMATS[codec], (side, side), Fraction(50), MS, reserve_bytes=reserve_bytes
    )


def pictures_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def write_until_full(video: LiveVideo, pictures: list[U8Array], most: int = 2000) -> int:
    for number in range(most):
        if video.full is not None:
            return number
        video.write(pictures[number % len(pictures)], 20 * number, repeated=False)
    raise AssertionError("the disk was never full")


@pytest.mark.parametrize(("codec", "suffix"), VIDEOS)
def test_last_picture_stays_as_long_as_it_was_shown(
    codec: VideoCodec, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    video = opened(path, codec)
    for number, tick in enumerate((0, 20, 500)):
        video.write(drawing(number, 32, 32), tick, repeated=False)
    video.finish(2000)
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(2.0, abs=0.002)
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([0, 0.02, 0.5], abs=1e-6)


def boxes(path: Path) -> list[bytes]:
    """Return the kinds of a QuickTime file's outermost boxes."""
    content, at, kinds = path.read_bytes(), 0, []
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, at + 8)
        kinds.append(kind)
        at += size
    return kinds


def test_mov_has_one_index_when_it_is_ended_and_many_before(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    video = opened(path, VideoCodec.ANIMATION)
    for number in range(100):
        video.write(drawing(number, 32, 32), 20 * number, repeated=False)
    assert boxes(path).count(b"moof") >= 2, "a crash leaves these"
    video.finish(2000)
    assert b"moof" not in boxes(path), "editing programs do not like them"
    assert boxes(path).count(b"moov") == 1


@pytest.mark.parametrize(("codec", "suffix"), VIDEOS)
def test_players_are_told_what_they_need(codec: VideoCodec, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    video = opened(path, codec)
    video.write(drawing(1, 32, 32), 0, repeated=False)
    video.finish(20)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        metadata = {key.lower(): value for key, value in stream.metadata.items()}
        context = stream.codec_context
        assert metadata.get("alpha_mode") == ("1" if codec is VideoCodec.VP9 else None)
        if codec is VideoCodec.PRORES:
            assert context.codec_tag == "ap4h"
        if codec is not VideoCodec.ANIMATION:
            assert (context.colorspace, context.color_range) == (1, 1)


@pytest.mark.parametrize(("codec", "suffix"), VIDEOS)
def test_full_disk_leaves_a_finished_file(
    codec: VideoCodec, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    SmallDisk(monkeypatch, room=400_000)
    video = opened(path, codec, reserve_bytes=200_000)
    written = write_until_full(video, noise(8, 32))
    video.finish(20 * written)
    assert pictures_in(path) == written
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(0.02 * written, abs=0.01)


@pytest.mark.parametrize(("codec", "suffix"), VIDEOS)
def test_disk_without_any_room_for_the_end_leaves_whole_pieces(
    codec: VideoCodec, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    disk = SmallDisk(monkeypatch, room=400_000)
    video = opened(path, codec, reserve_bytes=0)
    pictures = noise(8, 32)
    written = 0
    with contextlib.suppress(OSError):
        for written in range(2000):
            video.write(pictures[written % 8], 20 * written, repeated=False)
    assert video.full is not None
    with pytest.raises(OSError, match="No space left"):
        video.finish(20 * written)
    assert path.stat().st_size < disk.room, "half a piece was cut off"
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([0.02 * number for number in range(len(times))], abs=1e-6)
    assert written - len(times) <= 130, "no more than the last seconds are missing"


@pytest.mark.parametrize("room", [10, 300])
def test_disk_that_takes_no_picture_leaves_nothing(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallDisk(monkeypatch, room=room)
    video = opened(tmp_path / "a.mov", VideoCodec.ANIMATION, reserve_bytes=0)
    with pytest.raises(OSError, match="No space left"):
        write_until_full(video, noise(2, 32))
    with pytest.raises(OSError, match="No space left"):
        video.finish(20)
    assert list(tmp_path.iterdir()) == []


def test_png_shown_again_takes_no_room_but_has_its_number(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    files = PngFiles(folder)
    files.write(drawing(1), 0, repeated=False)
    size = files.size
    files.write(drawing(1), 1, repeated=True)
    files.write(drawing(2), 2, repeated=False)
    files.finish(3)
    first, again, other = (folder / f"{number:06d}.png" for number in range(3))
    assert first.samefile(again)
    assert not first.samefile(other)
    assert size < files.size == first.stat().st_size + other.stat().st_size


def test_png_shown_again_is_written_again_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    files = PngFiles(tmp_path / "frames")
    for tick in range(2):
        files.write(drawing(1), tick, repeated=tick > 0)
    first, again = sorted((tmp_path / "frames").iterdir())
    assert first.read_bytes() == again.read_bytes()
