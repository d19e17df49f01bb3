"""An avatar that shows what it is told to, when it is told to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.daemon import wait_until
from tests.support.vtbf import unused_name
from vtbridge.app.video_recorder import VideoRecorder, open_video_recorder
from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import Frame, U8Array
from vtbridge.publish.vtbf import FrameReader, FrameWriter
from vtbridge.video.live_formats import VideoCodec, live_format_of

PATIENCE_S = 20.0


def drawing(number: int, width: int = 64, height: int = 64) -> U8Array:
    """Return a soft disc on nothing, uint8 [height, width, 4], premultiplied; each its colour."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - width / 2, y - height / 2)
    alpha = np.clip((min(width, height) * 0.4 - distance) / 4, 0, 1)
    colour = np.array(colour_of(number), np.float32)
    rgba = np.concatenate([alpha[..., None] * colour, 255 * alpha[..., None]], axis=2)
    return np.asarray(np.rint(rgba), np.uint8)


def colour_of(number: int) -> tuple[int, int, int]:
    """Return the colour in the middle of ``drawing(number)``."""
    return 40 + 12 * number % 200, 220 - 9 * number % 200, 90


@dataclass
class ShownAvatar:
    """A living writer; see ``shown_avatar``."""

    name: str
    width: int = 64
    height: int = 64
    shown: int = 0
    published_ns: list[int] = field(default_factory=list)
    writer: FrameWriter | None = None

    def start(self) -> None:
        """Come to life, in the segment of a dead one if there is one."""
        self.writer = FrameWriter.open(
            self.name, max_width=self.width, max_height=self.height, nominal_fps=60
        )

    def show(self, pixels: U8Array | None = None) -> None:
        """Publish one frame, the next drawing unless told otherwise."""
        assert self.writer is not None
        if pixels is None:
            pixels = drawing(self.shown, self.width, self.height)
        number = self.writer.write(Frame(pixels, t_capture_ns=1))
        self.shown += 1
        with FrameReader.attach(self.name) as reader:
            frame = reader.read_newer(number - 1, timeout_s=PATIENCE_S)
        assert frame is not None
        self.published_ns.append(frame.t_publish_ns)

    def lives(self) -> bool:
        """Say that it does, without a new frame."""
        assert self.writer is not None
        self.writer.heartbeat()
        return True

    def end(self) -> None:
        """Say goodbye as a daemon does."""
        assert self.writer is not None
        self.writer.close()
        self.writer = None

    def show_to(self, recorder: VideoRecorder, count: int) -> None:
        """Show that many frames, each once the one before it is recorded."""
        for _ in range(count):
            wanted = recorder.frames + 1
            self.show()
            wait_until(lambda: recorder.frames >= wanted, PATIENCE_S, "the frame is recorded")  # noqa: B023


@contextlib.contextmanager
def shown_avatar(width: int = 64, height: int = 64) -> Iterator[ShownAvatar]:
    """Give a living avatar of a name that nobody has."""
    with unused_name() as name:
        avatar = ShownAvatar(name, width, height)
        avatar.start()
        try:
            yield avatar
        finally:
            if avatar.writer is not None:
                avatar.end()


@contextlib.contextmanager
def recorded(
    avatar: ShownAvatar,
    target: Path,
    codec: VideoCodec | None = None,
    *,
    fps: float | None = None,
) -> Iterator[VideoRecorder]:
    """Record the avatar into ``target`` while the block runs."""
    output = live_format_of(target, codec)
    recorder = open_video_recorder(avatar.name, target, output, MonotonicClock(), fps=fps)
    recorder.start()
    try:
        yield recorder
    finally:
        assert recorder.stop()
        assert recorder.failure is None


@contextlib.contextmanager
def showing_on(avatar: ShownAvatar, pixels: list[U8Array], fps: float = 60.0) -> Iterator[None]:
    """Let the avatar show ``pixels`` over and over while the block runs."""
    ended = threading.Event()

    def show() -> None:
        assert avatar.writer is not None
        while not ended.wait(1 / fps):
            avatar.writer.write(Frame(pixels[avatar.shown % len(pixels)], t_capture_ns=1))
            avatar.shown += 1

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE_S)


def noise(count: int, side: int) -> list[U8Array]:
    """Return pictures that no encoder makes small, uint8 [side, side, 4], premultiplied."""
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (count, side, side, 4), np.uint8)
    pictures[..., :3] = np.minimum(pictures[..., :3], pictures[..., 3:])
    return list(pictures)
