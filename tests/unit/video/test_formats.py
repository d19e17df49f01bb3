"""The output's name says what it becomes, and this build of FFmpeg can write all of it."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from vtbridge.errors import ConfigError
from vtbridge.video.formats import FORMATS, FormatName, OutputFormat, Quality, format_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.mp4", FormatName.MP4),
        ("a.b.WEBM", FormatName.WEBM),
        ("a.mov", FormatName.MOV),
        ("frames", FormatName.PNG),
    ],
)
def test_suffix_chooses_the_format(name: str, expected: FormatName) -> None:
    assert format_of(Path(name), None).name is expected


def test_folder_becomes_png_files_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "take.2"
    folder.mkdir()
    assert format_of(folder, None).name is FormatName.PNG


def test_option_wins_where_the_name_says_nothing() -> None:
    assert format_of(Path("take.2"), FormatName.PNG).name is FormatName.PNG
    assert format_of(Path("take"), FormatName.WEBM).name is FormatName.WEBM


def test_option_against_the_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--format mov does not fit the name a\.mp4"):
        format_of(Path("a.mp4"), FormatName.MOV)


def test_unknown_suffix_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"called \.avi; write \.mp4 .*\.webm .*\.mov"):
        format_of(Path("a.avi"), None)


@pytest.mark.parametrize("output", FORMATS.values(), ids=lambda output: output.name)
def test_ffmpeg_has_what_a_row_names(output: OutputFormat) -> None:
    codec = av.Codec(output.codec, "w")
    offered = {pixel_format.name for pixel_format in codec.video_formats or ()}
    wanted = {output.opaque} | ({output.transparent} if output.transparent else set())
    assert wanted <= offered
    if output.container:
        assert output.container in av.formats_available
        assert av.Codec(output.sound_codec, "w").type == "audio"
        assert output.sound_codec.removeprefix("lib") in output.sounds


@pytest.mark.parametrize("output", FORMATS.values(), ids=lambda output: output.name)
def test_alpha_has_a_channel_or_none_is_promised(output: OutputFormat) -> None:
    if output.transparent is None:
        assert "alpha" not in output.title
    else:
        assert "alpha" in output.title
        components = av.VideoFormat(output.transparent).components
        assert any(component.is_alpha for component in components)


def test_better_quality_means_other_options() -> None:
    for output in FORMATS.values():
        if output.container:
            options = [tuple(output.encoder_options(quality).items()) for quality in Quality]
            assert len(set(options)) == len(Quality)
