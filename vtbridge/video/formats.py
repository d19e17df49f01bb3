"""What an animation can be written as: one row of a table a format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from vtbridge.errors import ConfigError


class FormatName(StrEnum):
    """An output format, as ``--format`` names it."""

    MP4 = "mp4"
    WEBM = "webm"
    MOV = "mov"
    PNG = "png"


class Quality(StrEnum):
    """How much of the picture survives the encoder."""

    SMALL = "small"
    GOOD = "good"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """One way to write pictures.

    Attributes:
        name: as users say it.
        title: what it is, for people.
        container: of the finished file, as FFmpeg names it; empty for a folder of files.
        codec: FFmpeg's encoder of the pictures.
        opaque: pixel format without alpha.
        transparent: pixel format with straight alpha, None if the format has none.
        even: True if both sides must be even, as 4:2:0 chroma wants it.
        lossy: True if colours bleed into their neighbours on the way.
        options: of the encoder, for every quality.
        by_quality: further options of each quality.
        container_options: of the finished file's container.
        stream_metadata: what the container has to say about transparent pictures.
        sounds: codecs of sound that the container takes as they are.
        sound_codec: FFmpeg's encoder for all other sound.
        sound_bit_rate: of that encoder, bits a second.
    """

    name: FormatName
    title: str
    container: str
    codec: str
    opaque: str
    transparent: str | None
    even: bool
    lossy: bool
    options: Mapping[str, str] = field(default_factory=dict)
    by_quality: Mapping[Quality, Mapping[str, str]] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    stream_metadata: Mapping[str, str] = field(default_factory=dict)
    sounds: frozenset[str] = frozenset()
    sound_codec: str = ""
    sound_bit_rate: int = 0

    def encoder_options(self, quality: Quality) -> dict[str, str]:
        """Return the encoder's options at ``quality``."""
        return {**self.options, **self.by_quality.get(quality, {})}


_APPLE_SOUNDS = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})

FORMATS: Mapping[FormatName, OutputFormat] = MappingProxyType(
    {
        row.name: row
        for row in (
            OutputFormat(
                name=FormatName.MP4,
                title="H.264 on a background",
                container="mp4",
                codec="libx264",
                opaque="yuv420p",
                transparent=None,
                even=True,
                lossy=True,
                # Without B-frames packets come in the order of their times, so that pieces
                # that were encoded apart can be joined.
                options={"preset": "medium", "bf": "0"},
                by_quality={
                    Quality.SMALL: {"crf": "27"},
                    Quality.GOOD: {"crf": "18"},
                    Quality.BEST: {"crf": "12"},
                },
                container_options={"movflags": "+faststart"},
                sounds=_APPLE_SOUNDS | {"opus"},
                sound_codec="aac",
                sound_bit_rate=192_000,
            ),
            OutputFormat(
                name=FormatName.WEBM,
                title="VP9 with alpha",
                container="webm",
                codec="libvpx-vp9",
                opaque="yuv420p",
                transparent="yuva420p",
                even=True,
                lossy=True,
                # Frames that are never shown have no alpha beside them: no alt-ref frames.
                options={
                    "b": "0",
                    "deadline": "good",
                    "cpu-used": "4",
                    "row-mt": "1",
                    "auto-alt-ref": "0",
                },
                by_quality={
                    Quality.SMALL: {"crf": "38"},
                    Quality.GOOD: {"crf": "22"},
                    Quality.BEST: {"crf": "12"},
                },
                stream_metadata={"alpha_mode": "1"},
                sounds=frozenset({"opus", "vorbis"}),
                sound_codec="libopus",
                sound_bit_rate=128_000,
            ),
            OutputFormat(
                name=FormatName.MOV,
                title="ProRes 4444 with alpha",
                container="mov",
                codec="prores_ks",
                opaque="yuv444p10le",
                transparent="yuva444p10le",
                even=False,
                lossy=True,
                # Apple's programs want Apple's own mark.
                options={"profile": "4444", "vendor": "apl0", "alpha_bits": "16"},
                by_quality={
                    Quality.SMALL: {"bits_per_mb": "400"},
                    Quality.BEST: {"profile": "4444xq"},
                },
                sounds=_APPLE_SOUNDS | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"},
                sound_codec="aac",
                sound_bit_rate=256_000,
            ),
            OutputFormat(
                name=FormatName.PNG,
                title="a folder of PNG files with alpha",
                container="",
                codec="png",
                opaque="rgb24",
                transparent="rgba",
                even=False,
                lossy=False,
            ),
        )
    }
)
"""Every format there is."""


def format_of(target: Path, name: FormatName | None) -> OutputFormat:
    """Return the format of ``target``: the one named, or what its suffix says.

    A folder, or a name without a suffix, becomes PNG files.

    Raises:
        ConfigError: the suffix belongs to no format, or to another one than was named.
    """
    suffix = target.suffix.lower().removeprefix(".")
    by_suffix = {fmt.container: fmt for fmt in FORMATS.values() if fmt.container}
    if name is not None:
        if suffix in by_suffix and by_suffix[suffix].name != name:
            raise ConfigError(
                f"--format {name} does not fit the name {target.name}: leave one of them out"
            )
        return FORMATS[name]
    if suffix in by_suffix:
        return by_suffix[suffix]
    if not suffix or target.is_dir():
        return FORMATS[FormatName.PNG]
    known = ", ".join(f".{container} ({fmt.title})" for container, fmt in by_suffix.items())
    raise ConfigError(
        f"{target.name}: no output format is called .{suffix}; write {known}, or a name without a "
        "suffix for a folder of PNG files"
    )
