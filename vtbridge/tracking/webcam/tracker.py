"""Our own face tracker: one picture in, one face out, as an iPhone would send it.

picture -> where the face was, else the detector -> 478 landmarks -> head pose,
eyelids, gaze and blendshapes, all in ARKit's ranges and this program's signs
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.tracking.webcam.blendshapes import ArkitRange, weigh_blendshapes
from vtbridge.tracking.webcam.bundle import read_bundle
from vtbridge.tracking.webcam.detector import find_faces
from vtbridge.tracking.webcam.eyes import Eyelids
from vtbridge.tracking.webcam.gaze import GazeTracker, looks_from_gaze
from vtbridge.tracking.webcam.head_pose import head_pose_from_rotation, rotation_from_face
from vtbridge.tracking.webcam.landmarks import FaceLandmarks, find_landmarks
from vtbridge.tracking.webcam.networks import FaceNetworks
from vtbridge.tracking.webcam.region import Region
from vtbridge.tracking.webcam.search import Search

LONGEST_SIDE = 16_384
"""Of a picture; OpenCV cannot cut parts out of larger ones."""

_CANDIDATES = 2
_FIRST_ELAPSED_S = 1 / 30
_LONGEST_ELAPSED_S = 0.1


class FaceTracker:
    """Track the largest face through the pictures of one camera; one thread at a time.

    Args:
        model: path of Google's ``face_landmarker.task``.
        threads: of the networks; one is faster than two while an avatar renders.

    Raises:
        WeightsError: the model is missing or damaged.
    """

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        bundle = read_bundle(model)
        self._face = bundle.face
        self._networks = FaceNetworks(bundle, threads)
        self._search = Search()
        self._eyelids = Eyelids()
        self._gaze = GazeTracker()
        self._range = ArkitRange()
        self._region: Region | None = None
        self._last_ns: int | None = None

    def reset(self) -> None:
        """Forget the face, and what was learnt about its eyes and jaw."""
        self._region = None
        self._last_ns = None
        self._search.reset()
        self._eyelids.reset()
        self._gaze.reset()
        self._range.reset()

    def track(self, rgb: U8Array, t_ns: int, source: str = "webcam") -> FaceFrame:
        """Return the face in a picture, ``tracked=False`` if there is none.

        A face has 51 ARKit blendshapes (no ``tongueOut``), head and both eyes.

        Args:
            rgb: uint8 [H, W, 3], upright; width and height at most ``LONGEST_SIDE``.
            t_ns: when it was taken, monotonic.
            source: as in ``FaceFrame.source``.

        Raises:
            ValueError: ``rgb`` has another shape or type.
            InferenceError: a network failed.
        """
        _check_picture(rgb)
        landmarks = self._follow(rgb) or self._find(rgb)
        if landmarks is None:
            self._last_ns = None
            return FaceFrame(t_ns, source, tracked=False)
        self._region = landmarks.region
        return self._measure(landmarks, t_ns, source)

    def _follow(self, rgb: U8Array) -> FaceLandmarks | None:
        """Look where the face was in the picture before."""
        if self._region is None:
            return None
        landmarks = find_landmarks(self._networks, rgb, self._region)
        if landmarks is None:
            self._search.lost_at(self._region)
            self._region = None
        return landmarks

    def _find(self, rgb: U8Array) -> FaceLandmarks | None:
        """Search the picture; a face counts if it is seen again on a second, closer look."""
        if not rgb.size:
            return None
        for window in self._search.windows(rgb):
            for region in find_faces(self._networks, rgb, window)[:_CANDIDATES]:
                first = find_landmarks(self._networks, rgb, region)
                if first is None:
                    continue
                second = find_landmarks(self._networks, rgb, first.region)
                if second is not None:
                    return second
        return None

    def _measure(self, landmarks: FaceLandmarks, t_ns: int, source: str) -> FaceFrame:
        elapsed_s = self._elapsed_s(t_ns)
        points = landmarks.points
        rotation = rotation_from_face(points, self._face)
        head = head_pose_from_rotation(rotation)
        network = weigh_blendshapes(self._networks, points)
        left, right = self._eyelids.measure(points, network, head.yaw_rad, elapsed_s)
        gaze = self._gaze.measure(points, rotation, head.yaw_rad, network, (left, right))
        blendshapes = {
            **self._range.as_arkit(network, elapsed_s),
            "eyeBlinkLeft": left.blink,
            "eyeBlinkRight": right.blink,
            "eyeWideLeft": left.wide,
            "eyeWideRight": right.wide,
            **looks_from_gaze(gaze),
        }
        return FaceFrame(
            t_ns,
            source,
            blendshapes=blendshapes,
            head=head,
            left_eye=gaze,
            right_eye=gaze,
        )

    def _elapsed_s(self, t_ns: int) -> float:
        last_ns, self._last_ns = self._last_ns, t_ns
        if last_ns is None:
            return _FIRST_ELAPSED_S
        return min(max((t_ns - last_ns) / NS_PER_S, 0.0), _LONGEST_ELAPSED_S)


def _check_picture(rgb: U8Array) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {rgb.shape}")
    if max(rgb.shape) > LONGEST_SIDE:
        raise ValueError(f"a picture is at most {LONGEST_SIDE} pixels a side, not {rgb.shape}")
