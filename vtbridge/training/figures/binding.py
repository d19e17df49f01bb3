"""Which of a figure's morphs move which pose parameters, and on which side.

A name alone is not trusted: a brow's morph must move what lies above the eyes, a mouth's what
lies below, and a parameter with a side takes the half of a morph that lies there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseGroup, PoseParam
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.figure import Figure, Morph
from vtbridge.training.figures.morph_names import has_side, left_of, morphs_called_for
from vtbridge.training.figures.skeleton import Skeleton, Turning, skeleton_of

HEAD_PARAMS = frozenset({PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z})
_IRIS_PARAMS = frozenset({PoseParam.IRIS_ROTATION_X, PoseParam.IRIS_ROTATION_Y})
_LEAST_OF_SIDE = 0.2
"""How much of a morph must move on a side to be a morph of that side; half of both is .5."""
_MOST_ASTRAY = 0.25
"""How much of a morph may move where its part of the face is not."""
_SEAM = 0.1
"""Half width of the strip in which a morph's halves meet, as a share of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """What a pose does to a figure.

    Attributes:
        names: the figure's morphs behind each parameter.
        morphs: what each moves at 1; a side's half where it has a side.
        skeleton: what turns.
        shows: parameters that move something.
    """

    names: Mapping[PoseParam, tuple[str, ...]]
    morphs: Mapping[PoseParam, Morph]
    skeleton: Skeleton
    shows: frozenset[PoseParam]


def bind(figure: Figure, annotation: Annotation | None = None) -> Binding:
    """Return which morphs and bones of ``figure`` the pose parameters move.

    Raises:
        DatasetError: it has no head to turn, or ``annotation`` names a morph that it has not.
    """
    annotation = annotation or Annotation()
    skeleton = skeleton_of(figure)
    middle_x = skeleton.pivots[Turning.HEAD][0]
    finder = _Finder(figure, middle_x, annotation)
    names: dict[PoseParam, tuple[str, ...]] = {}
    morphs: dict[PoseParam, Morph] = {}
    for param in PoseParam:
        chosen = finder.named(param)
        if not chosen:
            continue
        morph = _joined([figure.morphs[name] for name in chosen])
        if has_side(param):
            morph = half_of(morph, figure.positions, middle_x, left=left_of(param) is param)
        if len(morph.vertices):
            names[param], morphs[param] = chosen, morph
    eyes = {Turning.LEFT_EYE, Turning.RIGHT_EYE} <= skeleton.pivots.keys()
    shows = frozenset(morphs) | HEAD_PARAMS | (_IRIS_PARAMS if eyes else frozenset())
    return Binding(names, morphs, skeleton, shows)


def half_of(morph: Morph, positions: F32Array, middle_x: float, *, left: bool) -> Morph:
    """Return what ``morph`` moves on one side; both halves together are the whole.

    Args:
        morph: of both sides, or of one.
        positions: float32 [V, 3] at rest.
        middle_x: between the sides.
        left: the character's own.
    """
    share = _left_share(morph, positions, middle_x)
    if not left:
        share = np.float32(1.0) - share
    kept = share > 0.0
    return Morph(morph.vertices[kept], morph.offsets[kept] * share[kept, None])


def _left_share(morph: Morph, positions: F32Array, middle_x: float) -> F32Array:
    """Return float32 [K], how much of each vertex is on the left."""
    x = positions[morph.vertices, 0] - np.float32(middle_x)
    moving = np.abs(morph.offsets).max(axis=1) > 0.0
    seam = _SEAM * np.abs(x[moving]).max(initial=0.0)
    share: F32Array = np.clip(0.5 + 0.5 * x / max(seam, 1e-6), 0.0, 1.0).astype(np.float32)
    return share


def _joined(morphs: list[Morph]) -> Morph:
    """Return morphs as one, each vertex once."""
    if len(morphs) == 1:
        return morphs[0]
    vertices, places = np.unique(
        np.concatenate([morph.vertices for morph in morphs]), return_inverse=True
    )
    offsets = np.zeros((len(vertices), 3), np.float32)
    np.add.at(offsets, places.reshape(-1), np.concatenate([morph.offsets for morph in morphs]))
    return Morph(vertices.astype(np.int32), offsets)


class _Finder:
    """Looks for morphs by their names, and at what they move."""

    def __init__(self, figure: Figure, middle_x: float, annotation: Annotation) -> None:
        self._figure = figure
        self._middle_x = middle_x
        self._annotation = annotation
        self._eyes_y: float | None = None
        self._mouth_y: float | None = None
        self._eyes_y = self._height_of(PoseParam.EYE_WINK_LEFT)
        self._mouth_y = self._height_of(PoseParam.MOUTH_AAA)

    def named(self, param: PoseParam) -> tuple[str, ...]:
        """Return the names of the morphs that move ``param``."""
        said = self._annotation.morphs.get(param.label)
        if said is not None:
            for name in said:
                if name not in self._figure.morphs:
                    raise DatasetError(
                        f"{self._figure.path} has no morph {name!r} for {param.label}: "
                        "correct its annotation"
                    )
            return said
        for name in morphs_called_for(param, self._figure.morphs):
            if self._fits(param, self._figure.morphs[name]):
                return (name,)
        return ()

    def _fits(self, param: PoseParam, morph: Morph) -> bool:
        motion = np.linalg.norm(morph.offsets, axis=1)
        total = float(motion.sum())
        if total <= 0.0:  # modellers leave empty morphs as headings and place holders
            return False
        if has_side(param):
            left = float((motion * self._left_share(morph)).sum()) / total
            if (left if left_of(param) is param else 1.0 - left) < _LEAST_OF_SIDE:
                return False
        y = self._figure.positions[morph.vertices, 1]
        astray = np.zeros(len(y), np.bool_)
        if param.group is PoseGroup.BROWS and self._eyes_y is not None:
            astray = y < self._eyes_y
        elif param.group is PoseGroup.MOUTH and self._eyes_y is not None:
            astray = y > self._eyes_y
        elif None not in (self._eyes_y, self._mouth_y):
            astray = y < ((self._eyes_y or 0.0) + (self._mouth_y or 0.0)) / 2.0
        return float(motion[astray].sum()) / total <= _MOST_ASTRAY

    def _left_share(self, morph: Morph) -> F32Array:
        return _left_share(morph, self._figure.positions, self._middle_x)

    def _height_of(self, param: PoseParam) -> float | None:
        """Return the mean y of what moves ``param``, None if nothing does."""
        chosen = self.named(param)
        if not chosen:
            return None
        morph = _joined([self._figure.morphs[name] for name in chosen])
        motion = np.linalg.norm(morph.offsets, axis=1)
        y = self._figure.positions[morph.vertices, 1]
        return float((motion * y).sum() / motion.sum()) if motion.sum() > 0.0 else None
