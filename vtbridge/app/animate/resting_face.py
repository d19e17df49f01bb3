"""The face that a video comes back to: what counts as neutral there."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple

import numpy as np

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose

REST_PERCENTILE = 15
"""A muscle rests in at least this share of the pictures, even of somebody who talks on."""
_LOOK = "eyeLook"


def resting_face(faces: Iterable[FaceFrame]) -> FaceFrame | None:
    """Return the resting face of a whole video, None if no picture shows a face.

    Head and gaze rest at their medians: they swing to both sides. A blendshape only ever
    rises from where it rests, so that is a low percentile; a median would take a smile that
    lasts for neutral.
    """
    shapes: dict[str, array[float]] = defaultdict(lambda: array("f"))
    heads, lefts, rights = array("f"), array("f"), array("f")
    last: FaceFrame | None = None
    for face in faces:
        if not face.tracked:
            continue
        last = face
        for name, value in face.blendshapes.items():
            shapes[name].append(value)
        for angles, values in (
            (heads, face.head),
            (lefts, face.left_eye),
            (rights, face.right_eye),
        ):
            if values is not None:
                angles.extend(astuple(values))
    if last is None:
        return None
    return FaceFrame(
        t_ns=0,
        source=last.source,
        blendshapes=_at_rest(shapes),
        head=HeadPose(*_medians(heads, 3)) if heads else None,
        left_eye=Gaze(*_medians(lefts, 2)) if lefts else None,
        right_eye=Gaze(*_medians(rights, 2)) if rights else None,
    )


def _at_rest(shapes: Mapping[str, array[float]]) -> dict[str, float]:
    return {
        name: float(np.percentile(values, 50 if name.startswith(_LOOK) else REST_PERCENTILE))
        for name, values in shapes.items()
    }


def _medians(flat: array[float], size: int) -> list[float]:
    return [float(value) for value in np.median(np.reshape(flat, (-1, size)), axis=0)]
