"""What cannot be done is refused before anything is computed, and all that decides is recorded."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.animation import brightness, write_clip
from vtbridge.app.animate.faces import Span
from vtbridge.app.animate.request import Plan, Request, check_weights, parse_time, plan
from vtbridge.app.animate.zoom import Zoom
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture
from vtbridge.errors import ConfigError, VtbridgeError, WeightsError
from vtbridge.expressions.settings import IdleSettings
from vtbridge.render.settings import RenderSettings
from vtbridge.render.weights import WeightStore
from vtbridge.video.formats import FormatName, Quality

PICTURE = Picture(np.zeros((512, 512, 4), np.uint8), "nobody", "digest")


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    clip = write_clip(tmp_path / "me.mp4", [brightness(0.5)] * 4, fps=Fraction(30000, 1001))
    return Request(clip, tmp_path / "out.mp4")


def planned(request: Request, config: Config | None = None) -> Plan:
    return plan(request, PICTURE, config or Config())


def test_plan_knows_rate_and_layout(request_: Request) -> None:
    made = planned(request_)
    assert made.fps == Fraction(30000, 1001)
    assert made.time_base == Fraction(1, 30000)
    assert not made.transparent, "H.264 has no alpha"
    assert made.canvas.total_width == 512
    assert planned(replace(request_, output=Path("x.webm"))).transparent
    assert not planned(replace(request_, output=Path("x.webm"), background="#00ff00")).transparent


def test_source_beside_has_its_proportions_and_even_sides(request_: Request) -> None:
    made = planned(replace(request_, side_by_side=True, size=(256, 250)))
    assert made.canvas.source_width == 376  # 48:32 at a height of 250 is 375
    assert made.canvas.total_width % 2 == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"output": None}, "nothing is asked for"),
        ({"size": (511, 512)}, "even numbers"),
        ({"span": Span(3.0, 3.0)}, "--to must be later than --from"),
        ({"output": Path("out.avi")}, r"called \.avi"),
        ({"output": Path("/")}, "names no file"),
        ({"background": "nothing.png"}, "--background"),
        ({"format": FormatName.WEBM}, "--format webm does not fit"),
        ({"poses_out": Path()}, "is a folder"),
        ({"span": Span(0.2)}, r"--from 0\.2: .*me\.mp4 ends after 0\.13"),
    ],
)
def test_impossible_wish_is_refused(
    request_: Request, change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        planned(replace(request_, **change))  # type: ignore[arg-type]


def test_video_is_never_its_own_output(request_: Request) -> None:
    for request in (
        replace(request_, output=request_.video, force=True),
        replace(request_, poses_out=request_.video, force=True),
    ):
        with pytest.raises(ConfigError, match="is the video itself"):
            planned(request)


def test_folder_and_file_are_not_mixed_up(request_: Request, tmp_path: Path) -> None:
    (tmp_path / "takes.mp4").mkdir()
    (tmp_path / "frames").write_text("")
    with pytest.raises(ConfigError, match="is a folder"):
        planned(replace(request_, output=tmp_path / "takes.mp4", format=FormatName.MP4))
    with pytest.raises(ConfigError, match="PNG files need a folder"):
        planned(replace(request_, output=tmp_path / "frames", force=True))


def test_poses_and_output_are_two_files(request_: Request) -> None:
    with pytest.raises(ConfigError, match="are the same file"):
        planned(replace(request_, poses_out=request_.output))


def test_missing_video_is_named(request_: Request) -> None:
    with pytest.raises(VtbridgeError, match=r"gone\.mp4 does not exist"):
        planned(replace(request_, video=Path("gone.mp4")))


def test_still_picture_is_no_video(request_: Request, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "me.png")
    with pytest.raises(ConfigError, match=r"me\.png is a still picture.*vtbridge pose .*me\.png"):
        planned(replace(request_, video=tmp_path / "me.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no folder from being written")
def test_place_that_may_not_be_written_is_refused(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir(mode=0o555)
    if os.geteuid() == 0:  # who may write everywhere
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "theirs")
    for option in ("output", "poses_out"):
        path = tmp_path / "theirs" / "new" / "out.mp4"
        with pytest.raises(ConfigError, match="theirs may not be written to"):
            planned(replace(request_, **{option: path}))  # type: ignore[arg-type]


def test_file_in_the_way_of_a_folder_is_named(request_: Request, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"lies in .*file, which is no folder"):
        planned(replace(request_, output=tmp_path / "file" / "deep" / "out.mp4"))


def test_all_missing_weights_are_told_at_once(request_: Request, tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "empty")
    with pytest.raises(WeightsError, match=r"face-landmarker.*tha3-separable-float"):
        check_weights(request_, Config(), store)
    with pytest.raises(WeightsError, match="face-landmarker") as told:
        check_weights(replace(request_, output=None), Config(), store)
    assert "tha3" not in str(told.value), "poses alone need no networks of the character"


def test_record_holds_all_that_decides_and_nothing_else(request_: Request, tmp_path: Path) -> None:
    base = planned(request_).record

    def differing(other: Plan) -> set[str]:
        return {key for key in base.keys() | other.record.keys() if base[key] != other.record[key]}

    other_clip = write_clip(tmp_path / "you.mp4", [brightness(0.6)] * 4)
    changes: list[tuple[dict[str, object], set[str]]] = [
        ({"video": other_clip}, {"video"}),
        ({"span": Span(0.0, 1.0)}, {"span"}),
        ({"size": (256, 256)}, {"size", "background"}),
        ({"side_by_side": True}, {"size"}),
        ({"background": "#123456"}, {"background"}),
        ({"zoom": Zoom.FACE}, {"zoom"}),
        ({"quality": Quality.BEST}, {"quality"}),
        ({"calibrate": False}, {"calibration"}),
        ({"force": True, "restart": True, "poses_out": Path("p.json")}, set()),
    ]
    for change, keys in changes:
        assert differing(planned(replace(request_, **change))) == keys, change  # type: ignore[arg-type]
    assert differing(planned(replace(request_, output=Path("x.webm")))) == {"format", "background"}
    assert differing(plan(request_, replace(PICTURE, digest="other"), Config())) == {"character"}
    calm = Config(idle=IdleSettings(sway=0.0))
    assert differing(planned(request_, calm)) == {"settings"}
    more_threads = Config(render=RenderSettings(threads=7))
    assert differing(planned(request_, more_threads)) == set()
    renamed = request_.video.rename(tmp_path / "moved.mp4")
    assert differing(planned(replace(request_, video=renamed))) == set()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("83.5", 83.5), ("1:23.5", 83.5), ("01:02:03", 3723), (".5", 0.5), ("90:00", 5400)],
)
def test_time_is_seconds_or_minutes_or_hours(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "1m", "nan", ":", "1:", "1,5"])
def test_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        parse_time(text)
