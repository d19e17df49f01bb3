"""A drawing of 1024 pixels stays about as sharp as it was drawn, posed by the real networks."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from vtbridge.characters import find_picture
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality, RenderSettings, RuntimeName
from vtbridge.render.tha3 import open_poser
from vtbridge.render.weights import WeightStore
from vtbridge.telemetry import Telemetry

SIDE = 1024
STATIC = np.s_[560:1000]
"""Rows of clothes and arms, which a turned head leaves where they are."""
LEAST = 0.95
"""Share of the edge energy; the rest is where the networks paint, as they do below a chin."""


def edge_energy(frame: U8Array) -> float:
    """Return the mean squared gradient of the luma over grey in the static rows."""
    levels = frame.astype(np.float32)
    luma = levels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    luma += 128 * (1 - levels[..., 3] / 255)
    slopes = [cv2.Sobel(luma, cv2.CV_32F, *order)[STATIC] for order in ((1, 0), (0, 1))]
    return float((slopes[0] ** 2 + slopes[1] ** 2).mean())


def turned() -> F32Array:
    pose = np.zeros(POSE_SIZE, np.float32)
    pose[PoseParam.MOUTH_AAA], pose[PoseParam.HEAD_Y] = 0.7, 0.5
    return pose


@pytest.fixture(scope="module")
def posers(weight_store: WeightStore) -> Iterator[dict[int, Poser]]:
    """Return a poser by the size of its frames."""
    settings = RenderSettings(runtime=RuntimeName.NATIVE, quality=Quality.EXACT)
    opened = {
        size: open_poser(
            settings.model_copy(update={"size": size}), Telemetry(), store=weight_store
        )
        for size in (512, SIDE)
    }
    yield opened
    for poser in opened.values():
        poser.close()


@pytest.mark.parametrize("name", ["momo", "ren", "sumi", "yuki"])
def test_static_parts_keep_nearly_all_edge_energy_of_the_drawing(
    name: str, posers: dict[int, Poser]
) -> None:
    picture = find_picture(name)
    assert picture.original is not None
    assert len(picture.original) == SIDE
    drawn = picture.original.astype(np.float32)
    drawn[..., :3] *= drawn[..., 3:] / 255
    wanted = edge_energy(np.rint(drawn).astype(np.uint8))
    energy = {}
    for size, poser in posers.items():
        poser.set_picture(picture)
        frame = poser.render(turned())
        if size != SIDE:
            frame = np.asarray(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
        energy[size] = edge_energy(frame) / wanted
    assert energy[SIDE] >= LEAST, f"{energy}"
    assert energy[512] < 0.6, f"enlarged afterwards it is not sharp: {energy}"
