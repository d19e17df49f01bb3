"""From samples of a body to the tensors of a model.

One thing after the other, so that each takes in what those before it left: the coarse
motion; what bends beyond it; and what is painted over a picture that bends as the model's
own does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import PICTURE_SIZE, F32Array
from vtbridge.render.baked.body import (
    BEND_CHANNELS,
    CONTROLS,
    PAINT_CHANNELS,
    TILE,
    TILES,
)
from vtbridge.training.distill.body_basis import TileBasis, fit_tiles
from vtbridge.training.distill.body_motion import (
    controls_from_sample,
    motion_from_controls,
    seen_from_source,
)
from vtbridge.training.distill.body_samples import BodySample, BodySamples
from vtbridge.training.distill.planes import sampled_at
from vtbridge.training.distill.rotation_spline import fit_spline

_SIDE = PICTURE_SIZE
_PIXELS = TILE * TILE
_MOTIONS = 32
"""Components of the coarse motion at most."""
_LATENTS = 320
"""Fewer cost quality: 160 take 1 dB, 256 a third, 400 give another third."""
_BYTES = 19_000_000
"""Of all tensors."""
_BEND_SHARE = 0.25
"""Of the bytes that components take; the rest is paint."""
_STEPS = 32767
_SLACK = 0.04
"""Of 2: so little too much is left to the paint's clipping."""
_KNOWN = 0.5
"""Share of a place's neighbours that must be known for it to be."""


class _Sources:
    """The tiles of source places in which something is ever seen."""

    def __init__(self, active: NDArray[np.bool_]) -> None:
        self.tiles = np.flatnonzero(active).astype(np.int16)
        rows, columns = np.divmod(self.tiles.astype(np.int64), TILES)
        within_y, within_x = np.divmod(np.arange(_PIXELS), TILE)
        self.x = (columns[:, None] * TILE + within_x).astype(np.float32)
        self.y = (rows[:, None] * TILE + within_y).astype(np.float32)
        self._flat = (self.y * _SIDE + self.x).astype(np.int64)

    def __len__(self) -> int:
        return len(self.tiles)

    def cut(self, planes: F32Array) -> F32Array:
        """Return the places of planes [C, 512, 512], [tiles, C, 256]."""
        values = planes.reshape(len(planes), -1)[:, self._flat]
        result: F32Array = np.ascontiguousarray(values.transpose(1, 0, 2))
        return result

    def spread(self, values: F32Array) -> F32Array:
        """Return planes [C, 512, 512] of places [tiles, C, 256], 0 elsewhere."""
        planes = np.zeros((values.shape[1], _SIDE * _SIDE), np.float32)
        planes[:, self._flat] = values.transpose(1, 0, 2)
        return planes.reshape(-1, _SIDE, _SIDE)


class _Scratch:
    """Values of all samples at all places, on the disk."""

    def __init__(self, path: Path, samples: int, tiles: int, channels: int) -> None:
        self._shape = (samples, tiles, channels, _PIXELS)
        self._path = path
        self._values = np.memmap(path, np.float16, "w+", shape=self._shape)

    def put(self, sample: int, values: F32Array) -> None:
        """Hold a sample's values, [tiles, channels, 256]."""
        self._values[sample] = values

    def sample(self, number: int) -> F32Array:
        """Return a sample's values, [tiles, channels, 256]."""
        values: F32Array = self._values[number].astype(np.float32)
        return values

    def put_tile(self, number: int, values: F32Array) -> None:
        """Hold a tile's values, [samples, channels, 256]."""
        self._values[:, number] = values

    def tile(self, number: int) -> F32Array:
        """Return a tile's values, [samples, channels, 256]; what is not known is the mean."""
        values = self._values[:, number].astype(np.float32)
        unknown = np.isnan(values)
        if unknown.any():
            known = np.maximum((~unknown).sum(axis=0), 1)
            mean = np.where(unknown, 0, values).sum(axis=0) / known
            np.copyto(values, np.broadcast_to(mean, values.shape), where=unknown)
        return values

    def close(self) -> None:
        """Delete the file."""
        del self._values
        self._path.unlink(missing_ok=True)


def fit_body(
    samples: BodySamples,
    used: Sequence[int],
    planes: F32Array,
    folder: Path,
    stop: Callable[[], bool],
) -> dict[str, NDArray[Any]] | None:
    """Return the tensors of a model of some samples, None if stopped.

    Args:
        samples: to learn from.
        used: which of them.
        planes: the picture, network signals, [4, 512, 512].
        folder: for scratch of 2.5 KiB times tiles times samples.
        stop: asked often.
    """
    shifted = planes + np.float32(1.0)
    controls = np.empty((len(used), 2, CONTROLS, CONTROLS), np.float32)
    for number, index in enumerate(used):
        if stop():
            return None
        sample = samples.sample(index)
        controls[number] = controls_from_sample(sample, _presence(sample, shifted))
    motion_mean, motion_basis, motion_amounts = _motion_basis(controls)
    moved = motion_mean + np.tensordot(motion_amounts, motion_basis.astype(np.float32), 1)

    active = np.zeros((TILES, TILES), bool)
    for number, index in enumerate(used):
        if stop():
            return None
        active |= _sources_of(samples.sample(index), motion_from_controls(moved[number]))
    sources = _Sources(active)
    weights = _weights(shifted, sources)

    most_bends, most_paints = _component_counts(len(used), len(sources))
    bends = _Scratch(folder / "bend.scratch", len(used), len(sources), BEND_CHANNELS)
    paints = _Scratch(folder / "paint.scratch", len(used), len(sources), PAINT_CHANNELS)
    try:
        for number, index in enumerate(used):
            if stop():
                return None
            motion = motion_from_controls(moved[number])
            bends.put(number, _bend_values(samples.sample(index), motion, sources))
        bend = fit_tiles(bends.tile, weights[0], most_bends, stop)
        if bend is None:
            return None
        for number in range(len(sources)):
            bends.put_tile(number, bend.tile(number))
        for number, index in enumerate(used):
            if stop():
                return None
            motion = motion_from_controls(moved[number])
            bent = sources.spread(bends.sample(number))
            paints.put(number, _paint_values(samples.sample(index), motion, bent, sources, shifted))
        paint = fit_tiles(paints.tile, weights[1], most_paints, stop)
        if paint is None:
            return None
    finally:
        bends.close()
        paints.close()

    amounts = np.concatenate([motion_amounts, bend.amounts, paint.amounts], axis=1)
    strength = np.concatenate(
        [_motion_strength(motion_basis, motion_amounts), bend.energy, paint.energy]
    )
    latents, mixing, mixing_scale = _latents(amounts, strength)
    spline = fit_spline(samples.rotations[list(used)], latents, stop)
    if spline is None:
        return None
    return {
        "body.origin": spline.origin,
        "body.scale": spline.scale,
        "body.centres": spline.centres,
        "body.weights": spline.weights,
        "body.mixing": mixing,
        "body.mixing_scale": mixing_scale,
        "body.motion.mean": motion_mean,
        "body.motion.basis": motion_basis,
        "body.tiles": sources.tiles,
        **_part("bend", bend),
        **_part("paint", paint),
    }


def _component_counts(samples: int, tiles: int) -> tuple[int, int]:
    """Return how many components of bend and of paint the bytes suffice for."""
    latents = min(_LATENTS, samples)
    channels = BEND_CHANNELS + PAINT_CHANNELS
    motion = (2 * _MOTIONS + 4) * 2 * CONTROLS**2
    taken = 4 * latents * (samples + 7) + 2 * channels * _PIXELS * tiles + motion
    spare = max(_BYTES - taken, 0)
    # A component has its steps, their sizes, and what mixes it of the latents.
    bend, paint = (
        kept * (_PIXELS + 4) + 2 * latents + 4 for kept in (BEND_CHANNELS, PAINT_CHANNELS)
    )
    return int(spare * _BEND_SHARE / bend), int(spare * (1 - _BEND_SHARE) / paint)


def _part(name: str, part: TileBasis) -> dict[str, NDArray[Any]]:
    return {
        f"body.{name}.counts": part.counts,
        f"body.{name}.basis": part.basis,
        f"body.{name}.scale": part.scale,
        f"body.{name}.mean": part.mean,
    }


def _presence(sample: BodySample, shifted: F32Array) -> F32Array:
    """Return how much is seen at a sample's pixels, 0..1, [m]."""
    warped = _warped(sample, sample.grid_change, shifted)[3]
    shown = sample.paint[3] + (1 - sample.alpha) * warped
    result: F32Array = np.clip(np.maximum(shown, warped) / 2, 0, 1)
    return result


def _warped(sample: BodySample, grid_change: F32Array, shifted: F32Array) -> F32Array:
    """Return the picture at a sample's pixels after a grid change [2, m], [4, m]."""
    rows, columns = np.divmod(sample.places, _SIDE)
    x = (columns + grid_change[0]).astype(np.float32)
    y = (rows + grid_change[1]).astype(np.float32)
    return sampled_at(shifted, x, y)


def _motion_basis(
    controls: F32Array,
) -> tuple[F32Array, NDArray[np.float16], F32Array]:
    """Return mean, components and their amounts of controls [n, 2, 35, 35]."""
    mean = controls.mean(axis=0)
    off = (controls - mean).reshape(len(controls), -1)
    _, strength, directions = np.linalg.svd(off, full_matrices=False)
    kept = max(1, min(_MOTIONS, int((strength > 1e-4 * strength[0]).sum())))
    basis = directions[:kept].astype(np.float16)
    amounts = off @ np.linalg.pinv(basis.astype(np.float32))
    return mean, basis.reshape(kept, *mean.shape), amounts.astype(np.float32)


def _motion_strength(basis: NDArray[np.float16], amounts: F32Array) -> F32Array:
    """Return what each component of the motion counts, as the tiles' do."""
    # A control moves the pixels of about one tile, each worth a thousandth of white a pixel.
    size = np.square(basis.astype(np.float32)).sum(axis=(1, 2, 3)) * _PIXELS * 1e-4
    result: F32Array = np.square(amounts).mean(axis=0) * size
    return result


def _sources_of(sample: BodySample, motion: F32Array) -> NDArray[np.bool_]:
    """Return tiles that a sample's pixels come from, and those next to them, [32, 32]."""
    rows, columns = np.divmod(sample.places, _SIDE)
    offset = motion[:, rows, columns]
    active = np.zeros((TILES, TILES), bool)
    x = np.clip(columns + offset[0], 0, _SIDE - 1).astype(np.int64) // TILE
    y = np.clip(rows + offset[1], 0, _SIDE - 1).astype(np.int64) // TILE
    active[y, x] = True
    return active


def _weights(shifted: F32Array, sources: _Sources) -> tuple[F32Array, F32Array]:
    """Return how much errors of bend and of paint count at each place."""
    linear = np.clip(shifted / 2, 0, 1)
    # The slope of sRGB, of what is drawn there, bounded where it is steepest.
    slope = np.minimum(0.44 * np.maximum(linear[:3], 1e-4) ** -0.58, 3.0)
    slope = np.where(linear[3] > 0.5, slope, 1.0)
    seen = np.stack([*(linear[:3] ** 0.45 * linear[3]), linear[3]])
    across = np.abs(cv2.Sobel(seen.transpose(1, 2, 0), cv2.CV_32F, 1, 0, scale=0.125)).sum(2)
    down = np.abs(cv2.Sobel(seen.transpose(1, 2, 0), cv2.CV_32F, 0, 1, scale=0.125)).sum(2)
    edges = np.stack([across, down]).astype(np.float32)
    bend = np.stack([cv2.GaussianBlur(plane, (0, 0), 2.0) for plane in edges]) + 0.004
    paint = np.concatenate(
        [np.full((1, _SIDE, _SIDE), 0.6), slope / 2, np.full((1, _SIDE, _SIDE), 0.5)]
    )
    return sources.cut(bend.astype(np.float32)), sources.cut(paint.astype(np.float32))


def _at_sources(
    sample: BodySample, values: F32Array, motion: F32Array, sources: _Sources
) -> tuple[F32Array, NDArray[np.bool_]]:
    """Return values [C, m] of a sample's pixels at the source places, and where known."""
    planes = np.zeros((len(values) + 1, _SIDE * _SIDE), np.float32)
    planes[:-1, sample.places] = values
    planes[-1, sample.places] = 1.0
    x, y = seen_from_source(motion, sources.x, sources.y)
    found = sampled_at(planes.reshape(-1, _SIDE, _SIDE), x, y, zeros=True)
    share = found[-1]
    known = share > _KNOWN
    result = found[:-1] / np.maximum(share, _KNOWN)
    return np.ascontiguousarray(result.transpose(1, 0, 2)), known


def _bend_values(sample: BodySample, motion: F32Array, sources: _Sources) -> F32Array:
    """Return what of a sample's grid change the motion does not say, [tiles, 2, 256]."""
    rest = sample.grid_change - motion.reshape(2, -1)[:, sample.places]
    values, known = _at_sources(sample, rest, motion, sources)
    values[~np.broadcast_to(known[:, None], values.shape)] = np.nan
    return values


def _paint_values(
    sample: BodySample,
    motion: F32Array,
    bend: F32Array,
    sources: _Sources,
    shifted: F32Array,
) -> F32Array:
    """Return alpha and paint over the picture as the model bends it, [tiles, 5, 256]."""
    rows, columns = np.divmod(sample.places, _SIDE)
    coarse = motion.reshape(2, -1)[:, sample.places]
    rest = sampled_at(
        bend, (columns + coarse[0]).astype(np.float32), (rows + coarse[1]).astype(np.float32)
    )
    warped = _warped(sample, sample.grid_change, shifted)
    bent = _warped(sample, coarse + rest, shifted)
    shown = sample.paint + (1 - sample.alpha) * warped
    # What the model's own bending shows too much of has to be hidden by paint.
    surplus = (bent[3] - shown[3] - _SLACK) / np.maximum(bent[3], _SLACK)
    alpha = np.clip(np.maximum(sample.alpha, surplus), 0.0, 1.0)
    paint = np.clip(shown - (1 - alpha) * bent, 0.0, 2.0)
    alpha = np.maximum(alpha, paint.max(axis=0) / 2)
    values, known = _at_sources(sample, np.concatenate([alpha[None], paint]), motion, sources)
    # Where nothing is seen nothing is painted. How much of it is nobody's business, unless
    # the model would show something there.
    values[:, 1:] *= known[:, None]
    at = sources.cut(bend)
    strays = sampled_at(shifted[3:], sources.x + at[:, 0], sources.y + at[:, 1])[0] > _SLACK
    values[:, 0][~known] = np.nan
    values[:, 0][~known & strays] = 1.0
    return values


def _latents(amounts: F32Array, strength: F32Array) -> tuple[F32Array, NDArray[np.int16], F32Array]:
    """Return fewer numbers a sample, and what makes amounts of them again, by importance."""
    size = np.sqrt(np.maximum(np.square(amounts).mean(axis=0), 1e-20))
    weight = np.sqrt(np.maximum(strength, 1e-20)) / size
    left, values, right = np.linalg.svd(amounts * weight, full_matrices=False)
    kept = max(1, min(_LATENTS, int((values > 1e-6 * values[0]).sum())))
    # Latents as large as they matter; what makes amounts of them is then about as large
    # for all of them.
    latents = left[:, :kept] * values[:kept]
    mixing = right[:kept] / weight
    scale = np.maximum(np.abs(mixing).max(axis=0), 1e-20) / _STEPS
    return (
        latents.astype(np.float32),
        np.rint(mixing / scale).astype(np.int16),
        scale.astype(np.float32),
    )
