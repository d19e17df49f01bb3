"""Where a figure is looked at from: along -z, without perspective."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Camera:
    """A square of the figure's x and y that fills a square picture.

    Attributes:
        center_x: of the picture's middle, in the figure's units.
        center_y: likewise.
        half_height: from the picture's middle to its upper border, more than 0.
    """

    center_x: float
    center_y: float
    half_height: float


def specified_camera(center_x: float, chin_y: float, top_y: float) -> Camera:
    """Return the camera of version 1's specification.

    The head's top and the chin lie on the borders of the picture's middle half.

    Args:
        center_x: middle of the face.
        chin_y: of the chin at rest.
        top_y: of the head's top at rest, above ``chin_y``.
    """
    return Camera(center_x, (chin_y + top_y) / 2.0, top_y - chin_y)
