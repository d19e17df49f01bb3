"""The pieces of a video become one file, with the source's times and its sound."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.app.animate.faces import Span
from vtbridge.app.animate.sound import Sound
from vtbridge.clock import NS_PER_S
from vtbridge.errors import VtbridgeError
from vtbridge.video.formats import OutputFormat

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

_FINE_TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """When each picture of the output is shown.

    Attributes:
        ticks: int64 [N], strictly rising, in ``time_base`` from the output's start.
        last_ticks: how long the last picture stays.
        time_base: seconds of one tick.
    """

    ticks: NDArray[np.int64]
    last_ticks: int
    time_base: Fraction

    def duration(self, index: int) -> int:
        """Return how long a picture stays, in ticks."""
        if index + 1 < len(self.ticks):
            return int(self.ticks[index + 1] - self.ticks[index])
        return self.last_ticks


def timing_of(
    t_ns: NDArray[np.int64], start_s: float, fps: Fraction, time_base: Fraction | None
) -> Timing:
    """Return the times of an output that keeps its source's.

    Args:
        t_ns: int64 [N], the source's times, strictly rising.
        start_s: where the output begins.
        fps: of the source; the last picture stays for as long as one usually does.
        time_base: of the source's stream, so that its ticks are met exactly; None if unknown.
    """
    base = time_base if time_base and time_base <= Fraction(1, 500) else _FINE_TIME_BASE
    per_ns = base.denominator / base.numerator / NS_PER_S
    ticks = np.rint((t_ns - round(start_s * NS_PER_S)) * per_ns).astype(np.int64)
    # Two times within one tick would be refused by every container.
    ticks = np.maximum.accumulate(ticks - np.arange(len(ticks))) + np.arange(len(ticks))
    return Timing(ticks, max(round(1 / fps / base), 1), base)


def join_pieces(
    pieces: Sequence[Path],
    target: Path,
    output: OutputFormat,
    timing: Timing,
    *,
    transparent: bool,
    video: Path,
    span: Span,
    comment: str = "",
) -> str:
    """Write the finished file and return what became of the sound, for people.

    Pictures are copied as they were encoded; so is sound that the container takes.

    Args:
        pieces: files of ``VideoPieces``, in order.
        target: the file to write.
        output: its format.
        timing: when each picture is shown.
        transparent: whether the pictures have alpha.
        video: whose sound is taken over.
        span: the part of ``video`` that is shown.
        comment: goes into the file's metadata.

    Raises:
        VtbridgeError: the pieces do not fit together.
        OSError: the disk is full or cannot be written.
    """
    import av

    with (
        av.open(
            str(target),
            "w",
            format=output.container,
            container_options=dict(output.container_options),
        ) as container,
        Sound(video, span, output) as sound,
    ):
        if comment:
            container.metadata["comment"] = comment
        stream = _stream_like(container, pieces[0])
        stream.time_base = timing.time_base
        if transparent:
            stream.metadata.update(output.stream_metadata)
        pictures = _pictures(pieces, stream, timing)
        sources: list[Iterator[Packet[Any]]] = [pictures, sound.packets(container)]
        # In order of time, so that the container need not keep one back for the other.
        for packet in heapq.merge(*sources, key=_seconds):
            container.mux(packet)
        return sound.describe()


def _stream_like(container: OutputContainer, piece: Path) -> VideoStream:
    import av

    with av.open(str(piece)) as first:
        template = first.streams.video[0]
        stream = container.add_stream_from_template(template)
        # PyAV leaves the tag out; ProRes 4444 would then call itself ProRes 422.
        stream.codec_context.codec_tag = template.codec_context.codec_tag
        return stream


def _pictures(
    pieces: Sequence[Path], stream: VideoStream, timing: Timing
) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of all pieces, one a picture, dated by ``timing``."""
    import av

    index = 0
    parameters: bytes | None = stream.codec_context.extradata
    for piece in pieces:
        with av.open(str(piece)) as container:
            source = container.streams.video[0]
            if source.codec_context.extradata != parameters:
                raise VtbridgeError(
                    f"{piece} was encoded in another way than the pieces before it: start anew "
                    "with --restart"
                )
            for packet in container.demux(source):
                if packet.size == 0:  # the end of the piece
                    continue
                packet.stream = stream
                packet.time_base = timing.time_base
                packet.pts = packet.dts = int(timing.ticks[index])
                packet.duration = timing.duration(index)
                index += 1
                yield packet
    if index != len(timing.ticks):
        raise VtbridgeError(
            f"{pieces[0].parent} holds {index} of {len(timing.ticks)} pictures: start anew with "
            "--restart"
        )


def _seconds(packet: Packet[Any]) -> float:
    return float((packet.dts or 0) * packet.time_base)
