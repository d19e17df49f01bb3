"""One stream of pictures in a container: tagged, and fed with RGBA."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from vtbridge.datatypes import U8Array
from vtbridge.video.formats import OutputFormat

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

_BT709 = 1
_LIMITED_RANGE = 1


def add_pictures(
    container: OutputContainer,
    output: OutputFormat,
    options: Mapping[str, str],
    rate: Fraction,
    size: tuple[int, int],
    *,
    transparent: bool,
    keyframe_every: int,
) -> VideoStream:
    """Add the stream of ``output``'s pictures to ``container`` and return it.

    Args:
        container: open for writing, nothing written yet.
        output: the format.
        options: of its encoder.
        rate: pictures a second, on average.
        size: width and height, pixels.
        transparent: whether pictures come with alpha.
        keyframe_every: pictures from one keyframe to the next, at most.
    """
    import av

    stream = container.add_stream(output.codec, rate=rate, options=dict(options))
    assert isinstance(stream, av.VideoStream)  # noqa: S101 - for the type checker
    stream.width, stream.height = size
    stream.pix_fmt = pixel_format_of(output, transparent=transparent)
    context = stream.codec_context
    context.gop_size = keyframe_every
    if "yuv" in stream.pix_fmt:
        # Untagged, players guess the matrix by the size, and often wrongly.
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
    return stream


def pixel_format_of(output: OutputFormat, *, transparent: bool) -> str:
    """Return FFmpeg's name for the pixels of ``output``."""
    if not transparent:
        return output.opaque
    assert output.transparent is not None  # noqa: S101 - refused before anything is opened
    return output.transparent


def video_frame(pixels: U8Array, pixel_format: str, reformatter: VideoReformatter) -> VideoFrame:
    """Return ``pixels`` as an encoder wants them.

    Args:
        pixels: uint8 [H, W, 3] sRGB, or [H, W, 4] with straight alpha.
        pixel_format: of the encoder, as FFmpeg names it.
        reformatter: kept from picture to picture: it remembers how.
    """
    import av
    from av.video.reformatter import ColorRange, Colorspace

    frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
    if "yuv" in pixel_format:
        return reformatter.reformat(
            frame,
            format=pixel_format,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
    return reformatter.reformat(frame, format=pixel_format)
