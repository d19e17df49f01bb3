"""Whole animations without networks: a tracker that sees grey, a poser that draws discs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, FaceFrame, HeadPose, Picture, U8Array
from vtbridge.pose_params import PoseParam
from vtbridge.render.fields import FrameFields
from vtbridge.render.settings import Quality
from vtbridge.tracking.arkit import ARKIT_NAMES

CLICK_S = 0.3
"""When the sound of ``write_clip`` clicks."""
SOUND_RATE_HZ = 48_000


def brightness(jaw_open: float, *, face: bool = True) -> U8Array:
    """Return a picture in which ``GreyTracker`` sees a jaw, uint8 [32, 48, 3]; black = no face."""
    return np.full((32, 48, 3), 40 + 200 * jaw_open if face else 0, np.uint8)


class GreyTracker:
    """See a face in every picture that is not black; its brightness opens the jaw.

    Like a real one it remembers: the head nods a little further with each picture.
    """

    def __init__(self) -> None:
        self._seen = 0

    def track(self, rgb: U8Array, t_ns: int, source: str = "webcam") -> FaceFrame:
        level = float(rgb.mean())
        if level < 20:
            return FaceFrame(t_ns, source, tracked=False)
        self._seen += 1
        shapes = dict.fromkeys(ARKIT_NAMES, 0.0)
        shapes["jawOpen"] = min(max((level - 40) / 200, 0.0), 1.0)
        shapes["mouthLowerDownLeft"] = shapes["mouthLowerDownRight"] = shapes["jawOpen"] / 2
        return FaceFrame(
            t_ns, source, blendshapes=shapes, head=HeadPose(0.001 * self._seen, 0.0, 0.0)
        )


class DiscPoser:
    """Draw a soft-edged disc on nothing; it turns from blue to red as the mouth opens."""

    repeated = False
    size = 512
    quality = Quality.EXACT

    def __init__(self) -> None:
        self.drawn = 0
        self.closed = False
        y, x = np.mgrid[:512, :512].astype(np.float32) - 255.5
        self._alpha: F32Array = np.clip((180 - np.hypot(x, y)) / 6, 0, 1) * 2 - 1

    def describe(self) -> str:
        return "discs"

    def set_picture(self, picture: Picture) -> None:
        del picture

    def set_quality(self, quality: Quality) -> None:
        assert quality is Quality.EXACT

    def fields(self, values: F32Array) -> FrameFields:
        raise NotImplementedError

    def render(self, values: F32Array) -> U8Array:
        raise NotImplementedError

    def render_float(self, values: F32Array) -> F32Array:
        self.drawn += 1
        red = float(values[PoseParam.MOUTH_AAA])
        planes = np.empty((4, 512, 512), np.float32)
        planes[0], planes[1], planes[2] = 2 * red - 1, -0.9, 1 - 2 * red
        planes[3] = self._alpha
        return planes

    def recheck(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


def write_clip(
    path: Path,
    pictures: Sequence[U8Array],
    *,
    fps: Fraction | int = 25,
    times: Sequence[float] | None = None,
    sound: str | None = None,
) -> Path:
    """Write a video, with sound that clicks at ``CLICK_S`` if a codec is named for it."""
    length_s = times[-1] + 0.1 if times is not None else len(pictures) / float(fps)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "8"})
        assert isinstance(video, av.VideoStream)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        track: av.AudioStream | None = None
        if sound is not None:
            added = container.add_stream(sound, rate=SOUND_RATE_HZ)
            assert isinstance(added, av.AudioStream)
            track = added
            track.layout = "mono"
            samples = np.zeros((1, round(length_s * SOUND_RATE_HZ)), np.int16)
            click = round(CLICK_S * SOUND_RATE_HZ)
            samples[0, click : click + 480] = 20_000 * np.sin(np.arange(480) * 0.4)
            block = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            block.sample_rate = SOUND_RATE_HZ
            block.pts = 0
        if times is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        for index, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[index] * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if track is not None:
            container.mux(track.encode(block))
            container.mux(track.encode(None))
    return path


def decoded(path: Path) -> list[U8Array]:
    """Return all pictures of a video, uint8 [H, W, 4], with the alpha that it holds.

    FFmpeg's own VP9 decoder leaves alpha out, libvpx does not.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        if context.name == "vp9":
            own = av.CodecContext.create("libvpx-vp9", "r")
            assert isinstance(own, av.VideoCodecContext)
            context = own
        return [
            np.asarray(frame.to_ndarray(format="rgba"), np.uint8)
            for packet in container.demux(stream)
            for frame in context.decode(packet if packet.size else None)
        ]


def picture_times(path: Path) -> list[float]:
    """Return when each picture of a video is shown, seconds."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0.0) for frame in container.decode(video=0)]


def click_time(path: Path) -> float:
    """Return when the sound of a file is first loud, seconds."""
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_RATE_HZ)
        for frame in container.decode(track):
            begin_s = frame.time or 0.0
            for part in resampler.resample(frame):
                loud = np.flatnonzero(np.abs(part.to_ndarray()[0]) > 0.2)
                if loud.size:
                    return float(begin_s + loud[0] / SOUND_RATE_HZ)
    raise AssertionError(f"{path} never clicks")


def planes_over(rgba: U8Array, grey: int) -> NDArray[np.float64]:
    """Return straight RGBA blended over a grey, float64 [H, W, 3]."""
    alpha = rgba[..., 3:] / 255
    over: NDArray[np.float64] = rgba[..., :3] * alpha + grey * (1 - alpha)
    return over
