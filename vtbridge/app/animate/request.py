"""What a user asks an animation to be, checked before anything is computed for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vtbridge import __version__
from vtbridge.app.animate.canvas import DEFAULT_BACKGROUND, Canvas
from vtbridge.app.animate.faces import WHOLE, Span
from vtbridge.app.animate.work_folder import Record, check_target
from vtbridge.app.animate.zoom import Zoom
from vtbridge.config.schema import Config
from vtbridge.datatypes import PICTURE_SIZE, Picture
from vtbridge.errors import ConfigError, VtbridgeError, WeightsError
from vtbridge.render.weights import FACE_LANDMARKER, WeightStore
from vtbridge.tracking.webcam.video_file import VideoFile, open_video
from vtbridge.video.background import open_background
from vtbridge.video.formats import FormatName, OutputFormat, Quality, format_of

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Attributes:
        video: a video of a face.
        output: the file or folder to write; None = only ``poses_out``.
        poses_out: where the poses go as JSON; None = nowhere.
        format: None = as the output's suffix says.
        size: width and height of the part that shows the character, pixels.
        zoom: how near the character is shown.
        background: a colour or a picture; None = transparent where the format can.
        side_by_side: whether the source is shown on the left.
        span: which part of the video.
        quality: of the encoder.
        calibrate: whether the video's own resting face is neutral.
        force: whether an output that is there is replaced.
        restart: whether work left by an earlier run is thrown away.
    """

    video: Path
    output: Path | None
    poses_out: Path | None = None
    format: FormatName | None = None
    size: tuple[int, int] = (PICTURE_SIZE, PICTURE_SIZE)
    zoom: Zoom = Zoom.FULL
    background: str | None = None
    side_by_side: bool = False
    span: Span = WHOLE
    quality: Quality = Quality.GOOD
    calibrate: bool = True
    force: bool = False
    restart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A request that can be met.

    Attributes:
        target: what is written at the end, or the poses if nothing else is.
        output: its format, None if only poses are wanted.
        canvas: the layout of its pictures.
        fps: pictures a second of the video, on average.
        time_base: of the video's stream, None if it has none.
        record: everything that decides about the output.
    """

    target: Path
    output: OutputFormat | None
    canvas: Canvas
    fps: Fraction
    time_base: Fraction | None
    record: Record

    @property
    def transparent(self) -> bool:
        """True if the output's pictures have alpha."""
        return self.canvas.background is None


def plan(request: Request, picture: Picture, config: Config) -> Plan:
    """Look at what was asked for and at the video.

    Raises:
        ConfigError: something asked for is impossible, or would replace what is there.
        VtbridgeError: the video cannot be read.
    """
    output = _check_outputs(request)
    with open_video(request.video) as video:
        _check_video(video, request.span)
        fps, width, height = video.fps, video.width, video.height
    canvas = _canvas(request, output, width, height) if output else Canvas()
    target = request.output or request.poses_out
    if target is None:
        raise ConfigError("nothing is asked for: add --output FILE, or --poses-out FILE")
    record = _record(request, picture, config, output, canvas)
    return Plan(target, output, canvas, fps, _time_base(request.video), record)


def check_weights(request: Request, config: Config, store: WeightStore) -> None:
    """See that all networks that the request needs are there, without reading them.

    Raises:
        WeightsError: some are not; the message names the remedy of each.
    """
    names = [FACE_LANDMARKER, *([config.render.weights] if request.output else [])]
    missing = []
    for name in names:
        try:
            store.record(name)
        except WeightsError as error:
            missing.append(str(error))
    if missing:
        raise WeightsError("; ".join(missing))


def parse_time(text: str) -> float:
    """Return the seconds of ``83.5``, ``1:23.5`` or ``0:01:23.5``.

    Raises:
        ConfigError: it is no such time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{text!r} is no time: write seconds, such as 83.5, or 1:23.5")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _check_outputs(request: Request) -> OutputFormat | None:
    if request.span.end_s is not None and request.span.end_s <= request.span.start_s:
        raise ConfigError("--to must be later than --from")
    for option, path in (("--output", request.output), ("--poses-out", request.poses_out)):
        if path is None:
            continue
        if path.exists() and request.video.exists() and path.samefile(request.video):
            raise ConfigError(f"{option} {path} is the video itself: name another file")
        _check_place(option, path)
    if request.poses_out is not None:
        if request.poses_out == request.output:
            raise ConfigError("--poses-out and --output are the same file: name another one")
        if request.poses_out.is_dir():
            raise ConfigError(f"--poses-out {request.poses_out} is a folder: name a file in it")
        check_target(request.poses_out, force=request.force)
    if request.output is None:
        return None
    output = format_of(request.output, request.format)
    if output.container and request.output.is_dir():
        raise ConfigError(f"--output {request.output} is a folder: name a file in it")
    if not output.container and request.output.is_file():
        raise ConfigError(f"--output {request.output} is a file: PNG files need a folder")
    check_target(request.output, force=request.force)
    return output


def _check_video(video: VideoFile, span: Span) -> None:
    if video.is_still:
        raise ConfigError(
            f"{video.path} is a still picture, and a video of a face is needed; "
            f"`vtbridge pose {video.path}` poses a character's picture, and here it is given "
            f"with --character {video.path}"
        )
    if 0 < video.duration_s <= span.start_s:
        raise ConfigError(
            f"--from {span.start_s:g}: {video.path} ends after {video.duration_s:g} s already"
        )


def _check_place(option: str, path: Path) -> None:
    """Refuse a place that could not be written to in the end."""
    whole_path = path.absolute()
    there = next((folder for folder in whole_path.parents if folder.exists()), whole_path)
    if not there.is_dir():
        raise ConfigError(f"{option} {path} lies in {there}, which is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{option} {path}: {there} may not be written to: name another folder")


def _canvas(request: Request, output: OutputFormat, width: int, height: int) -> Canvas:
    own_width, own_height = request.size
    if output.even and (own_width % 2 or own_height % 2):
        raise ConfigError(
            f"--size {own_width}x{own_height}: {output.title} needs even numbers of pixels"
        )
    background = request.background
    if background is None and output.transparent is None:
        background = DEFAULT_BACKGROUND
    canvas = Canvas(
        own_width,
        own_height,
        None if background is None else open_background(background, own_width, own_height),
        bleeding=output.lossy,
        zoom=request.zoom,
    )
    if request.side_by_side:
        # Even, whatever the format: 4:2:0 chroma needs it and nobody misses a pixel.
        beside = max(round(width * own_height / height / 2) * 2, 2)
        canvas = replace(canvas, source_width=beside)
    return canvas


def _record(
    request: Request,
    picture: Picture,
    config: Config,
    output: OutputFormat | None,
    canvas: Canvas,
) -> Record:
    import av

    tables = {
        name: getattr(config, name).model_dump(mode="json")
        for name in ("retarget", "idle", "render")
    }
    # More threads draw the same picture sooner.
    tables["render"].pop("threads")
    background = b"" if canvas.background is None else canvas.background.tobytes()
    return {
        "version": f"vtbridge {__version__}, PyAV {av.__version__}",
        "video": _sha256(request.video),
        "span": f"{request.span.start_s}..{request.span.end_s}",
        "character": picture.digest,
        "settings": hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest(),
        "calibration": str(request.calibrate),
        "format": output.name.value if output else "poses",
        "quality": request.quality.value,
        "size": f"{canvas.source_width}+{canvas.width}x{canvas.height}",
        "zoom": canvas.zoom.value,
        "background": hashlib.sha256(background).hexdigest(),
    }


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VtbridgeError(f"{path} cannot be read ({error.strerror}): check it") from error


def _time_base(video: Path) -> Fraction | None:
    import av

    with av.open(str(video.absolute())) as container:
        return container.streams.video[0].time_base
