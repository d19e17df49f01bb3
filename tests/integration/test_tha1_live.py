"""THA1 on a machine that downloaded nothing: networks that come along pose any picture, live."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import REPOSITORY
from tests.support.cli import run_isolated
from tests.support.recording_runtime import pose
from tests.support.tha1 import random_tha1, sized, write_run
from tests.support.tha3 import frame_of
from vtbridge.characters import BUILTIN, load_picture
from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array, Picture
from vtbridge.pose_params import FACE_SLICE, ROTATION_SLICE
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.models.crops import FACE_CROP, HEAD_CROP
from vtbridge.render.models.stages import build_stages
from vtbridge.render.poser import Poser
from vtbridge.render.selection.golden import GOLDEN_FILE
from vtbridge.render.settings import Precision, Quality, RenderSettings, RuntimeName
from vtbridge.render.tha3 import open_poser
from vtbridge.render.weights.by_hand import import_weights
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry

NAME = "vtbridge-v1"
OURS = sized(128)
POSE = pose(head_x=0.5, head_y=-0.3, mouth_aaa=0.6, eye_wink_left=1, eyebrow_happy_left=0.4)

START = """
import json, sys
from vtbridge.characters import BUILTIN, load_picture
from vtbridge.pose_schema import THA1
from vtbridge.render.settings import RenderSettings
from vtbridge.render.tha3 import open_poser
from vtbridge.telemetry import Telemetry
poser = open_poser(RenderSettings(weights="vtbridge-v1"), Telemetry())
poser.set_picture(load_picture(BUILTIN["michi"]))
frame = poser.render(THA1.named({"head_y": 0.5, "mouth": 1.0}))
print(json.dumps({"runtime": poser.describe(), "torch": "torch" in sys.modules,
                  "shown": int(frame[..., 3].max())}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose ``store`` holds nothing but our networks, random ones."""
    folder = tmp_path_factory.mktemp("tha1")
    run = write_run(folder / "run", random_tha1(OURS), OURS)
    import_weights(WeightStore(folder / "store"), run, NAME)
    return folder


@pytest.fixture(scope="module")
def michi() -> Picture:
    return load_picture(BUILTIN["michi"])


def opened(folder: Path, runtime: RuntimeName, **settings: object) -> Poser:
    wanted = RenderSettings(runtime=runtime, precision=Precision.F32, weights=NAME)
    wanted = wanted.model_copy(update=settings)
    return open_poser(wanted, Telemetry(ManualClock()), store=WeightStore(folder / "store"))


def frame_of_the_networks(picture: Picture) -> F32Array:
    """Return the frame of ``POSE`` as the stages give it, in the order of the data."""
    networks = random_tha1(OURS)
    for module in networks.as_dict().values():
        module.half().float()  # as the files hold them
    stages = build_stages(networks)
    whole = torch.from_numpy(network_from_straight(picture.rgba))[None]
    values = torch.from_numpy(POSE)[None]
    head = whole[:, :, HEAD_CROP.rows, HEAD_CROP.columns]
    crop = whole[:, :, FACE_CROP.rows, FACE_CROP.columns]
    with torch.inference_mode():
        face = stages.face(crop, head, values[:, FACE_SLICE])
        rotated = stages.rotate(whole, face, values[:, ROTATION_SLICE])
        fields = stages.edit(*rotated, values[:, ROTATION_SLICE])
        frame: F32Array = frame_of(rotated[0], *fields)[0].numpy()
    return frame


def test_our_networks_bring_what_they_are_tested_against(folder: Path) -> None:
    assert (folder / "store" / NAME / GOLDEN_FILE).is_file()


@pytest.mark.parametrize("runtime", [RuntimeName.OPENVINO, RuntimeName.PYTORCH])
def test_a_poser_gives_what_the_networks_give(
    runtime: RuntimeName, folder: Path, michi: Picture
) -> None:
    expected = frame_of_the_networks(michi)
    poser = opened(folder, runtime)
    poser.set_picture(michi)
    given = poser.render_float(POSE)
    still = network_from_straight(michi.rgba)
    assert abs(given - still)[:, :256, 128:384].max() > 0.1
    np.testing.assert_allclose(given, expected, atol=1e-3)
    np.testing.assert_allclose(given[:, 256:], still[:, 256:], atol=1e-5)  # the body stays
    poser.close()


def test_every_level_of_quality_ends_in_the_exact_frame(folder: Path, michi: Picture) -> None:
    poser = opened(folder, RuntimeName.OPENVINO)
    poser.set_picture(michi)
    turns = [pose(head_y=share / 50) for share in range(6)]
    exact = poser.render_float(turns[-1]).copy()
    for quality in (Quality.BALANCED, Quality.FAST):
        poser.set_quality(quality)
        for turn in turns:
            frame = poser.render_float(turn).copy()
            assert np.isfinite(frame).all()
        finished = poser.render_float(turns[-1])
        np.testing.assert_allclose(finished, exact, atol=1e-5)
    poser.close()


def test_a_daemon_poses_with_them_without_torch(folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", START],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=REPOSITORY,
        env=os.environ
        | {
            "VTBRIDGE_WEIGHTS_DIR": str(folder / "store"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
    )
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)
    assert told["torch"] is False
    assert told["runtime"].startswith("openvino")
    assert told["shown"] == 255


def test_the_command_line_poses_by_the_six_parameters(folder: Path, tmp_path: Path) -> None:
    def drawn(name: str, *assignments: str) -> Image.Image:
        chosen = [word for assignment in assignments for word in ("--set", assignment)]
        file = tmp_path / f"{name}.png"
        told = run_isolated(
            tmp_path,
            *("pose", "michi", "--weights", NAME, "--runtime", "openvino", "-o", str(file)),
            *chosen,
            VTBRIDGE_WEIGHTS_DIR=str(folder / "store"),
        )
        assert told.returncode == 0, told.stderr
        return Image.open(file)

    still, by_six = drawn("still"), drawn("six", "left_eye=1", "mouth=0.5", "head_y=0.4")
    by_more = drawn("more", "eye_wink_left=1", "mouth_aaa=0.5", "head_y=0.4")
    assert by_six.tobytes() == by_more.tobytes()
    assert by_six.tobytes() != still.tobytes()


def test_a_parameter_that_is_of_neither_model_is_told(folder: Path, tmp_path: Path) -> None:
    told = run_isolated(
        tmp_path,
        *("pose", "michi", "--weights", NAME, "--set", "left_eyes=1", "-o", "x.png"),
        VTBRIDGE_WEIGHTS_DIR=str(folder / "store"),
    )
    assert told.returncode == 2
    assert "left_eye" in told.stderr


def test_preparing_a_character_by_them_is_refused_with_those_that_can(
    folder: Path, tmp_path: Path
) -> None:
    told = run_isolated(
        tmp_path,
        *("character", "bake", "michi", "--weights", NAME),
        VTBRIDGE_WEIGHTS_DIR=str(folder / "store"),
    )
    assert told.returncode != 0
    assert "tha3-separable-float" in told.stderr
