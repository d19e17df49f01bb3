"""The whole job: track, pose, draw and encode piece by piece, join, put in place."""

from __future__ import annotations

import errno
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from vtbridge.app.animate.canvas import Canvas
from vtbridge.app.animate.encode import (
    PieceEncoder,
    PngPieces,
    VideoPieces,
    pieces_done,
    pieces_needed,
)
from vtbridge.app.animate.faces import FacesOfVideo, Tracker
from vtbridge.app.animate.join import join_pieces, timing_of
from vtbridge.app.animate.pose_track import PoseTrack, pose_track
from vtbridge.app.animate.request import Plan, Request, plan
from vtbridge.app.animate.work_folder import (
    WorkFolder,
    open_work,
    put_in_place,
    work_path,
)
from vtbridge.atomic_file import whole
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.render.alpha import CHANNELS, straight_from_network
from vtbridge.render.poser import Poser
from vtbridge.tracking.webcam.video_file import VideoPicture, open_video
from vtbridge.video.formats import OutputFormat


class Stage(StrEnum):
    """What is being done, as progress tells it."""

    TRACK = "following the face"
    DRAW = "drawing"
    JOIN = "joining"


Progress = Callable[[Stage, int, int], None]
"""Told the stage, how many pictures are done, and of how many (0 = nobody knows yet)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Attributes:
        pictures: in the output.
        faces: how many of the source's pictures show a face.
        fps: pictures a second, on average.
        seconds: length of the output.
        drawn: pictures that this run drew; an earlier one may have left others.
        sound: what became of the sound, for people; empty if no video was written.
        runtime: what drew, for people; empty if nothing had to be drawn.
    """

    pictures: int
    faces: int
    fps: float
    seconds: float
    drawn: int = 0
    sound: str = ""
    runtime: str = ""


def animate(
    request: Request,
    picture: Picture,
    config: Config,
    *,
    open_tracker: Callable[[], Tracker],
    open_poser: Callable[[], Poser],
    progress: Progress,
) -> Outcome:
    """Do what ``request`` says; broken off and called again, go on where it stopped.

    Args:
        request: what is wanted.
        picture: the character.
        config: the user's settings.
        open_tracker: makes a fresh face tracker.
        open_poser: makes the poser; not called if nothing has to be drawn.
        progress: told how it goes.

    Raises:
        ConfigError: something asked for is impossible, or another job's work is in the way.
        VtbridgeError: the video cannot be read or shows no face, or the disk is full.
    """
    planned = plan(request, picture, config)
    with (
        _told_plainly(work_path(planned.target)),
        open_work(planned.target, planned.record, restart=request.restart) as work,
        ExitStack() as closing,
    ):
        poser: Poser | None = None
        if planned.output is not None:
            # Opened first: what is missing should not be missed after an hour of tracking.
            poser = open_poser()
            closing.callback(poser.close)
            poser.set_picture(picture)
        faces = FacesOfVideo(request.video, request.span, work.path, open_tracker)
        total = _expected_pictures(request)
        found = faces.track(lambda done: progress(Stage.TRACK, done, total and max(total, done)))
        if not found.faces:
            work.discard()
            raise VtbridgeError(
                f"no face was found in any of {found.pictures} pictures of {request.video}: it "
                "must look at the camera and fill a tenth of the picture's width or more"
            )
        track = pose_track(faces, config, calibrate=request.calibrate)
        outcome = Outcome(
            pictures=found.pictures,
            faces=found.faces,
            fps=float(planned.fps),
            seconds=_length_s(track, planned),
        )
        if request.poses_out is not None:
            _write_poses(track.values, request.poses_out)
        if planned.output is not None and poser is not None:
            drawing = _Drawing(request, planned, planned.output, work, track, poser)
            drawn = drawing.draw(found.first_index, progress)
            progress(Stage.JOIN, 0, 1)
            sound = drawing.finish(picture.credit)
            progress(Stage.JOIN, 1, 1)
            runtime = poser.describe() if drawn else ""
            outcome = replace(outcome, drawn=drawn, sound=sound, runtime=runtime)
        work.discard()
    return outcome


class _Drawing:
    """The second pass: poses into pieces, pieces into the output."""

    def __init__(
        self,
        request: Request,
        planned: Plan,
        output: OutputFormat,
        work: WorkFolder,
        track: PoseTrack,
        poser: Poser,
    ) -> None:
        self._request, self._plan, self._output = request, planned, output
        self._work, self._track, self._poser = work, track, poser
        self._pieces = work.subfolder("pieces")
        self._encoder: PieceEncoder = PngPieces()
        if output.container:
            self._encoder = VideoPieces(
                output, request.quality, planned.fps, transparent=planned.transparent
            )

    def draw(self, first_index: int, progress: Progress) -> int:
        """Draw what is not drawn yet and return how many pictures that were."""
        total = len(self._track.values)
        size = self._encoder.pictures_per_piece
        done = pieces_done(self._encoder, self._pieces, total)
        first = min(done * size, total)
        progress(Stage.DRAW, first, total)
        if first == total:
            return 0

        def counted(pictures: Iterator[U8Array]) -> Iterator[U8Array]:
            for number, pixels in enumerate(pictures, first + 1):
                yield pixels
                progress(Stage.DRAW, number, total)

        with ExitStack() as closing:
            sources: Iterator[VideoPicture] = iter(())
            if self._plan.canvas.source_width:
                video = closing.enter_context(open_video(self._request.video))
                sources = video.pictures(start=first_index + first)
            pictures = counted(
                drawn_pictures(self._track.values[first:], self._poser, self._plan.canvas, sources)
            )
            for piece in range(done, pieces_needed(self._encoder, total)):
                path = self._encoder.path(self._pieces, piece)
                self._encoder.write(itertools.islice(pictures, size), path)
        progress(Stage.DRAW, total, total)  # a full last piece is not asked for more
        return total - first

    def finish(self, comment: str) -> str:
        """Put the output in its place and return what became of the sound."""
        if not self._output.container:
            put_in_place(self._pieces, self._plan.target)
            return "no sound: PNG files hold none"
        span = self._request.span
        if span.start_s > 0:
            # A part begins with its first picture, or players would show black before it.
            span = replace(span, start_s=float(self._track.t_ns[0] / NS_PER_S))
        finished = self._work.path / f"finished.{self._output.container}"
        pieces = pieces_needed(self._encoder, len(self._track.values))
        sound = join_pieces(
            [self._encoder.path(self._pieces, piece) for piece in range(pieces)],
            finished,
            self._output,
            timing_of(self._track.t_ns, span.start_s, self._plan.fps, self._plan.time_base),
            transparent=self._plan.transparent,
            video=self._request.video,
            span=span,
            comment=comment,
        )
        put_in_place(finished, self._plan.target)
        return sound


def drawn_pictures(
    poses: F32Array, poser: Poser, canvas: Canvas, sources: Iterator[VideoPicture]
) -> Iterator[U8Array]:
    """Yield the finished picture of each pose; equal poses in a row are drawn once.

    Args:
        poses: float32 [N, 45].
        poser: has its picture.
        canvas: the layout.
        sources: the video's pictures from the first pose on, where the canvas shows them.

    Raises:
        InferenceError: the poser failed.
    """
    character = np.empty((PICTURE_SIZE, PICTURE_SIZE, CHANNELS), np.uint8)
    before: F32Array | None = None
    finished: U8Array | None = None
    for values in poses:
        moved = before is None or not np.array_equal(values, before)
        if moved:
            straight_from_network(poser.render_float(values), character)
            before = values
        source = next(sources, None)
        if finished is None or moved or source is not None:
            finished = canvas.compose(character, None if source is None else source.rgb)
        yield finished


def _expected_pictures(request: Request) -> int:
    with open_video(request.video) as video:
        total = video.frame_count or round(video.duration_s * video.fps)
        end_s = min(request.span.end_s or video.duration_s, video.duration_s)
        if video.duration_s <= 0:
            return total
        share = max(end_s - request.span.start_s, 0) / video.duration_s
    return round(total * share)


def _length_s(track: PoseTrack, planned: Plan) -> float:
    return float(track.t_ns[-1] - track.t_ns[0]) / NS_PER_S + float(1 / planned.fps)


def _write_poses(values: F32Array, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_text(json.dumps(values.tolist()), "utf-8")


@contextmanager
def _told_plainly(work: Path) -> Iterator[None]:
    """Turn what the disk and FFmpeg complain about into one sentence."""
    import av

    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise VtbridgeError(
                f"the disk with {work} is full: free some space, then the same command goes on "
                "where it stopped"
            ) from error
        raise VtbridgeError(
            f"{error}: once that is mended, the same command goes on where it stopped"
        ) from error
    except av.error.FFmpegError as error:
        raise VtbridgeError(
            f"FFmpeg failed: {error}. The same command goes on where it stopped, --restart "
            "starts anew"
        ) from error
