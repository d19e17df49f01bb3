"""A recording ends well whatever happens to its disk, its avatar or its encoder."""

from __future__ import annotations

import errno
import os
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tests.support.daemon import wait_until
from vtbridge.app.video_recorder import (
    VideoRecorder,
    check_new_video,
    premultiplied_of,
)
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FrameFlag, U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.publish.frame_feed import FedFrame, FrameFeed
from vtbridge.publish.vtbf import AlphaMode, Liveness, ReceivedFrame
from vtbridge.video.live_formats import LIVE_FORMATS, VideoCodec
from vtbridge.video.timeline import EvenTimes, OwnTimes, Timeline

PATIENCE_S = 20.0
MS = 1_000_000
NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def frame(pixels: U8Array, alpha_mode: AlphaMode = AlphaMode.PREMULTIPLIED) -> ReceivedFrame:
    return ReceivedFrame(pixels, 1, 1, 0, 0, FrameFlag.NONE, alpha_mode)


class Feed:
    """Frames that were taken already; the avatar lives for a second after the last."""

    def __init__(self, times_ms: list[int], *, dies: bool = False, side: int = 8) -> None:
        self.missed = self.dropped = 0
        self.liveness = Liveness.LIVE
        self.trouble = "the segment is broken" if dies else ""
        self.alive = not dies
        self.alive_ns = (times_ms[-1] if times_ms else 0) * MS + NS_PER_S
        self.stopped = False
        self._waiting = deque(
            FedFrame(frame(np.full((side, side, 4), number, np.uint8)), ms * MS)
            for number, ms in enumerate(times_ms)
        )

    def start(self) -> None: ...

    def stop(self) -> None:
        self.stopped = True

    def get(self, *, timeout_s: float) -> FedFrame | None:
        del timeout_s
        return self._waiting.popleft() if self._waiting else None


class File:
    """Where pictures go; what it is told to do goes wrong."""

    def __init__(
        self,
        *,
        fails_at: int | None = None,
        full_at: int | None = None,
        end_fails: bool = False,
    ) -> None:
        self.pictures: list[tuple[int, int]] = []
        self.ended_at: int | None = None
        self.full: OSError | None = None
        self._fails_at, self._full_at, self._end_fails = fails_at, full_at, end_fails

    @property
    def size(self) -> int:
        return 100 * len(self.pictures)

    def write(self, premultiplied: U8Array, tick: int, *, repeated: bool) -> None:
        del repeated
        if len(self.pictures) == self._fails_at:
            raise NO_ROOM
        self.pictures.append((int(premultiplied[-1, -1, 0]), tick))
        if len(self.pictures) == self._full_at:
            self.full = NO_ROOM

    def finish(self, end_tick: int) -> None:
        assert self.ended_at is None, "a file is ended once"
        self.ended_at = end_tick
        if self._end_fails:
            raise NO_ROOM


def run(
    feed: Feed, file: File, timeline: Timeline[ReceivedFrame] | None = None, *, frames: int
) -> VideoRecorder:
    """Record until ``frames`` came, or until it ends by itself."""
    recorder = VideoRecorder(
        cast("FrameFeed", feed), timeline or OwnTimes(Fraction(1, 1000)), lambda size: file
    )
    recorder.start()
    wait_until(
        lambda: recorder.frames >= frames or not recorder.alive, PATIENCE_S, "frames are recorded"
    )
    assert recorder.stop()
    assert recorder.failure is None
    assert feed.stopped
    return recorder


def test_all_that_waits_is_recorded_and_the_last_is_held_while_the_avatar_lives() -> None:
    file = File()
    recorder = run(Feed([0, 20, 50]), file, frames=1)
    assert file.pictures == [(0, 0), (1, 20), (2, 50)]
    assert file.ended_at == 1050
    assert (recorder.frames, recorder.pictures, recorder.trouble) == (3, 3, "")
    assert recorder.seconds == pytest.approx(1.05)


def test_frames_that_wait_when_it_is_ended_are_recorded_too() -> None:
    class Slow(Feed):
        def get(self, *, timeout_s: float) -> FedFrame | None:
            return super().get(timeout_s=timeout_s) if self.stopped else None

    file = File()
    run(Slow([0, 20, 50]), file, frames=0)
    assert file.pictures == [(0, 0), (1, 20), (2, 50)]


def test_constant_rate_fills_up_to_the_end() -> None:
    file = File()
    recorder = run(Feed([0, 20, 250]), file, EvenTimes(Fraction(10)), frames=3)
    assert file.pictures[:3] == [(1, 0), (1, 1), (2, 2)]
    assert [tick for _, tick in file.pictures] == list(range(12))
    assert file.ended_at == 12
    assert (recorder.frames, recorder.pictures) == (3, 12)


@pytest.mark.parametrize("file", [File(fails_at=1), File(full_at=1)], ids=["at once", "reserve"])
def test_full_disk_ends_the_file_and_says_why(file: File) -> None:
    recorder = run(Feed([0, 20, 40]), file, frames=9)
    assert recorder.trouble == "No space left on device"
    assert file.pictures == [(0, 0)]
    assert file.ended_at is not None


def test_full_disk_is_not_asked_to_take_a_whole_pause() -> None:
    file = File(full_at=2)
    run(Feed([0, 3_000]), file, EvenTimes(Fraction(10)), frames=9)
    assert len(file.pictures) == 2


def test_end_that_has_no_room_is_told() -> None:
    recorder = run(Feed([0]), File(end_fails=True), frames=1)
    assert recorder.trouble == "No space left on device"


def test_segment_that_breaks_ends_the_file_and_says_why() -> None:
    file = File()
    recorder = run(Feed([0, 20], dies=True), file, frames=9)
    assert recorder.trouble == "the segment is broken"
    assert len(file.pictures) == 2
    assert file.ended_at is not None


def test_file_that_cannot_be_made_is_told() -> None:
    def refuse(size: tuple[int, int]) -> File:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    recorder = VideoRecorder(cast("FrameFeed", Feed([0, 20])), OwnTimes(Fraction(1, 1000)), refuse)
    recorder.start()
    wait_until(lambda: not recorder.alive, PATIENCE_S, "it gives up")
    assert (recorder.trouble, recorder.frames) == ("Permission denied", 0)


def test_recording_of_nothing_makes_no_file() -> None:
    file = File()
    recorder = run(Feed([]), file, frames=0)
    assert (recorder.size, recorder.seconds, file.ended_at) == (None, 0.0, None)


def test_alpha_of_every_kind_becomes_premultiplied() -> None:
    pixels = np.full((2, 2, 4), (200, 100, 50, 128), np.uint8)
    assert premultiplied_of(frame(pixels))[0, 0].tolist() == [200, 100, 50, 128]
    straight = premultiplied_of(frame(pixels, AlphaMode.STRAIGHT))[0, 0]
    assert np.abs(straight.astype(int) - (100, 50, 25, 128)).max() <= 1
    assert premultiplied_of(frame(pixels, AlphaMode.OPAQUE))[0, 0].tolist() == [200, 100, 50, 255]
    assert pixels[0, 0, 3] == 128, "the frame itself stays as it was"


def test_target_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    webm, png = LIVE_FORMATS[VideoCodec.VP9], LIVE_FORMATS[VideoCodec.PNG]
    there = tmp_path / "a.webm"
    there.touch()
    for target, output, told in (
        (there, webm, "is there already"),
        (tmp_path / "no" / "a.webm", webm, "there is no folder"),
        (tmp_path, png, "holds files already"),
    ):
        with pytest.raises(VtbridgeError, match=told):
            check_new_video(target, output)
    (tmp_path / "empty").mkdir()
    check_new_video(tmp_path / "empty", png)
    check_new_video(tmp_path / "new", png)
