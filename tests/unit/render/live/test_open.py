"""What a stream opens when its prepared character must not be shown."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.support.baking import manifest_of, picture_of
from vtbridge.clock import ManualClock
from vtbridge.datatypes import Picture
from vtbridge.errors import WeightsError
from vtbridge.render.baked import poser as baked
from vtbridge.render.baked.model_file import write_model
from vtbridge.render.baked.poser import BakedPoser
from vtbridge.render.baked.store import MODEL_FILE
from vtbridge.render.live.open import baked_poser, open_live_poser
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.telemetry import Telemetry

PICTURE = picture_of()


@pytest.fixture(autouse=True)
def parts_take_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "store"))
    monkeypatch.setattr(baked, "BakedBody", lambda tensors: None)
    monkeypatch.setattr(baked, "BakedFace", lambda tensors: None)


@pytest.fixture
def settings(tmp_path: Path) -> RenderSettings:
    tensors = {"body.x": np.ones(1, np.float32)}
    write_model(tmp_path / MODEL_FILE, manifest_of(PICTURE), tensors)
    return RenderSettings(quality=Quality.BAKED, package=str(tmp_path))


def opened(settings: RenderSettings, picture: Picture) -> BakedPoser | None:
    poser = baked_poser(settings, picture, Telemetry())
    assert poser is None or isinstance(poser, BakedPoser)
    return poser


def test_a_model_of_the_picture_is_shown_without_networks(settings: RenderSettings) -> None:
    assert opened(settings, PICTURE) is not None
    clock = ManualClock()
    live = open_live_poser(settings, PICTURE, fps=60, clock=clock, telemetry=Telemetry(clock))
    assert live.status().runtime == "baked 36.5 dB CPU"
    live.close()


def test_a_damaged_model_is_refused_and_the_networks_go_on(
    settings: RenderSettings, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(settings.package) / MODEL_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.ERROR):
        assert opened(settings, PICTURE) is None
    assert "vtbridge character bake" in caplog.text
    assert "the networks go on" in caplog.text


def test_a_model_of_another_picture_is_refused_and_the_networks_go_on(
    settings: RenderSettings, caplog: pytest.LogCaptureFixture
) -> None:
    assert opened(settings, picture_of(3, "nobody")) is None
    assert "another picture than nobody" in caplog.text


def test_where_the_model_is_refused_the_networks_are_what_is_opened(
    settings: RenderSettings,
) -> None:
    (Path(settings.package) / MODEL_FILE).write_bytes(b"damaged")
    clock = ManualClock()
    # There are none in this store, which is what it then tells.
    with pytest.raises(WeightsError, match="vtbridge weights pull"):
        open_live_poser(settings, PICTURE, fps=60, clock=clock, telemetry=Telemetry(clock))
