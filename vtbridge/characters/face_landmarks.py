"""Where head, eyes and mouth of a drawn character are, and who can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vtbridge.datatypes import U8Array

Box = tuple[float, float, float, float]
"""x, y, width and height in the picture's pixels; y grows downwards."""


@dataclass(frozen=True, slots=True)
class FaceLandmarks:
    """One face in a picture; left and right are the subject's own.

    Attributes:
        head_box: from the crown to the chin and from side to side with the hair that lies on
            the skull; without ahoge, ears of animals, hats, tails of hair and what falls
            below the chin.
        left_eye: the open eye with its lashes, without the brow. A closed eye has the box that
            it has when open.
        right_eye: the same of the other eye, on the left of an upright picture.
        mouth: the lips' line or the open mouth; at least a twentieth of the head high.
        confidence: 0..1, how sure the finder is that this is a face.
    """

    head_box: Box
    left_eye: Box
    right_eye: Box
    mouth: Box
    confidence: float


class FaceFinder(Protocol):
    """Finds the face of a character; the picture doctor asks it."""

    def find(self, rgba: U8Array) -> FaceLandmarks | None:
        """Return the clearest face, or None if there is none.

        Args:
            rgba: height x width x 4, straight alpha, any size from one pixel. It is not
                written to.

        Returns:
            Boxes that lie inside the picture.
        """
        ...
