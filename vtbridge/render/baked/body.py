"""The body of a prepared character: six rotations to what the editor would say of them.

What the editor says is kept where the picture's parts are, not where they are seen: in
source places, to which a coarse, smooth motion leads from every pixel of a frame. There
silhouettes stand still, so that few numbers tell how they change with the rotation. From a
rotation to a frame:

1. ``latents = kernel(rotation) @ weights``: radial functions ``|z - centre| ** 3`` and a
   linear tail over the scaled rotation ``z`` (Duchon 1977; Wahba 1990, "Spline models").
2. ``amounts = latents @ (mixing * mixing_scale)``: of the motion's components and of those
   of every tile.
3. The motion: controls of a uniform cubic B-spline, one every 16 pixels.
4. The texture: 16 x 16 tiles of 512 x 512 source places, mean + amounts @ basis; a pixel
   keeps the rest of the grid change, alpha, and alpha times colour.
5. A frame's pixel reads the texture bilinearly where the motion leads from it.

Tiles in which nothing was ever seen are left out, and nothing is seen there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.errors import WeightsError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.render.baked import _body

ROTATIONS = POSE_SIZE - ROTATION_SLICE.start
TILE = 16
"""Side of a tile of source places, and the distance of the motion's controls, in pixels."""
TILES = PICTURE_SIZE // TILE
CONTROLS = TILES + 3
BEND_CHANNELS = 2
PAINT_CHANNELS = 5
MAX_CENTRES = 4096
MAX_LATENTS = 512
MAX_COMPONENTS = 255
"""Most components of one tile."""

_LANES = 8
_REMEDY = "Bake the character again"


class BakedBody:
    """Show the body of one prepared character.

    It belongs to one thread at a time and holds its scratch, so that a frame allocates
    nothing of the size of a picture.

    Args:
        tensors: those of a model whose names start with ``body.``, and maybe others.

    Raises:
        WeightsError: a tensor is absent, has another type or shape than the others ask
            for, or is not finite.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        checked = _Checked(tensors)
        self._origin = checked.take("origin", np.float32, (ROTATIONS,))
        self._scale = checked.take("scale", np.float32, (ROTATIONS,))
        self._centres = checked.take("centres", np.float32, (None, ROTATIONS), MAX_CENTRES)
        count = len(self._centres)
        self._weights = checked.take("weights", np.float32, (count + 1 + ROTATIONS, None))
        self._latents = np.empty(
            checked.within("weights", self._weights.shape[1], MAX_LATENTS), np.float32
        )
        self._motion_mean = checked.take("motion.mean", np.float32, (2, CONTROLS, CONTROLS))
        self._motion = checked.take(
            "motion.basis", np.float16, (None, 2, CONTROLS, CONTROLS), MAX_COMPONENTS
        ).astype(np.float32)
        self._tiles = checked.tiles()
        self._bend = _Part(checked, "bend", BEND_CHANNELS, len(self._tiles))
        self._paint = _Part(checked, "paint", PAINT_CHANNELS, len(self._tiles))
        amounts = len(self._motion) + self._bend.size + self._paint.size
        self._mixing = checked.take("mixing", np.int16, (len(self._latents), amounts))
        self._steps = checked.take("mixing_scale", np.float32, (amounts,))
        self._amounts = np.empty(amounts, np.float32)
        first, last = len(self._motion), len(self._motion) + self._bend.size
        self._motion_amounts = self._amounts[:first]
        self._bend_buffers = self._bend.buffers(self._amounts[first:last])
        self._paint_buffers = self._paint.buffers(self._amounts[last:])
        self._kernel = np.ones(count + 1 + ROTATIONS, np.float32)
        self._controls = np.empty((2, CONTROLS, CONTROLS), np.float32)
        self._active = np.zeros((TILES, TILES), np.uint8)
        self._active.reshape(-1)[self._tiles] = 1
        self._texture = np.zeros((PICTURE_SIZE, PICTURE_SIZE, _LANES), np.float32)
        self._expanded: bytes | None = None
        self._fields: tuple[F32Array, F32Array, F32Array] | None = None

    def fields(self, rotation: F32Array) -> tuple[F32Array, F32Array, F32Array]:
        """Return grid change, alpha and colour of a rotation, as ``FrameFields`` has them.

        Args:
            rotation: float32 [6], the pose's ``ROTATION_SLICE``.

        Returns:
            float32 [2, 512, 512], [4, 512, 512], [4, 512, 512], valid until the next call.

        Raises:
            ValueError: ``rotation`` is not float32 [6] or not finite.
        """
        self._expand(rotation)
        if self._fields is None:
            side = PICTURE_SIZE
            self._fields = (
                np.empty((2, side, side), np.float32),
                np.empty((4, side, side), np.float32),
                np.empty((4, side, side), np.float32),
            )
        _body.fields(self._texture, self._active, self._controls, *self._fields)
        return self._fields

    def draw(self, rotation: F32Array, morphed: F32Array, out: U8Array) -> None:
        """Draw a rotation straight to pixels: what ``Compositor`` makes of ``fields``.

        Args:
            rotation: float32 [6], the pose's ``ROTATION_SLICE``.
            morphed: the picture with its posed face, float32 [4, 512, 512], C-contiguous,
                network signals; what is not finite there is drawn as 0.
            out: premultiplied sRGB, uint8 [512, 512, 4], C-contiguous.

        Raises:
            ValueError: an array has not the shape or type that it should have, or
                ``rotation`` is not finite.
        """
        side = PICTURE_SIZE
        for name, array, dtype, shape in (
            ("morphed", morphed, np.float32, (4, side, side)),
            ("out", out, np.uint8, (side, side, 4)),
        ):
            if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
                raise ValueError(
                    f"{name} is {np.dtype(dtype)} {shape}, C-contiguous, "
                    f"not {array.dtype} {array.shape}"
                )
        self._expand(rotation)
        _body.draw(self._texture, self._active, self._controls, morphed, out)

    def _expand(self, rotation: F32Array) -> None:
        """Fill controls and texture for a rotation, unless they are its already."""
        if rotation.shape != (ROTATIONS,) or rotation.dtype != np.float32:
            raise ValueError(
                f"a rotation is float32 [{ROTATIONS}], not {rotation.dtype} {rotation.shape}"
            )
        if not np.isfinite(rotation).all():
            raise ValueError("a rotation holds a value that is not finite")
        key = rotation.tobytes()
        if key == self._expanded:
            return
        count = len(self._centres)
        # Far beyond what a pose can be, numbers overflow; C draws what then is not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (rotation - self._origin) * self._scale
            distance = self._centres - scaled
            squared = np.einsum("ij,ij->i", distance, distance)
            np.multiply(squared, np.sqrt(squared), out=self._kernel[:count])
            self._kernel[count + 1 :] = scaled
        latents, amounts, controls = self._latents, self._amounts, self._controls
        _body.mix(self._kernel, self._weights, latents, len(self._kernel), len(latents))
        _body.mix_steps(latents, self._mixing, self._steps, amounts, len(latents), len(amounts))
        motions = len(self._motion_amounts)
        _body.mix(self._motion_amounts, self._motion, controls, motions, controls.size)
        with np.errstate(over="ignore", invalid="ignore"):
            self._controls += self._motion_mean
        _body.expand(
            self._tiles, self._bend_buffers, self._paint_buffers, self._texture, len(self._tiles)
        )
        self._expanded = key


class _Part:
    """Components of some channels of every tile."""

    def __init__(self, checked: _Checked, name: str, channels: int, tiles: int) -> None:
        pixels = TILE * TILE
        self._counts = checked.take(f"{name}.counts", np.uint8, (tiles,))
        self.size = int(self._counts.sum(dtype=np.int64))
        shape = (self.size, channels)
        basis = checked.take(f"{name}.basis", np.int8, (*shape, pixels))
        ends = np.cumsum(self._counts, dtype=np.int64)[:-1]
        self._words: NDArray[np.uint32] = np.concatenate(
            [_words(part) for part in np.split(basis, ends)]
        )
        self._scale = checked.take(f"{name}.scale", np.float32, shape)
        mean = checked.take(f"{name}.mean", np.float16, (tiles, channels, pixels))
        self._mean: F32Array = mean.astype(np.float32)

    def buffers(
        self, amounts: F32Array
    ) -> tuple[U8Array, NDArray[np.uint32], F32Array, F32Array, F32Array]:
        """Return what C wants, with ``amounts`` of the components."""
        return self._counts, self._words, self._scale, amounts, self._mean


def _words(basis: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Return a tile's components [count, channels, 256] as C reads them, a flat array.

    Of each channel and run of 64 pixels all components follow each other, and a word holds
    the steps of four pixels 16 apart.
    """
    count, channels, pixels = basis.shape
    parts = basis.view(np.uint8).reshape(count, channels, pixels // 64, 4, 16).astype(np.uint32)
    shifts = np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    words: NDArray[np.uint32] = np.bitwise_or.reduce(parts << shifts, axis=3)
    flat: NDArray[np.uint32] = words.transpose(1, 2, 0, 3).reshape(-1)
    return flat


class _Checked:
    """Tensors of a file that nobody vouches for."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._tensors = tensors

    def take(
        self, name: str, dtype: type[Any], shape: tuple[int | None, ...], most: int | None = None
    ) -> NDArray[Any]:
        """Return a C-contiguous copy of a tensor; None in ``shape`` is 1..``most``."""
        name = f"body.{name}"
        array = self._tensors.get(name)
        if array is None:
            raise WeightsError(f"the model has no tensor {name}. {_REMEDY}")
        fits = array.ndim == len(shape) and all(
            size >= 1 if wanted is None else size == wanted
            for size, wanted in zip(array.shape, shape, strict=True)
        )
        if not fits or array.dtype != dtype:
            raise WeightsError(
                f"{name} is {array.dtype} {array.shape} instead of "
                f"{np.dtype(dtype)} {shape}. {_REMEDY}"
            )
        if most is not None:
            self.within(name, len(array), most)
        if not np.isfinite(array).all():
            raise WeightsError(f"{name} holds values that are not finite. {_REMEDY}")
        return np.array(array, order="C")

    def within(self, name: str, size: int, most: int) -> int:
        """Return ``size`` if it is at most ``most``."""
        if size > most:
            raise WeightsError(f"{name} holds {size}; at most {most} can be. {_REMEDY}")
        return size

    def tiles(self) -> NDArray[np.int16]:
        """Return the tiles' places, growing."""
        places: NDArray[np.int16] = self.take("tiles", np.int16, (None,), TILES * TILES)
        if places[0] < 0 or places[-1] >= TILES * TILES or (np.diff(places) <= 0).any():
            raise WeightsError(f"body.tiles are not growing places in the picture. {_REMEDY}")
        return places
