"""Ask the exact networks for posed faces, without turning head and body."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtbridge.datatypes import F32Array, Picture
from vtbridge.pose_params import FACE_SLICE, POSE_SIZE
from vtbridge.render.quality.networks import PictureNetworks
from vtbridge.render.runtimes.runtime import Runtime
from vtbridge.telemetry import Telemetry

FACE_POSE_SIZE = FACE_SLICE.stop
"""Pose parameters that move the face: the first of a pose."""


class FaceTeacher:
    """Pose the face of one picture: brows, eyes, irises and mouth, 4.5 of the 18 GMAC of a frame.

    Args:
        runtime: runs the stages; closed with this.
        picture: whose face is posed.
        telemetry: where the times of the stages are counted.

    Raises:
        InferenceError: the runtime failed.
    """

    def __init__(self, runtime: Runtime[Any], picture: Picture, telemetry: Telemetry) -> None:
        self._networks = PictureNetworks(runtime, telemetry)
        self._networks.set_picture(picture)
        self._pose = np.zeros(POSE_SIZE, np.float32)

    def face(self, face_pose: F32Array) -> F32Array:
        """Return the posed face crop, a network signal, [4, 192, 192], read-only.

        Args:
            face_pose: float32 [39], in the parameters' ranges.

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
            ValueError: ``face_pose`` is not float32 [39].
        """
        if face_pose.shape != (FACE_POSE_SIZE,) or face_pose.dtype != np.float32:
            raise ValueError(
                f"a face's pose is float32 [{FACE_POSE_SIZE}], not {face_pose.dtype} "
                f"{face_pose.shape}"
            )
        self._pose[:FACE_POSE_SIZE] = face_pose
        return self._networks.face(self._networks.brows(self._pose), self._pose)

    def close(self) -> None:
        """Give the runtime back; nothing else may be called afterwards."""
        self._networks.close()
