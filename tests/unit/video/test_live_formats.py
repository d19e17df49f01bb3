"""The name says how a recording is stored, and this build of FFmpeg can do it."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from vtbridge.errors import ConfigError
from vtbridge.video.formats import OutputFormat
from vtbridge.video.live_formats import LIVE_FORMATS, VideoCodec, live_format_of


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("a.webm", None, VideoCodec.VP9),
        ("a.b.MOV", None, VideoCodec.ANIMATION),
        ("a.mov", VideoCodec.PRORES, VideoCodec.PRORES),
        ("frames", None, VideoCodec.PNG),
    ],
)
def test_name_and_option_choose_the_codec(
    name: str, codec: VideoCodec | None, expected: VideoCodec
) -> None:
    assert live_format_of(Path(name), codec) is LIVE_FORMATS[expected]


def test_folder_takes_png_files_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "take.2"
    folder.mkdir()
    assert live_format_of(folder, None) is LIVE_FORMATS[VideoCodec.PNG]


@pytest.mark.parametrize(
    ("name", "codec", "told"),
    [
        ("a.mp4", None, r"with alpha is called \.mp4; write \.webm"),
        ("a.webm", VideoCodec.PRORES, r"prores does not fit a\.webm: \.webm takes vp9"),
        ("a.mov", VideoCodec.PNG, "takes animation or prores"),
        ("frames", VideoCodec.VP9, "a folder takes png"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(
    name: str, codec: VideoCodec | None, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        live_format_of(Path(name), codec)


@pytest.mark.parametrize("output", LIVE_FORMATS.values(), ids=lambda output: output.title)
def test_ffmpeg_has_it_and_it_has_alpha(output: OutputFormat) -> None:
    offered = {one.name for one in av.Codec(output.codec, "w").video_formats or ()}
    assert output.transparent in offered
    assert any(part.is_alpha for part in av.VideoFormat(output.transparent).components)
