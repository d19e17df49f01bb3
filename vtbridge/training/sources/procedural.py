"""Procedural characters as subjects of a data set: the face moves, and the truth is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import cv2

from vtbridge.datatypes import F32Array, HeadPose, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseGroup, PoseParam
from vtbridge.training.sources.subject import HEAD_TURN_DEG, Light
from vtbridge.training.synthetic.character import Design, random_design
from vtbridge.training.synthetic.layers import Bone, LayerGroup
from vtbridge.training.synthetic.motion import flow_between
from vtbridge.training.synthetic.render import View, draw, draw_groups, project

_PREFIX: Final = "procedural-"
SHOWN: Final = frozenset(param for param in PoseParam if param.group is not PoseGroup.BODY)
"""What moves a procedural character: everything above the shoulders."""


class ProceduralSubject:
    """The character of a seed; see ``LabelledSubject``.

    Args:
        seed: 0 or more.
        supersample: draws larger by this factor and averages.
    """

    def __init__(self, seed: int, *, supersample: int = 2) -> None:
        self._seed = seed
        self._supersample = supersample

    @property
    def name(self) -> str:
        """``procedural-000123`` for the seed 123."""
        return f"{_PREFIX}{self._seed:06d}"

    @property
    def work(self) -> str:
        """The name: each character is a work of its own."""
        return self.name

    @property
    def shows(self) -> frozenset[PoseParam]:
        """All parameters but the body's."""
        return SHOWN

    def draw(self, pose: F32Array, *, size: int = 256, light: Light | None = None) -> U8Array:
        """Return it in a pose; see ``Subject.draw``. Its light is painted."""
        return draw(self._design.posed(pose), head_of(pose), self._view(size)).rgba

    def landmarks(self, pose: F32Array, *, size: int = 256) -> Mapping[str, tuple[float, float]]:
        """Return points of lids, irises, brows, mouth, chin and crown, in pixels."""
        head, view = head_of(pose), self._view(size)
        named = {}
        for name, point in self._design.landmarks(pose).items():
            x, y = project(point[None], Bone.HEAD, head, view)[0]
            named[name] = (float(x), float(y))
        return named

    def flow(
        self, pose: F32Array, source: F32Array, *, size: int = 256
    ) -> tuple[F32Array, F32Array]:
        """Return where each pixel comes from; see ``LabelledSubject.flow``."""
        here = (self._design.posed(pose), head_of(pose))
        there = (self._design.posed(source), head_of(source))
        return flow_between(here, there, self._view(size))

    def layers(self, pose: F32Array, *, size: int = 256) -> Mapping[LayerGroup, U8Array]:
        """Return each group alone; see ``LabelledSubject.layers``."""
        return draw_groups(self._design.posed(pose), head_of(pose), self._view(size))

    @cached_property
    def _design(self) -> Design:
        return random_design(self._seed)

    def _view(self, size: int) -> View:
        """Return the view in which chin and crown are a quarter from the borders."""
        design = self._design
        unit_px = size / 2 / (design.traits.chin - design.crown_y)
        middle = (design.traits.chin + design.crown_y) / 2
        return View(size, size, unit_px, size / 2, size / 2 - middle * unit_px, self._supersample)


class ProceduralSource:
    """The characters of consecutive seeds; see ``Source``.

    Args:
        count: how many.
        first: the first seed.
        supersample: see ``ProceduralSubject``.
    """

    def __init__(self, count: int, first: int = 0, *, supersample: int = 2) -> None:
        self._seeds = range(first, first + count)
        self._supersample = supersample
        # One process draws on one core; threads within would only disturb the others.
        cv2.setNumThreads(1)

    def names(self) -> Sequence[str]:
        """Return the names in the order of their seeds."""
        return [f"{_PREFIX}{seed:06d}" for seed in self._seeds]

    def work_of(self, name: str) -> str:
        """Return the name: each character is a work of its own."""
        return name

    def open(self, name: str) -> ProceduralSubject:
        """Return the character of a name.

        Raises:
            DatasetError: there is none of it.
        """
        seed = name.removeprefix(_PREFIX)
        if not seed.isascii() or not seed.isdecimal() or int(seed) not in self._seeds:
            raise DatasetError(f"{name!r} is no procedural character of this data set")
        return ProceduralSubject(int(seed), supersample=self._supersample)


def head_of(pose: F32Array) -> HeadPose:
    """Return how a pose of 45 turns the head."""
    unit = math.radians(HEAD_TURN_DEG)
    return HeadPose(
        pitch_rad=pose.item(PoseParam.HEAD_X) * unit,
        yaw_rad=pose.item(PoseParam.HEAD_Y) * unit,
        roll_rad=pose.item(PoseParam.NECK_Z) * unit,
    )
