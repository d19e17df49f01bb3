"""Faces in as they arrive, poses out whenever the renderer asks: the stage itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Pose
from vtbridge.pose_schema import THA3, PoseSchema
from vtbridge.retarget.coverage import Coverage
from vtbridge.retarget.dropout import Presence, ease
from vtbridge.retarget.face_mapping import FaceMapping, FaceTarget
from vtbridge.retarget.one_euro import RESTART_AFTER_S, pose_filter
from vtbridge.retarget.settings import RetargetSettings, SmoothingSettings
from vtbridge.retarget.slew import SlewLimit
from vtbridge.telemetry import Telemetry

F64Array = NDArray[np.float64]


class Retargeter:
    """Turn a stream of faces into a pose at any moment; used by one thread.

    Smoothing follows the arrival times of the faces, never the rhythm of ``pose_at``. While
    a face is shown no parameter changes faster than its ``max_speed``, whatever was fed.

    Args:
        settings: the table ``[retarget]``.
        telemetry: counts ``retarget.stale_frames`` and ``retarget.dropped_values``.
        schema: the parameters of the character system that is driven.
    """

    def __init__(
        self,
        settings: RetargetSettings,
        *,
        telemetry: Telemetry | None = None,
        schema: PoseSchema = THA3,
    ) -> None:
        self._settings = settings
        self._schema = schema
        self._telemetry = telemetry or Telemetry()
        self._mapping = FaceMapping(settings, schema)
        self._presence = Presence(settings.dropout)
        self._coverage = Coverage(self._presence, schema)
        self._filter = pose_filter(schema, _smoothing(settings))
        self._slew = SlewLimit(schema, _smoothing(settings))
        self._newest_ns: int | None = None
        self._face_ns: int | None = None
        self._shown_presence = 0.0
        self._offset: F64Array | None = None
        self._offset_ns = 0
        self._mapping_changed = False

    def configure(self, settings: RetargetSettings) -> None:
        """Change the settings while running; the pose eases over, the calibration stays."""
        self._settings = settings
        self._mapping.configure(settings)
        self._presence.configure(settings.dropout)
        self._coverage.configure(settings.dropout)
        older_filter, older_slew = self._filter, self._slew
        self._filter = pose_filter(self._schema, _smoothing(settings))
        self._filter.inherit(older_filter)
        self._slew = SlewLimit(self._schema, _smoothing(settings))
        self._slew.inherit(older_slew)
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
            self._mapping.forget()
        dropped_before = self._mapping.dropped
        target = self._mapping.target(face)
        if self._mapping.dropped > dropped_before:
            self._telemetry.count("retarget.dropped_values", self._mapping.dropped - dropped_before)
        self._face_ns = face.t_ns
        self._mapping_changed |= target.taken_over
        self._smooth(target, face.t_ns, may_offset=gap_s > self._settings.dropout.hold_s)

    def pose_at(self, now_ns: int) -> Pose:
        """Return the pose to show at ``now_ns``: the newest smoothed face and its presence.

        While the face is lost the values stay where they were; whoever comes next in the
        chain fades them by ``presence`` and ``coverage``. Breathing is left at 0.
        """
        presence = self._presence.at(now_ns)
        goal = self._goal(now_ns)
        if goal is None or self._face_ns is None:
            rest = np.zeros(self._schema.size, np.float32)
            return Pose(rest, now_ns, 0.0, schema=self._schema)
        values = self._slew.toward(goal, now_ns)
        self._shown_presence = presence
        t_ns = self._face_ns if presence > 0.0 else now_ns
        shown = self._schema.clamp(values.astype(np.float32))
        return Pose(shown, t_ns, presence, self._coverage.at(now_ns, presence), self._schema)

    def tracker_lost(self, now_ns: int) -> bool:
        """Return whether the face is gone, by silence or because the tracker says so."""
        return self._presence.lost(now_ns)

    def calibrate(self, *, eyelids: bool | None = None) -> None:
        """Take the face of the coming moments as neutral; returns at once.

        Args:
            eyelids: whether eyelids get a new zero too; None = as the settings say.
        """
        self._mapping.calibration.request(eyelids=eyelids)

    def clear_calibration(self) -> None:
        """Go back to the trackers' own zeros."""
        self._mapping.calibration.clear()
        self._mapping_changed = True

    @property
    def calibrated(self) -> bool:
        """True once a neutral face was taken or loaded, of whatever tracker."""
        return self._mapping.calibration.calibrated

    @property
    def calibrating(self) -> bool:
        """True from ``calibrate`` until enough faces have come."""
        return self._mapping.calibration.pending

    def save_calibration(self) -> dict[str, object]:
        """Return the neutral faces as a plain dict for JSON or TOML; empty if there is none."""
        return self._mapping.calibration.to_dict()

    def load_calibration(self, saved: object) -> None:
        """Take over what ``save_calibration`` gave, such as read from a file; {} clears.

        Raises:
            ConfigError: it was damaged; nothing changes.
        """
        self._mapping.calibration.load_dict(saved)
        self._mapping_changed = True

    def _smooth(self, target: FaceTarget, t_ns: int, *, may_offset: bool) -> None:
        """Filter ``target``; parts that it does not show stay where they are."""
        values, before = target.values, self._filter.value
        if before is not None and not self._coverage.complete(target.seen):
            values = np.where(self._coverage.members(target.seen), values, before)
        fresh = self._coverage.saw(target.seen, t_ns)
        self._presence.saw_face(t_ns)
        if self._mapping_changed:
            self._filter.reset()
        filtered = self._filter.filter(values, t_ns, fresh=fresh)
        if self._mapping_changed or may_offset:
            self._start_offset(filtered, t_ns)
            self._mapping_changed = False
        if fresh is not None and (goal := self._goal(t_ns)) is not None:
            self._slew.release(goal, fresh)

    def _goal(self, now_ns: int) -> F64Array | None:
        """Return where the pose should be at ``now_ns``, None before the first face."""
        goal = self._filter.value
        if goal is None:
            return None
        if self._offset is not None:
            elapsed_s = (now_ns - self._offset_ns) / NS_PER_S
            left = 1.0 - ease(elapsed_s / self._settings.dropout.recover_s)
            if left > 0.0:
                goal = goal + self._offset * left
            else:
                self._offset = None
        # Blinks meet emotions, and each shape is smoothed by its own speed.
        return self._schema.share_lids(goal)

    def _start_offset(self, filtered: F64Array, t_ns: int) -> None:
        """Let the pose leave from where it was shown, and ease to where the face is now."""
        shown = self._slew.value
        if self._shown_presence > 0.0 and shown is not None:
            self._offset, self._offset_ns = shown - filtered, t_ns
        else:
            self._offset = None


def _smoothing(settings: RetargetSettings) -> SmoothingSettings | None:
    """Return how poses are smoothed; the reference mapping is not smoothed at all."""
    return None if settings.preset == "reference" else settings.smoothing
