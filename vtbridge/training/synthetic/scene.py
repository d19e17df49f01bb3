"""Labelled pictures: a character anywhere, of any size, on anything, spoilt as files are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, HeadPose, U8Array
from vtbridge.training.synthetic.backgrounds import random_background
from vtbridge.training.synthetic.character import random_character
from vtbridge.training.synthetic.layers import Part
from vtbridge.training.synthetic.render import View, draw

PARTS = (Part.HEAD, Part.LEFT_EYE, Part.RIGHT_EYE, Part.MOUTH)
"""The order of boxes in arrays."""
_FACE = frozenset({Part.LEFT_EYE, Part.RIGHT_EYE, Part.MOUTH})
CANVAS = 160
"""Side of a cut-out, pixels."""
_HEAD_Y = 68.0


@dataclass(frozen=True, slots=True)
class Cutout:
    """A character on transparency, drawn once and pasted many times.

    Attributes:
        rgba: CANVAS x CANVAS x 4, straight alpha.
        boxes: 4 x (left, top, right, bottom) in the order of PARTS, None without a face.
    """

    rgba: U8Array
    boxes: F32Array | None


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to learn from.

    Attributes:
        rgb: size x size x 3.
        boxes: as in Cutout, in this picture; None where no face is in it.
    """

    rgb: U8Array
    boxes: F32Array | None


def draw_cutout(seed: int) -> Cutout:
    """Return the character of a seed in a random pose and size; one in twelve lacks its face."""
    random = np.random.default_rng([seed, 1])
    spread = 0.3 if random.random() < 0.6 else 0.1
    yaw, pitch = random.normal(0, spread, 2).clip(-0.6, 0.6)
    head = HeadPose(pitch * 0.7, yaw, random.normal(0, 0.15))
    head_px = np.exp(random.uniform(np.log(24), np.log(96)))
    view = View(CANVAS, CANVAS, head_px / 2, CANVAS / 2, _HEAD_Y, supersample=2)
    faceless = random.random() < 1 / 12
    drawing = draw(random_character(seed), head, view, without=_FACE if faceless else frozenset())
    boxes = np.array([drawing.boxes[part] for part in PARTS], np.float32)
    return Cutout(drawing.rgba, None if faceless else boxes)


def random_scene(
    cutout: Cutout | None, background: U8Array, random: np.random.Generator, size: int
) -> Scene:
    """Return ``cutout`` pasted somewhere on ``background``, or nothing but the background.

    Args:
        cutout: None for a picture without anybody.
        background: at least ``size`` x ``size`` x 3.
        random: decides place, size, mirror, colours and damage.
        size: side of the picture in pixels.
    """
    left, top = (int(random.integers(0, side - size + 1)) for side in background.shape[1::-1])
    picture = background[top : top + size, left : left + size].astype(np.float32)
    boxes = None
    if cutout is not None:
        matrix, boxes = _placement(cutout, random, size)
        pasted = cv2.warpAffine(cutout.rgba, matrix, (size, size), flags=cv2.INTER_AREA)
        alpha = pasted[..., 3:].astype(np.float32) / 255
        colours = pasted[..., :3].astype(np.float32)
        if random.random() < 0.5:
            colours = colours * _light(random, size)
        picture += (colours - picture) * alpha
        if boxes is not None and random.random() < 0.08:
            _cover(picture, boxes[0], random)
    return Scene(_spoilt(picture, random), boxes)


def _placement(
    cutout: Cutout, random: np.random.Generator, size: int
) -> tuple[F32Array, F32Array | None]:
    """Return the 2 x 3 matrix onto the picture and the boxes there; some heads fall outside."""
    mirror = -1.0 if random.random() < 0.5 else 1.0
    turn = random.normal(0, 0.08)
    scale = np.exp(random.uniform(np.log(0.7), np.log(1.35)))
    shear = random.uniform(0.92, 1.08)
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    linear = np.array([[cos * mirror * shear, -sin], [sin * mirror * shear, cos]])
    middle = np.array([CANVAS / 2, _HEAD_Y])
    wanted = random.uniform(0.12, 0.88, 2) * size
    outside = random.random() < 0.04
    if outside:
        wanted[1] = -random.uniform(0.1, 0.4) * size
    if cutout.boxes is not None:
        head = cutout.boxes[0]
        middle = (head[:2] + head[2:]) / 2
        half = (head[2:] - head[:2]) / 2 * scale * [shear, 1]
        # Most heads are whole; a little may be cut off.
        least, most = np.minimum(half * 0.85, size / 2), np.maximum(size - half * 0.85, size / 2)
        wanted = random.uniform(least, most)
        if outside:
            wanted[1] = -half[1] * random.uniform(0.7, 1.2)
    matrix = np.column_stack([linear, wanted - linear @ middle]).astype(np.float32)
    if cutout.boxes is None or outside:
        return matrix, None
    centres = (cutout.boxes[:, :2] + cutout.boxes[:, 2:]) / 2
    sides = (cutout.boxes[:, 2:] - cutout.boxes[:, :2]) * np.array([shear, 1]) * scale
    placed = centres @ matrix[:, :2].T + matrix[:, 2]
    boxes = np.concatenate([placed - sides / 2, placed + sides / 2], axis=1).astype(np.float32)
    if mirror < 0:
        boxes = boxes[[0, 2, 1, 3]]
    return matrix, boxes


def _light(random: np.random.Generator, size: int) -> F32Array:
    """Return soft light and shadow to multiply by, as painters lay them."""
    grain = int(random.choice([3, 5, 9, 14]))
    strength = random.uniform(0.05, 0.4)
    coarse = 1 + random.uniform(-strength, strength * 0.5, (grain, grain, 3))
    if random.random() < 0.6:
        coarse[:] = coarse.mean(axis=2, keepdims=True)
    soft = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(soft, np.float32)


def _cover(picture: F32Array, head: F32Array, random: np.random.Generator) -> None:
    """Lay a hand or a thing over the lower half or the side of the head."""
    middle, half = (head[:2] + head[2:]) / 2, (head[2:] - head[:2]) / 2
    side = random.choice([-1, 1])
    place = middle + half * [side * random.uniform(0.5, 1.1), random.uniform(-0.6, 1.2)]
    size = half.mean() * random.uniform(0.15, 0.4, 2)
    fill = tuple(random.uniform(0, 255, 3)) if random.random() < 0.5 else (250.0, 220.0, 205.0)
    rotated = (place.tolist(), (2 * size).tolist(), float(random.uniform(0, 180)))
    cv2.ellipse(picture, rotated, fill, -1, cv2.LINE_AA)


def _spoilt(picture: F32Array, random: np.random.Generator) -> U8Array:
    """Return the picture with other colours, soft, noisy or compressed."""
    changed: NDArray[Any] = picture
    if random.random() < 0.5:
        changed = (changed - 128) * random.uniform(0.6, 1.2) + 128 + random.uniform(-30, 30)
    if random.random() < 0.12:
        sepia = np.array([24, 6, -20]) if random.random() < 0.3 else np.zeros(3)
        changed = changed.mean(axis=2, keepdims=True) + sepia
    if random.random() < 0.2:
        changed = changed * random.uniform(0.8, 1.1, 3)
    if random.random() < 0.3:
        changed = cv2.GaussianBlur(changed.astype(np.float32), (0, 0), random.uniform(0.3, 1.3))
    if random.random() < 0.2:
        changed = changed + random.normal(0, random.uniform(2, 14), changed.shape)
    spoilt: U8Array = changed.clip(0, 255).astype(np.uint8)
    if random.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 90))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", spoilt, quality)[1], cv2.IMREAD_COLOR)
        spoilt = np.asarray(decoded, np.uint8)
    return spoilt


def draw_background(seed: int) -> U8Array:
    """Return the background of a seed, CANVAS x CANVAS x 3."""
    return random_background(np.random.default_rng([seed, 2]), CANVAS)
