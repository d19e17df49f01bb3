"""Faces in as they arrive, poses out whenever the renderer asks: the stage itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, HeadPose, Pose, clamp_pose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget import arkit_to_tha, vrm_to_tha
from vtbridge.retarget.calibration import (
    Calibration,
    FaceSample,
    NeutralFace,
    shapes_from_neutral,
)
from vtbridge.retarget.dropout import Presence, ease
from vtbridge.retarget.gaze import (
    ARKIT_LOOK_NAMES,
    PRESET_LOOK_NAMES,
    iris_from_face,
)
from vtbridge.retarget.head import head_from_neutral, write_head
from vtbridge.retarget.last_good import LastGood
from vtbridge.retarget.mirror import mirror_pose
from vtbridge.retarget.one_euro import RESTART_AFTER_S, PeakHold, pose_filter
from vtbridge.retarget.settings import RetargetSettings, SensitivitySettings
from vtbridge.telemetry import Telemetry

MIN_ARKIT_NAMES = 26
"""A frame with this many ARKit blendshapes is mapped from them even if it has presets."""

_ARKIT_FACE_NAMES = (
    *arkit_to_tha.BROW_NAMES,
    *arkit_to_tha.EYELID_NAMES,
    *arkit_to_tha.MOUTH_NAMES,
)
_PRESET_FACE_NAMES = (
    *vrm_to_tha.MOUTH_NAMES,
    *vrm_to_tha.BLINK_NAMES,
    *vrm_to_tha.BROW_NAMES,
)

_LID_PARAMS = (
    PoseParam.EYE_WINK_LEFT,
    PoseParam.EYE_WINK_RIGHT,
    PoseParam.EYE_HAPPY_WINK_LEFT,
    PoseParam.EYE_HAPPY_WINK_RIGHT,
    PoseParam.EYE_RELAXED_LEFT,
    PoseParam.EYE_RELAXED_RIGHT,
)

_NEARLY_CLOSED = 0.6
"""Blink from which a peak is held; ARKit's lids are shut at 0.8."""

F64Array = NDArray[np.float64]


class Retargeter:
    """Turn a stream of faces into a pose at any moment; used by one thread.

    Smoothing follows the arrival times of the faces, never the rhythm of ``pose_at``.

    Args:
        settings: the table ``[retarget]``.
        telemetry: counts ``retarget.stale_frames`` and ``retarget.dropped_values``.
    """

    def __init__(self, settings: RetargetSettings, *, telemetry: Telemetry | None = None) -> None:
        self._settings = settings
        self._telemetry = telemetry or Telemetry()
        self._last_good = LastGood()
        self._calibration = Calibration(
            settings.calibration, (*arkit_to_tha.EYELID_NAMES, *vrm_to_tha.BLINK_NAMES)
        )
        self._presence = Presence(settings.dropout)
        self._filter = pose_filter(settings.smoothing)
        self._blink_hold = _blink_hold(settings)
        self._newest_ns: int | None = None
        self._face_ns: int | None = None
        self._shown: F64Array = np.zeros(POSE_SIZE)
        self._shown_presence = 0.0
        self._offset: F64Array | None = None
        self._offset_ns = 0
        self._mapping_changed = False

    def configure(self, settings: RetargetSettings) -> None:
        """Change the settings while running; the pose eases over, the calibration stays."""
        self._settings = settings
        self._calibration.settings = settings.calibration
        self._presence.settings = settings.dropout
        older, self._filter = self._filter, pose_filter(settings.smoothing)
        self._filter.inherit(older)
        self._blink_hold = _blink_hold(settings)
        self._mapping_changed = True

    def feed(self, face: FaceFrame) -> None:
        """Take the newest face; one that is not newer than the last changes nothing."""
        if self._newest_ns is not None and face.t_ns <= self._newest_ns:
            if face.t_ns < self._newest_ns:
                self._telemetry.count("retarget.stale_frames")
            return
        self._newest_ns = face.t_ns
        if not face.tracked:
            self._presence.saw_no_face()
            return
        gap_s = 0.0 if self._face_ns is None else (face.t_ns - self._face_ns) / NS_PER_S
        if gap_s > RESTART_AFTER_S:
            self._last_good.forget()
            self._blink_hold.reset()
        dropped_before = self._last_good.dropped
        target = self._target(face)
        if self._last_good.dropped > dropped_before:
            self._telemetry.count(
                "retarget.dropped_values", self._last_good.dropped - dropped_before
            )
        self._face_ns = face.t_ns
        self._presence.saw_face(face.t_ns)
        if self._mapping_changed:
            self._filter.reset()
        filtered = self._filter.filter(target, face.t_ns)
        if self._mapping_changed or gap_s > self._settings.dropout.hold_s:
            self._start_offset(filtered, face.t_ns)
            self._mapping_changed = False

    def pose_at(self, now_ns: int) -> Pose:
        """Return the pose to show at ``now_ns``: the newest smoothed face and its presence.

        While the face is lost the values stay where they were; whoever comes next in the
        chain fades them by ``presence``. Breathing is left at 0.
        """
        presence = self._presence.at(now_ns)
        values = self._filter.value
        if values is None or self._face_ns is None:
            return Pose(np.zeros(POSE_SIZE, np.float32), now_ns, 0.0)
        if self._offset is not None:
            elapsed_s = (now_ns - self._offset_ns) / NS_PER_S
            left = 1.0 - ease(elapsed_s / self._settings.dropout.recover_s)
            if left > 0.0:
                values = values + self._offset * left
            else:
                self._offset = None
        self._shown, self._shown_presence = values, presence
        t_ns = self._face_ns if presence > 0.0 else now_ns
        shown = _with_shared_lids(values).astype(np.float32)
        return Pose(clamp_pose(shown), t_ns, presence)

    def tracker_lost(self, now_ns: int) -> bool:
        """Return whether the face is gone, by silence or because the tracker says so."""
        return self._presence.lost(now_ns)

    def calibrate(self, *, eyelids: bool | None = None) -> None:
        """Take the face of the coming moments as neutral; returns at once.

        Args:
            eyelids: whether eyelids get a new zero too; None = as the settings say.
        """
        self._calibration.request(eyelids=eyelids)

    def clear_calibration(self) -> None:
        """Go back to the tracker's own zero."""
        self._calibration.clear()
        self._mapping_changed = True

    @property
    def calibrated(self) -> bool:
        """True once a neutral face was taken or loaded."""
        return self._calibration.calibrated

    @property
    def calibrating(self) -> bool:
        """True from ``calibrate`` until enough faces have come."""
        return self._calibration.pending

    def save_calibration(self) -> dict[str, object]:
        """Return the calibration as a plain dict for JSON or TOML; empty if there is none."""
        return self._calibration.to_dict()

    def load_calibration(self, saved: object) -> None:
        """Take over what ``save_calibration`` gave, such as read from a file; {} clears.

        Raises:
            ConfigError: it was damaged; nothing changes.
        """
        self._calibration.load_dict(saved)
        self._mapping_changed = True

    def _target(self, face: FaceFrame) -> F64Array:
        """Return the 45 values that ``face`` asks for, unsmoothed, float64 [45]."""
        good, settings = self._last_good, self._settings
        use_arkit = len(face.blendshapes) >= MIN_ARKIT_NAMES or face.presets.keys().isdisjoint(
            _PRESET_FACE_NAMES
        )
        if use_arkit:
            shapes = good.shapes(face.blendshapes, _ARKIT_FACE_NAMES)
        else:
            shapes = good.shapes(face.presets, _PRESET_FACE_NAMES)
        head = good.head(face.head)
        iris = iris_from_face(
            good.shapes(face.blendshapes, ARKIT_LOOK_NAMES),
            good.shapes(face.presets, PRESET_LOOK_NAMES),
            good.eye("left_eye", face.left_eye),
            good.eye("right_eye", face.right_eye),
            settings.gaze,
        )
        neutral = self._calibration.neutral_at(FaceSample(face.t_ns, head, iris, shapes))
        moved = _amplified(shapes_from_neutral(shapes, neutral.rest), settings.sensitivity)
        # Held before a smile decides which wink a blink becomes; a held wink would stay beside it.
        moved = self._blink_hold.held(moved, face.t_ns)

        values = [0.0] * POSE_SIZE
        if use_arkit:
            arkit_to_tha.write_face_from_arkit(values, moved, settings)
        else:
            vrm_to_tha.write_face_from_presets(values, moved, settings)
        # Emotions are switched on by hand: they have no rest value and need no sensitivity.
        emotions = good.shapes(face.presets, vrm_to_tha.EMOTION_NAMES)
        vrm_to_tha.add_emotions(values, emotions, settings)
        if settings.link_blinks:
            _link_lids(values)
        values[PoseParam.IRIS_ROTATION_X] = min(max(iris.up - neutral.iris.up, -1.0), 1.0)
        values[PoseParam.IRIS_ROTATION_Y] = min(
            max(iris.own_right - neutral.iris.own_right, -1.0), 1.0
        )
        if head is not None:
            write_head(values, _measured(head, neutral), settings.head)
        if settings.mirror:
            values = mirror_pose(values)
        return np.array(values)

    def _start_offset(self, filtered: F64Array, t_ns: int) -> None:
        """Let the pose leave from where it was shown, and ease to where the face is now."""
        if self._shown_presence > 0.0:
            self._offset, self._offset_ns = self._shown - filtered, t_ns
        else:
            self._offset = None


def _measured(head: HeadPose, neutral: NeutralFace) -> HeadPose:
    return head if neutral.head == HeadPose() else head_from_neutral(head, neutral.head)


def _amplified(
    shapes: Mapping[str, float], sensitivity: SensitivitySettings
) -> Mapping[str, float]:
    """Return ``shapes`` times the factor of their part, at most 1."""
    factors = (
        (sensitivity.brows, (*arkit_to_tha.BROW_NAMES, *vrm_to_tha.BROW_NAMES)),
        (sensitivity.eyelids, (*arkit_to_tha.EYELID_NAMES, *vrm_to_tha.BLINK_NAMES)),
        (sensitivity.mouth, (*arkit_to_tha.MOUTH_NAMES, *vrm_to_tha.MOUTH_NAMES)),
    )
    amplified: dict[str, float] | None = None
    for factor, names in factors:
        if factor != 1.0:
            amplified = dict(shapes) if amplified is None else amplified
            for name in names:
                if name in amplified:
                    amplified[name] = min(amplified[name] * factor, 1.0)
    return shapes if amplified is None else amplified


def _blink_hold(settings: RetargetSettings) -> PeakHold:
    names = (*arkit_to_tha.BLINK_NAMES, *vrm_to_tha.BLINK_NAMES)
    return PeakHold(names, settings.smoothing.blink_hold_s, threshold=_NEARLY_CLOSED)


def _link_lids(values: list[float]) -> None:
    for left, right in zip(_LID_PARAMS[::2], _LID_PARAMS[1::2], strict=True):
        values[left] = values[right] = max(values[left], values[right])


def _with_shared_lids(values: F64Array) -> F64Array:
    """Return ``values`` with the lid shapes of each eye scaled down to a sum of 1: closed.

    Blinks meet emotions, and each shape is smoothed by its own speed.
    """
    for side in (list(_LID_PARAMS[::2]), list(_LID_PARAMS[1::2])):
        closed = float(values[side].sum())
        if closed > 1.0:
            values = values.copy()
            values[side] /= closed
    return values
