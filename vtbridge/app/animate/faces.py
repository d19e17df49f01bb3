"""First pass: the face in every picture of a video, kept on disk.

A tracker learns for a minute and more what a person's open eyes and resting jaw look like,
so this pass cannot go on in the middle: broken off, it begins anew. It takes a small part of
the whole time. Because the video can be read twice, the tracker watches its beginning once
before its word counts; a live tracker does not know the eyes it sees first.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vtbridge.atomic_file import whole
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.errors import ConfigError, PacketError, VtbridgeError
from vtbridge.tracking.recordings.face_json import encode_face, parse_face
from vtbridge.tracking.webcam.video_file import VideoPicture, open_video

WARM_UP_S = 15.0
"""Seconds of the beginning that the tracker watches twice."""
SOURCE = "webcam:video"

_FACES_FILE = "faces.jsonl.gz"
_SUMMARY_FILE = "faces.json"


class Tracker(Protocol):
    """What this pass needs of a face tracker; ``FaceTracker`` is one."""

    def track(self, rgb: U8Array, t_ns: int, source: str = ...) -> FaceFrame:
        """Return the face in ``rgb``, uint8 [H, W, 3], the picture after the last one."""


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a video that is wanted: ``start_s`` <= time < ``end_s``."""

    start_s: float = 0.0
    end_s: float | None = None


WHOLE = Span()


@dataclass(frozen=True, slots=True)
class FacesFound:
    """What the first pass saw.

    Attributes:
        pictures: how many pictures lie in the span.
        faces: how many of them show a face.
        first_index: how many pictures of the video come before the span.
    """

    pictures: int
    faces: int
    first_index: int


class FacesOfVideo:
    """The faces of a span of a video, tracked once and then read from disk.

    Args:
        video: the video file.
        span: which pictures.
        folder: where the faces are kept.
        open_tracker: makes a fresh tracker.
    """

    def __init__(
        self, video: Path, span: Span, folder: Path, open_tracker: Callable[[], Tracker]
    ) -> None:
        self._video = video
        self._span = span
        self._file = folder / _FACES_FILE
        self._summary_file = folder / _SUMMARY_FILE
        self._open_tracker = open_tracker

    def track(self, advance: Callable[[int], None]) -> FacesFound:
        """Track the video, unless that was done before.

        Args:
            advance: told how many pictures are tracked so far.

        Raises:
            VtbridgeError: the video cannot be read.
            ConfigError: no picture lies in the span.
        """
        if self._summary_file.is_file():
            return self._found_before()
        tracker = self._open_tracker()
        self._warm_up(tracker)
        pictures = faces = first_index = 0
        with whole(self._file) as part:
            with gzip.open(part, "wb", compresslevel=4) as file:
                for picture in self._pictures():
                    t_ns = round(picture.t_s * NS_PER_S)
                    face = tracker.track(picture.rgb, t_ns, SOURCE)
                    file.write(b"%d,%s\n" % (t_ns, encode_face(face)))
                    if not pictures:
                        first_index = picture.index
                    pictures += 1
                    faces += face.tracked
                    advance(pictures)
            if not pictures:
                raise ConfigError(f"--from: {self._video} ends before {self._span.start_s:g} s")
        with whole(self._summary_file) as part:
            part.write_text(json.dumps([pictures, faces, first_index]), "utf-8")
        return FacesFound(pictures, faces, first_index)

    def __iter__(self) -> Iterator[FaceFrame]:
        """Yield the face of each picture, dated by the video's own time, strictly rising."""
        last_ns = -1
        try:
            with gzip.open(self._file) as file:
                for line in file:
                    stamp, _, data = line.rstrip().partition(b",")
                    last_ns = max(last_ns + 1, int(stamp))
                    yield parse_face(data, last_ns, SOURCE)
        except (OSError, EOFError, ValueError, zlib.error, PacketError) as error:
            raise _damaged(self._file, error) from error

    def _warm_up(self, tracker: Tracker) -> None:
        """Let ``tracker`` watch the beginning, dated as if it came right before it."""
        end_s = self._span.start_s + WARM_UP_S
        for picture in self._pictures():
            if picture.t_s >= end_s:
                return
            tracker.track(picture.rgb, round((picture.t_s - WARM_UP_S) * NS_PER_S), SOURCE)

    def _pictures(self) -> Iterator[VideoPicture]:
        with open_video(self._video) as video:
            for picture in video.pictures():
                if self._span.end_s is not None and picture.t_s >= self._span.end_s:
                    return
                if picture.t_s >= self._span.start_s:
                    yield picture

    def _found_before(self) -> FacesFound:
        try:
            return FacesFound(*map(int, json.loads(self._summary_file.read_bytes())))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _damaged(self._summary_file, error) from error


def _damaged(path: Path, error: Exception) -> VtbridgeError:
    return VtbridgeError(f"{path} is damaged ({error}): start anew with --restart")
