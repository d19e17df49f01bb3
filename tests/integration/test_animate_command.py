"""``vtbridge animate`` as a user runs it: a real face, real networks, files on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY, skip_loudly
from tests.support import videos
from tests.support.animation import decoded, picture_times
from vtbridge.app.animate.faces import Span
from vtbridge.app.animate.job import animate
from vtbridge.app.animate.request import Request
from vtbridge.app.characters import open_picture
from vtbridge.app.face_tracker import open_face_tracker
from vtbridge.config.schema import Config
from vtbridge.datatypes import U8Array
from vtbridge.errors import WeightsError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.pose_file import read_poses
from vtbridge.render.poser import Poser
from vtbridge.render.settings import RenderSettings
from vtbridge.render.tha3 import open_poser
from vtbridge.telemetry import Telemetry
from vtbridge.video.formats import FormatName

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("weight_store", "face_model")]

EXIT_CONFIG, EXIT_PICTURE, EXIT_WEIGHTS, EXIT_INTERRUPTED = 2, 3, 4, 130
SHORT = Span(1.36, 1.53)
"""Five pictures of the man in the car; he blinks in the second one, the 42nd of the video."""
PATIENCE_S = 120.0

# Pictures of the video by what the man does in them, measured on his landmarks.
BLINKS, MOUTH_WIDE, NEUTRAL = (42, 92), (58, 115), (2, 40)
EYES = np.s_[126:162, 200:305]
MOUTH = np.s_[160:184, 236:286]


@pytest.fixture(scope="session")
def face_model() -> None:
    try:
        open_face_tracker()
    except WeightsError as error:
        skip_loudly(str(error))


@pytest.fixture(scope="module")
def poser() -> Iterator[Poser]:
    opened = open_poser(RenderSettings(), Telemetry())
    yield opened
    opened.close()


class KeptOpen:
    """A poser that several animations use one after the other."""

    def __init__(self, poser: Poser) -> None:
        self._poser = poser
        for name in ("repeated", "describe", "set_picture", "render", "render_float"):
            setattr(self, name, getattr(poser, name))

    def close(self) -> None:
        pass


def run_command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vtbridge", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
    )


def iris_pixels(rgba: U8Array) -> int:
    """Return how many pixels around the eyes have the green of Michi's irises."""
    red, green = rgba[EYES][..., 0].astype(int), rgba[EYES][..., 1].astype(int)
    return int((green - red > 50).sum())


def mouth_pixels(rgba: U8Array) -> int:
    """Return how many pixels around the mouth are as red as lips or what is between them."""
    red, green, blue = (rgba[MOUTH][..., channel].astype(int) for channel in range(3))
    return int(((red - green > 55) & (red - blue > 30) & (red < 225)).sum())


def test_rendered_eyes_close_and_mouth_opens_when_the_mans_do(tmp_path: Path) -> None:
    """The poses of the whole video, and the pictures that matter of it drawn, by command line.

    Michi's irises are the only saturated green in the box that her eyes move in, and lips
    the only red in that of her mouth; both are counted against pictures of a resting face.
    """
    tracked = run_command(
        "animate", str(videos.carphone()), "--poses-out", "all.json", "--json", cwd=tmp_path
    )
    assert tracked.returncode == 0, tracked.stderr
    assert json.loads(tracked.stdout)["faces"] == 120
    poses = read_poses(tmp_path / "all.json")
    assert poses.shape == (120, POSE_SIZE)
    wanted = sorted((*BLINKS, *MOUTH_WIDE, *NEUTRAL))
    (tmp_path / "some.json").write_text(json.dumps(poses[wanted].tolist()))
    drawn = run_command("pose", "michi", "--poses", "some.json", "--out-dir", "drawn", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    pictures = {
        index: np.asarray(Image.open(tmp_path / "drawn" / f"{place:04d}.png"))
        for place, index in enumerate(wanted)
    }
    open_eyes = min(iris_pixels(pictures[index]) for index in (*NEUTRAL, *MOUTH_WIDE))
    assert open_eyes > 150
    for index in BLINKS:
        assert iris_pixels(pictures[index]) < 0.15 * open_eyes, f"eyes are open in {index}"
    shut_mouth = max(mouth_pixels(pictures[index]) for index in (*NEUTRAL, *BLINKS))
    assert shut_mouth < 25
    for index in MOUTH_WIDE:
        assert mouth_pixels(pictures[index]) > 2.5 * shut_mouth, f"mouth is shut in {index}"


@pytest.mark.parametrize("name", list(FormatName))
def test_each_format_shows_the_character_blink(
    name: FormatName, poser: Poser, tmp_path: Path
) -> None:
    out = tmp_path / ("out" if name is FormatName.PNG else f"out.{name}")
    outcome = animate(
        Request(videos.carphone(), out, span=SHORT),
        open_picture("michi"),
        Config(),
        open_tracker=open_face_tracker,
        open_poser=lambda: KeptOpen(poser),  # type: ignore[arg-type, return-value]
        progress=lambda stage, done, total: None,
    )
    assert outcome.pictures == outcome.faces == outcome.drawn == 5
    if name is FormatName.PNG:
        shown = [np.asarray(Image.open(file)) for file in sorted(out.iterdir())]
    else:
        shown = decoded(out)
        assert picture_times(out) == pytest.approx([i * 1001 / 30000 for i in range(5)], abs=0.001)
    assert len(shown) == 5
    alpha = shown[0][..., 3]
    if name is FormatName.MP4:
        assert (alpha == 255).all()
    else:
        assert alpha[0, 0] < 3
        assert alpha[300, 256] > 252
    irises = [iris_pixels(picture) for picture in shown]
    assert irises[1] < 0.2 * irises[0]
    assert irises[4] > 0.5 * irises[0]


def test_sound_of_a_real_video_is_carried_over(tmp_path: Path) -> None:
    done = run_command(
        *("animate", str(videos.wolfgang()), "-o", "out.mp4", "--from", "0:08", "--to", "8.2"),
        *("--side-by-side", "--size", "256", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["sound"] == "sound copied (aac)"
    assert summary["pictures"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        (sound,) = container.streams.audio
        assert sound.codec_context.name == "aac"
        assert (container.duration or 0) / 1e6 == pytest.approx(0.2, abs=0.05)
        assert container.streams.video[0].width == 456 + 256
        assert "Michi" in container.metadata["comment"]


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tmp_path: Path) -> None:
    command = ["animate", str(videos.carphone()), "-p", "michi", "-o", "frames", "--to", "0.4"]
    first = subprocess.Popen(
        [sys.executable, "-m", "vtbridge", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    piece = tmp_path / "frames.unfinished" / "pieces" / "000000.png"
    deadline = time.monotonic() + PATIENCE_S
    while not piece.exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, stderr = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == EXIT_INTERRUPTED, stderr
    assert "the same command goes on" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "frames").exists()

    again = run_command(*command, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert summary["pictures"] == 12
    assert 0 < summary["drawn"] < 12
    assert len(list((tmp_path / "frames").iterdir())) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["gone.mp4", "-o", "a.mp4"], 1, "gone.mp4 does not exist"),
        (["notes.txt", "-o", "a.mp4"], 1, "notes.txt cannot be read as a video"),
        (["VIDEO"], EXIT_CONFIG, "nothing is asked for"),
        (["VIDEO", "-o", "a.avi"], EXIT_CONFIG, "no output format is called .avi"),
        (["VIDEO", "-o", "notes.txt", "--format", "mp4"], EXIT_CONFIG, "add --force"),
        (["VIDEO", "-o", "a.mp4", "--size", "1"], EXIT_CONFIG, "--size 1"),
        (["VIDEO", "-o", "a.mp4", "--from", "soon"], EXIT_CONFIG, "'soon' is no time"),
        (["VIDEO", "-o", "a.mp4", "--from", "0:10"], EXIT_CONFIG, "ends after 4.004 s already"),
        ([".", "-o", "a.mp4"], 1, "is a folder"),
        (["VIDEO", "-o", "a.mp4", "-p", "nobody"], EXIT_PICTURE, "'nobody'"),
        (["VIDEO", "-o", "a.mp4", "-c", "gone.toml"], EXIT_CONFIG, "gone.toml"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    arguments: list[str], code: int, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("buy milk")
    given = [str(videos.carphone()) if part == "VIDEO" else part for part in arguments]
    done = run_command("animate", *given, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("vtbridge: ")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_missing_weights_are_told_before_anything_is_done(tmp_path: Path) -> None:
    done = run_command(
        *("animate", str(videos.carphone()), "-o", "a.mp4"),
        cwd=tmp_path,
        VTBRIDGE_WEIGHTS_DIR=str(tmp_path / "empty"),
    )
    assert done.returncode == EXIT_WEIGHTS, done.stderr
    assert "vtbridge weights" in done.stderr
    assert "face-landmarker" in done.stderr
    assert "tha3-separable-float" in done.stderr
    assert not list(tmp_path.iterdir())
