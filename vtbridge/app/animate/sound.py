"""The sound of a video on its way into another container: copied, else encoded anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vtbridge.app.animate.faces import Span
from vtbridge.closing import Closing
from vtbridge.video.formats import OutputFormat

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

log = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000
_USUAL_RATE_HZ = 48_000
_MOST_CHANNELS = 2


class Sound(Closing):
    """The first sound track of a video, cut to a span; use it in a ``with`` statement.

    Args:
        video: the file.
        span: the part that is wanted; the output's time 0 is its start.
        output: the format it goes into.
    """

    def __init__(self, video: Path, span: Span, output: OutputFormat) -> None:
        import av

        self._path, self._span, self._output = video, span, output
        self._container = av.open(str(video.absolute()))
        track = next(iter(self._container.streams.audio), None)
        if track is not None and not track.codec_context.sample_rate:
            log.warning("%s: its sound track cannot be read and is left out", video)
            track = None
        self._track: AudioStream | None = track
        self._copied = track is not None and track.codec_context.name in output.sounds

    def close(self) -> None:
        """Close the video."""
        self._container.close()

    def describe(self) -> str:
        """Return what becomes of the sound, for people: ``sound copied (aac)``."""
        if self._track is None:
            return "no sound"
        name = self._track.codec_context.name
        if self._copied:
            return f"sound copied ({name})"
        return f"sound encoded anew ({name} to {self._output.sound_codec.removeprefix('lib')})"

    def packets(self, container: OutputContainer) -> Iterator[Packet[AudioStream]]:
        """Add the sound's stream to ``container`` and return its packets, in order of time."""
        if self._track is None:
            return iter(())
        if self._copied:
            stream = container.add_stream_from_template(self._track)
            return self._copies(self._track, stream)
        return self._encoded(self._track, self._encoder(self._track, container))

    def _encoder(self, track: AudioStream, container: OutputContainer) -> AudioStream:
        import av

        rates = av.Codec(self._output.sound_codec, "w").audio_rates or []
        rate_hz = track.codec_context.sample_rate
        stream = container.add_stream(
            self._output.sound_codec, rate=rate_hz if rate_hz in rates else _USUAL_RATE_HZ
        )
        assert isinstance(stream, av.AudioStream)  # noqa: S101 - for the type checker
        stream.bit_rate = self._output.sound_bit_rate
        stream.layout = "mono" if track.codec_context.channels < _MOST_CHANNELS else "stereo"
        return stream

    def _copies(self, track: AudioStream, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in self._demuxed(track):
            if packet.pts is None or packet.time_base is None:
                continue
            if not self._move(packet, packet.time_base):
                continue
            packet.dts = packet.pts  # no sound codec reorders
            packet.stream = stream
            yield packet

    def _encoded(self, track: AudioStream, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        for frame in self._decoded(track):
            if frame.pts is not None and frame.time_base is not None:
                if not self._move(frame, frame.time_base):
                    continue
                yield from stream.encode(frame)
        yield from stream.encode(None)

    def _move(self, piece: Packet[AudioStream] | AudioFrame, time_base: Fraction) -> bool:
        """Date ``piece`` from the span's start; return False if it lies outside of the span."""
        begin_s = (self._container.start_time or 0) / _MICROSECONDS + self._span.start_s
        assert piece.pts is not None  # noqa: S101 - the callers looked
        piece.pts -= round(begin_s / time_base)
        at_s = float(piece.pts * time_base)
        if self._span.start_s > 0 and at_s < 0:
            return False
        # Without a span even what lies before 0 stays: it sets up the decoder.
        return self._span.end_s is None or at_s < self._span.end_s - self._span.start_s

    def _demuxed(self, track: AudioStream) -> Iterator[Packet[AudioStream]]:
        import av

        packets = self._container.demux(track)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                log.warning("%s: its sound ends early, it is damaged: %s", self._path, error)
                return
            yield packet

    def _decoded(self, track: AudioStream) -> Iterator[AudioFrame]:
        import av

        damaged = False
        for packet in self._demuxed(track):
            try:
                frames = track.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                if not damaged:
                    log.warning("%s: its sound is damaged in places: %s", self._path, error)
                damaged = True
                continue
            yield from frames
