"""Learn the body of one character from what the exact engine says of its rotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, Picture
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.fields import FrameFields
from vtbridge.training.distill.body_fit import fit_body
from vtbridge.training.distill.body_samples import BodySamples

SECONDS_A_SAMPLE = 0.09
"""What a sample costs a fit, on one slow core."""
LEAST_SAMPLES = 8
"""Fewer make no model."""
MOST_SAMPLES = 1280
"""More would crowd out of the file what they could tell."""


class BodyTrainer:
    """Samples of one picture's body, and models fitted to them.

    Args:
        folder: where samples are kept, about 0.8 MB each, and scratch while fitting; what
            other pictures left there is deleted.
        picture: whose body it is.

    Attributes:
        folder: as given.
    """

    def __init__(self, folder: Path, picture: Picture) -> None:
        self.folder = folder
        self._planes = network_from_straight(picture.rgba)
        self._samples = BodySamples(folder, picture.digest)

    @property
    def rotations(self) -> F32Array:
        """Rotations of the samples in the order they came, float32 [n, 6]."""
        return self._samples.rotations

    def add(self, rotation: F32Array, fields: FrameFields) -> None:
        """Keep what the exact engine says of a rotation; it is on the disk afterwards.

        A rotation that is known already changes nothing.

        Args:
            rotation: float32 [6], the pose's ``ROTATION_SLICE``.
            fields: of that rotation and any face.

        Raises:
            InferenceError: the fields are not finite.
            ValueError: ``rotation`` is not float32 [6] or not finite.
            OSError: the folder cannot be written.
        """
        self._samples.add(rotation, fields)

    def fit(self, seconds: float, stop: Callable[[], bool]) -> dict[str, NDArray[Any]]:
        """Return the tensors of a model of the samples, for ``BakedBody``.

        Args:
            seconds: about how long it may take; where that is too short for all samples,
                some are left out, evenly.
            stop: asked often; True ends the fit.

        Returns:
            tensors whose names start with ``body.``; none if stopped, or if there are fewer
            than 8 samples.

        Raises:
            OSError: the folder cannot be read or written.
        """
        count = len(self._samples)
        if count < LEAST_SAMPLES:
            return {}
        most = min(MOST_SAMPLES, max(LEAST_SAMPLES, int(seconds / SECONDS_A_SAMPLE)))
        used = np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist()
        return fit_body(self._samples, used, self._planes, self.folder, stop) or {}
