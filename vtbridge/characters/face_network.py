"""Find the face of a drawn character with a small network of our own, in numpy.

The network is an hourglass of plain convolutions (``training/landmarks``, 279 000 parameters)
that was taught by procedural characters alone and never saw a real drawing. It looks at the
whole picture in up to four sizes, and then again at each head that it suspects, enlarged or
reduced to where it sees best.

On drawings that it never learnt from, the five built-in characters and Lambda, measured by eye:

==========  ========  ===========  =============  ===========
as drawn    head IoU  eyes' IoU    eyes, % of     mouth, % of
                                   head's width   head's width
==========  ========  ===========  =============  ===========
michi         .87        .88           1.3            0.6
momo          .86        .85           0.8            0.4
ren           .83        .82           1.1            0.8
sumi          .88        .82           0.9            0.6
yuki          .88        .84           0.7            0.2
lambda        .91        .69           0.9            1.1
==========  ========  ===========  =============  ===========

Moved, turned, scaled to 15..85 % of the picture and pasted on backgrounds, 40 times each, 240 of
240 are found: head IoU .87, eyes' .80, eyes off by 1.2 % (nine in ten by less than 1.6), mouth by
0.9 %. Worst is the height of the head's box: of the built-ins the crown is told 3 to 7 % of it too
low and the chin 1 to 3 % too high, of Lambda 2 % the other way; a silhouette tells both better.

Also found with a confidence of at least .9: the same drawings grey, with red and blue exchanged,
as line drawings, at a quarter of their brightness, reduced to 64 pixels, turned by 35 degrees.
Not found: half a face, and Lambda under a blur of 4 pixels (heads of 130 pixels). Of procedural
pictures that were not learnt from, 1 % of 177 faces are missed (under hair, hats and hands), and
0.4 % of 247 others (nobody, bodies, heads without a face) are taken for one.

A picture costs 20 to 40 ms of one core (those without a face, which are searched in every size,
up to 200), next to nothing of it in numpy's threads (see ``_product``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.numpy import load_file

from vtbridge.characters.face_landmarks import Box, FaceLandmarks
from vtbridge.datatypes import F32Array, U8Array

WEIGHTS = Path(__file__).with_name("face_landmarks.safetensors")

_STRIDE = 4
_ALIGN = 32
_LARGEST = 1024
"""Larger pictures are thinned out to this before anything else, pixels."""
_SEARCHED = (128, 256, 96)
"""Longer sides of the picture in which heads are looked for one after the other, pixels."""
_SEARCHED_NARROW = 448
"""One more for pictures more than twice as high as wide, or the other way round."""
_SUSPECTS = 3
"""How many heads a size may suspect; half as likely ones as the best are left out."""
_COLD = 0.02
"""Heat up to which nothing is suspected."""
_CERTAIN = 0.7
"""Score from which other sizes are not searched."""
_CLOSE_PX = 128
_CLOSE_HEADS = (0.52, 0.66)
"""Shares of the close look that the head fills, one after the other; the boxes are averaged."""
_UNTHREADED = 262144
"""Multiplications up to which OpenBLAS uses one thread (SMP_THRESHOLD_MIN times 4)."""
_GREY = 144.0
"""What transparency is painted over."""


class FaceNetwork:
    """A FaceFinder; costs 20 ms a picture on one core, or some 150 where there is no face.

    Args:
        tensors: ``name.weight`` and ``name.bias`` of all convolutions.
        least: confidence below which there is no face.
    """

    def __init__(self, tensors: Mapping[str, F32Array], *, least: float = 0.5) -> None:
        self._tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
        self._least = least

    def find(self, rgba: U8Array) -> FaceLandmarks | None:
        """Return the clearest face, or None; see FaceFinder."""
        rgb, scale = _flattened(rgba)
        best = self._best(rgb)
        if best is None or confidence_from_score(best.score) < self._least:
            return None
        height, width = rgba.shape[:2]
        head, left, right, mouth = (_clipped(box / scale, width, height) for box in best.boxes)
        return FaceLandmarks(head, left, right, mouth, confidence_from_score(best.score))

    def _best(self, rgb: F32Array) -> _Face | None:
        """Return the face with the highest score, or the first that leaves no doubt."""
        height, width = rgb.shape[:2]
        narrow = max(height, width) > 2 * min(height, width)
        best: _Face | None = None
        seen: list[F32Array] = []
        for size in (*_SEARCHED, *([_SEARCHED_NARROW] if narrow else [])):
            for suspect in self._suspects(rgb, size):
                if any(overlap(suspect, other) > 0.5 for other in seen):
                    continue
                seen.append(suspect)
                face = self._looked_at(rgb, suspect)
                if face is not None and (best is None or face.score > best.score):
                    best = face
            if best is not None and best.score > _CERTAIN:
                break
        return best

    def _suspects(self, rgb: F32Array, size: int) -> list[F32Array]:
        """Return boxes of heads (left, top, right, bottom), the likeliest first.

        Args:
            rgb: the picture.
            size: what its longer side is scaled to, pixels.
        """
        height, width = rgb.shape[:2]
        scale = size / max(height, width)
        small = _resized(rgb, max(1, round(width * scale)), max(1, round(height * scale)))
        ratio = np.array([width / small.shape[1], height / small.shape[0]] * 2, np.float32)
        peaks = _peaks(self.maps(small))
        return [box * ratio for heat, box in peaks if heat > max(peaks[0][0] / 2, _COLD)]

    def _looked_at(self, rgb: F32Array, head: F32Array) -> _Face | None:
        """Return the face in ``head`` after close looks, None if one of them sees none."""
        faces = []
        for share in _CLOSE_HEADS:
            side = float(max(head[2] - head[0], head[3] - head[1])) / share
            if not 1e-3 < side < 64 * max(rgb.shape[:2]):
                return None
            corner = ((head[:2] + head[2:]) / 2 - side / 2).astype(np.float32)
            ratio = side / _CLOSE_PX
            face = _read(self.maps(_cut(rgb, corner, ratio)), share)
            if face is None:
                return None
            boxes = face.boxes * ratio + np.tile(corner, 2)
            faces.append(_Face(boxes.astype(np.float32), face.score))
            head = faces[-1].boxes[0]
        boxes = np.mean([face.boxes for face in faces], axis=0)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        if (centres < 0).any() or (centres >= rgb.shape[1::-1]).any():
            return None
        return _Face(boxes, float(np.mean([face.score for face in faces])))

    def maps(self, rgb: F32Array) -> F32Array:
        """Return 20 x H/4 x W/4 answers to H x W x 3 pixels of 0..255; heat as logits."""
        height, width = rgb.shape[:2]
        below, beside = -height % _ALIGN, -width % _ALIGN
        padded = np.pad(rgb, ((0, below), (0, beside), (0, 0)), constant_values=_GREY)
        maps = _relu(self._conv("down.0", padded.transpose(2, 0, 1) / 127.5 - 1, stride=2))
        levels = []
        for level in range(4):
            maps = _relu(self._conv(f"down.{level + 1}", maps, stride=2))
            inner = _relu(self._conv(f"stay_a.{level}", maps))
            maps = _relu(maps + self._conv(f"stay_b.{level}", inner))
            levels.append(maps)
        for level in (2, 1, 0):
            lifted = self._conv(f"up.{level}", maps).repeat(2, axis=1).repeat(2, axis=2)
            maps = _relu(lifted + levels[level])
        return self._conv("out", _relu(self._conv("join", maps)))

    def _conv(self, name: str, maps: F32Array, *, stride: int = 1) -> F32Array:
        """Return one convolution of C x H x W, padded to keep its size."""
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        outputs, _, size, _ = weight.shape
        pad = size // 2
        padded = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
        windows = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
        height, width = windows.shape[1:3]
        columns = windows.transpose(0, 3, 4, 1, 2).reshape(-1, height * width)
        summed = _product(weight.reshape(outputs, -1), columns)
        summed += bias[:, None]
        return summed.reshape(outputs, height, width)


@cache
def face_network() -> FaceNetwork:
    """Return the network with the weights that come with vtbridge."""
    return FaceNetwork(load_file(WEIGHTS))


def confidence_from_score(score: float) -> float:
    """Return how likely a face with this score is one, 0..1."""
    return 1 / (1 + math.exp(-_SLOPE * (score - _EVEN)))


_EVEN, _SLOPE = 0.4, 16.0
"""Fitted on procedural pictures that were not learnt from."""


def overlap(first: F32Array, second: F32Array) -> float:
    """Return the intersection of two boxes (left, top, right, bottom) over their union."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    both = sum(float(np.prod(np.maximum(box[2:] - box[:2], 0))) for box in (first, second))
    return shared / max(both - shared, 1e-6)


@dataclass(frozen=True, slots=True)
class _Face:
    """4 x (left, top, right, bottom) of head, left eye, right eye, mouth; score 0..1."""

    boxes: F32Array
    score: float


def _product(weight: F32Array, columns: F32Array) -> F32Array:
    """Return ``weight @ columns``, in blocks so small that BLAS starts no threads for them.

    Its threads wait for each other by spinning: where something else keeps the cores busy, a
    picture takes a second with them and a fraction of that without.
    """
    rows, inner = weight.shape
    cells = columns.shape[1]
    # The largest power of two that divides the cells and stays below the limit.
    block = cells & -cells
    while block > 1 and rows * inner * block > _UNTHREADED:
        block //= 2
    product = np.empty((rows, cells // block, block), np.float32)
    blocks = columns.reshape(inner, cells // block, block).transpose(1, 0, 2)
    np.matmul(weight, blocks, out=product.transpose(1, 0, 2))
    return product.reshape(rows, cells)


def _relu(maps: F32Array) -> F32Array:
    return np.maximum(maps, 0)


def _flattened(rgba: U8Array) -> tuple[F32Array, float]:
    """Return H x W x 3 over grey, thinned out, and the factor that it was reduced by."""
    step = max(1, max(rgba.shape[:2]) // _LARGEST)
    thin = rgba[::step, ::step].astype(np.float32)
    alpha = thin[..., 3:] / 255
    flat: F32Array = (_GREY + (thin[..., :3] - _GREY) * alpha).astype(np.float32)
    return flat, 1 / step


def _resized(rgb: F32Array, width: int, height: int) -> F32Array:
    shrinks = width < rgb.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width, height), interpolation=how).astype(np.float32)


def _cut(rgb: F32Array, corner: F32Array, ratio: float) -> F32Array:
    """Return a square of the picture, ``ratio`` of its pixels wide a pixel; grey outside it."""
    smooth = rgb
    if ratio > 1.3:
        # Bilinear sampling alone would skip pixels.
        smooth = cv2.GaussianBlur(rgb, (0, 0), 0.4 * ratio).astype(np.float32)
    middle = (ratio - 1) / 2
    matrix = np.array([[ratio, 0, corner[0] + middle], [0, ratio, corner[1] + middle]], np.float32)
    return cv2.warpAffine(
        smooth,
        matrix,
        (_CLOSE_PX, _CLOSE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(_GREY, _GREY, _GREY),
    ).astype(np.float32)


def _heat(logits: F32Array) -> F32Array:
    heat: F32Array = (1 / (1 + np.exp(-logits.clip(-30, 30)))).astype(np.float32)
    return heat


def _box_at(maps: F32Array, part: int, row: int, column: int) -> F32Array:
    """Return the box that the cells around one tell, weighted by their heat."""
    rows = slice(max(row - 1, 0), row + 2)
    columns = slice(max(column - 1, 0), column + 2)
    weight = _heat(maps[part, rows, columns])
    weight = weight / max(float(weight.sum()), 1e-6)
    y, x = np.mgrid[rows, columns][:, : weight.shape[0], : weight.shape[1]] + 0.5
    sides = np.exp(maps[4 + 2 * part : 6 + 2 * part, rows, columns].clip(-4, 5))
    offsets = maps[12 + 2 * part : 14 + 2 * part, rows, columns]
    middle = np.array([((x + offsets[0]) * weight).sum(), ((y + offsets[1]) * weight).sum()])
    half = (sides * weight).sum(axis=(1, 2)) / 2
    return (np.concatenate([middle - half, middle + half]) * _STRIDE).astype(np.float32)


def _peaks(maps: F32Array) -> list[tuple[float, F32Array]]:
    """Return heat and box of the likeliest heads, the best first."""
    heat = _heat(maps[0])
    highest = cv2.dilate(heat, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(heat == highest)
    order = np.argsort(-heat[rows, columns], kind="stable")[:_SUSPECTS]
    return [
        (float(heat[rows[k], columns[k]]), _box_at(maps, 0, int(rows[k]), int(columns[k])))
        for k in order
    ]


def _read(maps: F32Array, share: float) -> _Face | None:
    """Return the face in a close look whose middle is its head's; None if it is no face.

    Args:
        maps: answers to the close look.
        share: of the look that the head should fill.
    """
    cells = maps.shape[1]
    grid = (np.arange(cells) + 0.5) / cells - 0.5
    far = np.maximum(abs(grid)[:, None], abs(grid)[None, :]) / share
    boxes, heats = [], []
    for part in range(4):
        # The head's middle is near the look's, its parts are within it.
        allowed = far < (0.3 if part == 0 else 0.55)
        heat = np.where(allowed, _heat(maps[part]), 0)
        row, column = np.unravel_index(int(heat.argmax()), heat.shape)
        heats.append(float(heat[row, column]))
        boxes.append(_box_at(maps, part, int(row), int(column)))
    face = np.stack(boxes)
    centres = (face[:, :2] + face[:, 2:]) / 2
    (left_x, left_y), (right_x, right_y), (mouth_x, mouth_y) = centres[1:]
    head_height = float(face[0, 3] - face[0, 1])
    apart = math.hypot(left_x - right_x, left_y - right_y)
    below = math.hypot(mouth_x - (left_x + right_x) / 2, mouth_y - (left_y + right_y) / 2)
    if apart < 0.08 * head_height or below < 0.05 * head_height:
        return None
    return _Face(face, float(np.prod(heats)) ** 0.25)


def _clipped(box: F32Array, width: int, height: int) -> Box:
    """Return x, y, width and height of what of the box lies in the picture."""
    left, right = np.clip(box[[0, 2]], 0, width)
    top, bottom = np.clip(box[[1, 3]], 0, height)
    return float(left), float(top), float(right - left), float(bottom - top)
