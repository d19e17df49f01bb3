"""What can be written while it happens: encoders that keep up, files that survive a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from vtbridge.errors import ConfigError
from vtbridge.video.formats import FORMATS, FormatName, OutputFormat


class VideoCodec(StrEnum):
    """How pictures are stored, as ``--codec`` names it."""

    VP9 = "vp9"
    ANIMATION = "animation"
    PRORES = "prores"
    PNG = "png"


_FRAGMENT_US = 500_000
_CLUSTER_MS = 1000
# Fragments are whole as soon as they are written, for a crash; a file that is ended has one
# index, as editing programs want it.
_MOV_OPTIONS = {
    "movflags": "hybrid_fragmented",
    "frag_duration": str(_FRAGMENT_US),
    "video_track_timescale": "90000",
    "flush_packets": "1",
}

LIVE_FORMATS: Mapping[VideoCodec, OutputFormat] = MappingProxyType(
    {
        VideoCodec.VP9: replace(
            FORMATS[FormatName.WEBM],
            options={
                "b": "0",
                "crf": "22",
                "deadline": "realtime",
                "cpu-used": "8",
                "row-mt": "1",
                "lag-in-frames": "0",
                "auto-alt-ref": "0",
            },
            by_quality={},
            container_options={"cluster_time_limit": str(_CLUSTER_MS), "flush_packets": "1"},
        ),
        # A tenth of the work that ProRes is, and lossless.
        VideoCodec.ANIMATION: replace(
            FORMATS[FormatName.MOV],
            title="QuickTime Animation with alpha, lossless",
            codec="qtrle",
            opaque="rgb24",
            transparent="argb",
            lossy=False,
            options={},
            by_quality={},
            container_options=_MOV_OPTIONS,
        ),
        VideoCodec.PRORES: replace(
            FORMATS[FormatName.MOV], by_quality={}, container_options=_MOV_OPTIONS
        ),
        VideoCodec.PNG: FORMATS[FormatName.PNG],
    }
)
"""Every format with alpha that a recording can have; pictures come with straight alpha."""

_CODECS_BY_SUFFIX: Mapping[str, tuple[VideoCodec, ...]] = MappingProxyType(
    {
        ".webm": (VideoCodec.VP9,),
        ".mov": (VideoCodec.ANIMATION, VideoCodec.PRORES),
        "": (VideoCodec.PNG,),
    }
)


def live_format_of(target: Path, codec: VideoCodec | None) -> OutputFormat:
    """Return how ``target`` is written: by the codec named, or the first that fits its suffix.

    Raises:
        ConfigError: the suffix belongs to no format with alpha, or not to this codec.
    """
    suffix = "" if target.is_dir() else target.suffix.lower()
    fitting = _CODECS_BY_SUFFIX.get(suffix)
    if fitting is None:
        raise ConfigError(
            f"--video {target.name}: no recording with alpha is called {suffix}; write .webm "
            "(VP9), .mov (Animation or ProRes 4444), or a name without a suffix for a folder of "
            "PNG files"
        )
    if codec is None:
        return LIVE_FORMATS[fitting[0]]
    if codec not in fitting:
        kind = suffix or "a folder"
        raise ConfigError(
            f"--codec {codec} does not fit {target.name}: {kind} takes {' or '.join(fitting)}"
        )
    return LIVE_FORMATS[codec]
