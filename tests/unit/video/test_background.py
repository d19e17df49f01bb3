"""A background is a colour or a picture that covers all; anything else is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbridge.errors import ConfigError
from vtbridge.video.background import open_background


@pytest.mark.parametrize("text", ["#00ff00", "00FF00", "#0f0"])
def test_background_of_a_colour(text: str) -> None:
    background = open_background(text, 6, 4)
    np.testing.assert_array_equal(background, np.broadcast_to((0, 255, 0), (4, 6, 3)))


def test_background_picture_covers_all_and_keeps_its_proportions(tmp_path: Path) -> None:
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:, 50:150] = 250  # what is left of it in a square
    Image.fromarray(rgb).save(tmp_path / "b.png")
    background = open_background(str(tmp_path / "b.png"), 40, 40)
    assert background.shape == (40, 40, 3)
    assert background[:, 2:-2].min() > 240


@pytest.mark.parametrize("name", ["gone.png", "#00ff0", "notes.txt"])
def test_background_that_is_neither_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ConfigError, match="--background"):
        open_background(str(tmp_path / name), 8, 8)
