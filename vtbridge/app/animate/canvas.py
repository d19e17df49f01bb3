"""Where the character stands in the finished picture, and what is behind and beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

from vtbridge.app.animate.views import VIEWS
from vtbridge.app.animate.zoom import Zoom
from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.errors import ConfigError
from vtbridge.video.bleed import bled

DEFAULT_BACKGROUND = "#dfe3ee"
"""A calm light blue grey, for formats without alpha."""
LEAST_SIDE, MOST_SIDE = 16, 4096
"""Of the finished picture, pixels."""

_SIZE = re.compile(r"(\d{1,5})(?:[x×](\d{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Window:
    """A rectangle in pixels of the character's picture, which it may reach beyond."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, pixels: F32Array) -> F32Array:
        """Return what is seen of ``pixels``, float32 [H, W, 4]; beyond them nothing is."""
        right, bottom = self.left + self.width, self.top + self.height
        seen = pixels[max(self.top, 0) : bottom, max(self.left, 0) : right]
        below, left = max(-self.top, 0), max(-self.left, 0)
        cut = np.zeros((self.height, self.width, 4), np.float32)
        cut[below : below + seen.shape[0], left : left + seen.shape[1]] = seen
        return cut


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The layout of one animation; the character stands on the lower edge, in the middle.

    Zoomed in, it is cut off there and wherever else it does not fit.

    Attributes:
        width: of the part that shows the character, pixels.
        height: of the whole, pixels.
        background: uint8 [height, width, 3] sRGB; None keeps the picture transparent.
        source_width: of the source's picture on the left, pixels; 0 = not shown.
        bleeding: whether transparent pixels take the colour of their neighbours, for lossy
            encoders; else they are black.
        zoom: how near the character is shown.
    """

    width: int = PICTURE_SIZE
    height: int = PICTURE_SIZE
    background: U8Array | None = None
    source_width: int = 0
    bleeding: bool = False
    zoom: Zoom = Zoom.FULL

    @property
    def total_width(self) -> int:
        """Width of the finished picture, pixels."""
        return self.source_width + self.width

    def compose(self, character: U8Array, source: U8Array | None = None) -> U8Array:
        """Return the finished picture.

        Args:
            character: uint8 [512, 512, 4], sRGB, straight alpha.
            source: uint8 [H, W, 3], sRGB; needed where ``source_width`` is not 0.

        Returns:
            uint8 [height, total_width, 3] on a background, else [height, total_width, 4] with
            straight alpha.
        """
        shown = self._transparent(character) if self.background is None else self._over(character)
        if not self.source_width:
            return shown
        if source is None:
            raise ValueError("the source's picture is to be shown but was not given")
        beside = _u8(_resized(source.astype(np.float32), self.source_width, self.height))
        if shown.shape[2] == 4:
            opaque = np.full((*beside.shape[:2], 1), 255, np.uint8)
            beside = np.concatenate([beside, opaque], axis=2)
        return np.concatenate([beside, shown], axis=1)

    def _over(self, character: U8Array) -> U8Array:
        if self.background is None:
            raise ValueError("there is no background")
        premultiplied = self._placed(character)
        # Encoded values are blended, as OBS and painting programs do.
        seen_through = 1 - premultiplied[..., 3:] / np.float32(255)
        return _u8(premultiplied[..., :3] + seen_through * self.background)

    def _transparent(self, character: U8Array) -> U8Array:
        as_rendered = self.zoom is Zoom.FULL and (self.height, self.width) == character.shape[:2]
        if as_rendered and not self.bleeding:
            return character.copy()
        premultiplied = self._placed(character)
        colour = bled(premultiplied)
        straight = _u8(np.concatenate([colour, premultiplied[..., 3:]], axis=2))
        if not self.bleeding:
            straight[straight[..., 3] == 0] = 0
        return straight

    @property
    def _window(self) -> _Window:
        """What is seen of the character's picture; it may reach beyond it."""
        view = VIEWS[self.zoom]
        scale = view.side / min(self.width, self.height)
        width, height = round(self.width * scale), round(self.height * scale)
        return _Window((PICTURE_SIZE - width) // 2, view.bottom - height, width, height)

    def _placed(self, character: U8Array) -> F32Array:
        """Return the character at its place, float32 [height, width, 4], 0..255, premultiplied."""
        pixels = character.astype(np.float32)
        # Straight colours must not be mixed: those of transparent pixels would show.
        pixels[..., :3] *= pixels[..., 3:] / np.float32(255)
        pixels = self._window.cut(pixels)
        if (self.height, self.width) == pixels.shape[:2]:
            return pixels
        pixels = np.clip(_resized(pixels, self.width, self.height), 0, 255)
        pixels[..., :3] = np.minimum(pixels[..., :3], pixels[..., 3:])  # cubic filters overshoot
        return pixels


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of ``720`` (a square) or ``1920x1080``.

    Raises:
        ConfigError: it is neither, or out of bounds.
    """
    match = _SIZE.fullmatch(text.strip())
    sides = [int(side) for side in match.groups() if side] if match else []
    if not sides or not all(LEAST_SIDE <= side <= MOST_SIDE for side in sides):
        raise ConfigError(
            f"--size {text}: write SIDE or WIDTHxHEIGHT, {LEAST_SIDE}..{MOST_SIDE} pixels each, "
            "such as 720 or 1920x1080"
        )
    return sides[0], sides[-1]


def _resized(pixels: F32Array, width: int, height: int) -> F32Array:
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.float32)


def _u8(values: F32Array) -> U8Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
