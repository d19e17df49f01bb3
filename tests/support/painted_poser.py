"""A poser without networks: its frames are one colour that depends on the pose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.fields import FrameFields
from vtbridge.render.settings import Quality


class PaintedPoser:
    """See ``vtbridge.render.poser.Poser``.

    Args:
        name: that it describes itself by.
        draw: makes its 8-bit frames; None paints one colour.

    Attributes:
        pictures: that were set, newest last.
        drawn: how many poses were asked for as floats.
        closed: it was given back.
        failing: it raises InferenceError.
    """

    size = 512
    quality = Quality.EXACT
    repeated = False

    def __init__(
        self, name: str = "painted", draw: Callable[[F32Array], U8Array] | None = None
    ) -> None:
        self.name = name
        self._draw = draw
        self.pictures: list[Picture] = []
        self.drawn = 0
        self.closed = False
        self.failing = False

    def describe(self) -> str:
        return self.name

    def set_picture(self, picture: Picture) -> None:
        self.pictures.append(picture)

    def set_quality(self, quality: Quality) -> None:
        raise NotImplementedError

    def fields(self, values: F32Array) -> FrameFields:
        raise NotImplementedError

    def render(self, values: F32Array) -> U8Array:
        if self._draw is not None:
            return self._draw(values)
        return np.full((512, 512, 4), 255, np.uint8)

    def render_float(self, values: F32Array) -> F32Array:
        assert not self.closed
        if self.failing:
            raise InferenceError("the networks are out of order")
        self.drawn += 1
        planes = np.ones((4, 512, 512), np.float32)
        planes[0] = float(values.sum()) / 45
        return planes

    def recheck(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True
