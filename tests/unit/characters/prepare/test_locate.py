"""Two opinions on where the head is: the exact one where they agree, else the network."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.characters import BUILTIN, load_picture
from vtbridge.characters.face_landmarks import FaceLandmarks
from vtbridge.characters.face_network import face_network
from vtbridge.characters.prepare.face import find_face
from vtbridge.characters.prepare.locate import head_of, locate
from vtbridge.datatypes import U8Array

FAR = FaceLandmarks(
    head_box=(10, 300, 62, 62),
    left_eye=(50, 330, 10, 10),
    right_eye=(25, 330, 10, 10),
    mouth=(38, 345, 8, 4),
    confidence=0.9,
)


class Says:
    """A finder that always says the same."""

    def __init__(self, face: FaceLandmarks | None) -> None:
        self.face = face

    def find(self, rgba: U8Array) -> FaceLandmarks | None:
        del rgba
        return self.face


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_eyes_and_mouth_tell_where_the_head_belongs(name: str) -> None:
    seen = face_network().find(load_picture(BUILTIN[name]).rgba)
    assert seen is not None
    head = head_of(seen)
    assert head.x == pytest.approx(192, abs=8)
    assert head.y == pytest.approx(64, abs=8)
    assert head.side == pytest.approx(128, rel=0.06)


def test_lines_decide_where_both_mean_the_same_face() -> None:
    rgba = load_picture(BUILTIN["ren"]).rgba
    assert locate(rgba) == find_face(rgba)


def test_network_decides_where_they_do_not() -> None:
    rgba = load_picture(BUILTIN["ren"]).rgba
    found = locate(rgba, Says(FAR))
    assert found is not None
    assert (found.head, found.likeness) == (head_of(FAR), 0.9)


def test_lines_are_believed_where_the_network_sees_nothing() -> None:
    rgba = load_picture(BUILTIN["ren"]).rgba
    assert locate(rgba, Says(None)) == find_face(rgba)
    assert locate(np.zeros((64, 64, 4), np.uint8)) is None
