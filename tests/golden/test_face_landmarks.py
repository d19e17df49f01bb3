"""The face finder on drawings that it never learnt from, against what an eye measured.

Bounds leave room beside what ``characters/face_network.py`` tells of these pictures.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.conftest import skip_loudly
from tests.support.measured_faces import MEASURED, Deviation, deviation, pasted
from vtbridge.characters.face_network import face_network
from vtbridge.characters.find import BUILTIN
from vtbridge.characters.picture import load_picture
from vtbridge.datatypes import PICTURE_SIZE, U8Array
from vtbridge.render.weights.store import WeightStore

PASTINGS = 12


def picture(name: str) -> U8Array:
    """Return a character in the size that it was measured in."""
    path = BUILTIN[name] if name in BUILTIN else WeightStore().picture(f"character-{name}")
    if path is None:
        skip_loudly(f"character-{name} is absent: run `vtbridge weights pull character-{name}`")
        raise AssertionError
    rgba = load_picture(path).rgba
    if len(rgba) == PICTURE_SIZE:
        return rgba
    size = (PICTURE_SIZE, PICTURE_SIZE)
    return np.asarray(cv2.resize(rgba, size, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("name", MEASURED)
def test_landmarks_of_a_drawing_lie_where_an_eye_sees_them(name: str) -> None:
    found = face_network().find(picture(name))
    assert found is not None
    assert found.confidence > 0.9
    far = deviation(found, np.array(MEASURED[name]))
    assert far.head_iou > 0.8
    assert far.eyes_iou > 0.6
    assert far.eyes_percent < 3
    assert far.mouth_percent < 3


@pytest.mark.parametrize("name", MEASURED)
def test_a_drawing_is_found_anywhere_and_in_any_size(name: str) -> None:
    random = np.random.default_rng(7)
    rgba, corners = picture(name), np.array(MEASURED[name])
    deviations: list[Deviation] = []
    for _ in range(PASTINGS):
        scene = pasted(rgba, corners, random)
        found = face_network().find(scene.rgba)
        if found is not None:
            deviations.append(deviation(found, scene.corners))
    hits = [far for far in deviations if far.head_iou > 0.6]
    assert len(hits) >= PASTINGS - 1
    assert np.mean([far.head_iou for far in hits]) > 0.8
    assert np.median([far.eyes_percent for far in hits]) < 3
    assert np.median([far.mouth_percent for far in hits]) < 3
