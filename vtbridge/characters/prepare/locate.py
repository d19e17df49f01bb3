"""Where the head is, by two opinions: a network that has seen many styles, and known faces' lines.

The network finds faces of every style; the lines of faces that are known to be placed well say more
exactly where the head belongs (within 4 % of its width, the network's boxes 8 %). Where both mean
the same face, the lines decide; where they do not, the network does.
"""

from __future__ import annotations

import math

from vtbridge.characters.face_landmarks import FaceFinder, FaceLandmarks
from vtbridge.characters.face_network import face_network
from vtbridge.characters.prepare.face import Face, HeadBox, find_face
from vtbridge.datatypes import U8Array

_SAME_SIZE = 1.18
_SAME_PLACE = 0.18
"""Of the head's side, from one centre to the other."""

_HEAD_WIDTH = 124 / 128
_EYES_Y, _MOUTH_Y = 147.9, 174.0
_MIDDLE = ((_EYES_Y + _MOUTH_Y) / 2 - 64) / 128
"""Where the network sees the six characters that are placed well: the head's width and the middle
between eyes and mouth, in the specification's box of the head."""


def locate(rgba: U8Array, finder: FaceFinder | None = None) -> Face | None:
    """Return the face of a drawing, None if there is none; takes half a second.

    Args:
        rgba: uint8 [H, W, 4], straight alpha.
        finder: None takes the network.
    """
    seen = (face_network() if finder is None else finder).find(rgba)
    known = find_face(rgba)
    if seen is None:
        return known
    head = head_of(seen)
    if known is not None and _same(head, known.head):
        return known
    return Face(head, seen.confidence)


def head_of(face: FaceLandmarks) -> HeadBox:
    """Return what belongs into the specification's box, by where eyes and mouth are."""
    x, _, width, _ = face.head_box
    side = width / _HEAD_WIDTH
    points = (face.left_eye, face.right_eye, face.mouth, face.mouth)
    middle_y = sum(y + height / 2 for _, y, _, height in points) / len(points)
    return HeadBox(x + width / 2 - side / 2, middle_y - _MIDDLE * side, side)


def _same(one: HeadBox, other: HeadBox) -> bool:
    size = max(one.side, other.side) / min(one.side, other.side)
    apart = math.hypot(
        one.x + one.side / 2 - other.x - other.side / 2,
        one.y + one.side / 2 - other.y - other.side / 2,
    )
    return size <= _SAME_SIZE and apart <= _SAME_PLACE * one.side
