"""The teacher: the exact networks, as every frame was made before there was a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtbridge.closing import Closing
from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import WeightsError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.variants import Family
from vtbridge.render.poser import Poser
from vtbridge.render.runtimes.runtime import Runtime, RuntimeRequest, open_runtime
from vtbridge.render.settings import DeviceName, Precision, Quality, RenderSettings, RuntimeName
from vtbridge.render.tha3 import open_poser
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry
from vtbridge.training.distill.face_teacher import FaceTeacher


class Teacher(Closing):
    """Say how the picture turns, and what a frame should look like; one thread at a time.

    Args:
        poser: exact, its picture set; closed with this.
    """

    def __init__(self, poser: Poser) -> None:
        self._poser = poser
        self._pose = np.zeros(POSE_SIZE, np.float32)

    def describe(self) -> str:
        """Return what computes."""
        return self._poser.describe()

    def body(self, rotation: F32Array) -> FrameFields:
        """Return the fields of the neutral face turned by ``rotation`` [6].

        Valid until anything else is asked.

        Raises:
            InferenceError: the runtime failed.
        """
        self._pose[ROTATION_SLICE] = rotation
        return self._poser.fields(self._pose)

    def frame(self, values: F32Array) -> U8Array:
        """Return the frame of a pose [45], premultiplied sRGB, [512, 512, 4], a copy.

        Raises:
            InferenceError: the runtime failed.
        """
        return self._poser.render(values).copy()

    def close(self) -> None:
        """Give the networks back; nothing else may be called afterwards."""
        self._poser.close()


def open_teacher(weights: str, picture: Picture, store: WeightStore, *, threads: int) -> Teacher:
    """Open the teacher of head and body.

    Raises:
        InferenceError: the runtime failed.
        RuntimeUnavailable: it cannot run here.
        WeightsError: the weights are absent, damaged, or of a system that is not taught from.
    """
    require_teachable(weights, store)
    settings = RenderSettings(
        runtime=RuntimeName.NATIVE,
        precision=Precision.F32,
        quality=Quality.EXACT,
        weights=weights,
        threads=threads,
        cache_mb=0,
    )
    poser = open_poser(settings, Telemetry(), store=store)
    try:
        poser.set_picture(picture)
    except BaseException:
        poser.close()
        raise
    return Teacher(poser)


def open_face_teacher(
    weights: str, picture: Picture, store: WeightStore, *, threads: int
) -> FaceTeacher:
    """Open the teacher of the face; raises as ``open_teacher`` does."""
    require_teachable(weights, store)
    request = RuntimeRequest(
        store=store,
        weights=weights,
        device=DeviceName.CPU,
        precision=Precision.F32,
        threads=threads,
    )
    runtime: Runtime[Any] = open_runtime(RuntimeName.NATIVE, request)
    try:
        return FaceTeacher(runtime, picture, Telemetry())
    except BaseException:
        runtime.close()
        raise


def require_teachable(weights: str, store: WeightStore) -> None:
    """Refuse weights whose fields a model of this form does not hold.

    Raises:
        WeightsError: they are not of Talking Head Anime 3, or not there.
    """
    if store.is_student(weights) or store.variant(weights).family is not Family.THA3:
        raise WeightsError(
            f"{weights} cannot be baked from: characters are prepared with weights of Talking "
            "Head Anime 3, such as --weights tha3-separable-float"
        )
