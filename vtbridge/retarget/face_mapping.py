"""One face in, the pose it asks for out: checked, measured from neutral, mapped; unsmoothed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import PoseSchema
from vtbridge.retarget import arkit_to_tha, vrm_to_tha
from vtbridge.retarget.arkit_reference import write_face_like_reference
from vtbridge.retarget.blinks import PeakHold, SmartWink, without_look_down
from vtbridge.retarget.calibration import (
    Calibration,
    FaceSample,
    NeutralFace,
    shapes_from_neutral,
)
from vtbridge.retarget.coverage import Part
from vtbridge.retarget.curves import Curves
from vtbridge.retarget.gaze import ARKIT_LOOK_NAMES, PRESET_LOOK_NAMES, IrisTarget, iris_from_face
from vtbridge.retarget.head import head_from_neutral, write_head
from vtbridge.retarget.last_good import LastGood
from vtbridge.retarget.settings import RetargetSettings

MIN_ARKIT_NAMES = 26
"""A frame with this many ARKit blendshapes is mapped from them even if it has presets."""

BLINK_NAMES = (*arkit_to_tha.BLINK_NAMES, *vrm_to_tha.BLINK_NAMES)
EYELID_NAMES = (*arkit_to_tha.EYELID_NAMES, *vrm_to_tha.BLINK_NAMES)
"""Shapes that a calibration without eyelids leaves alone."""

_ARKIT_NAMES = {
    Part.BROWS: arkit_to_tha.BROW_NAMES,
    Part.LIDS: arkit_to_tha.EYELID_NAMES,
    Part.MOUTH: (*arkit_to_tha.MOUTH_NAMES, *arkit_to_tha.SMILE_NAMES),
}
_ALL_ARKIT_NAMES = tuple(name for names in _ARKIT_NAMES.values() for name in names)
_PRESET_NAMES = {
    Part.BROWS: vrm_to_tha.BROW_NAMES,
    Part.LIDS: vrm_to_tha.BLINK_NAMES,
    Part.MOUTH: vrm_to_tha.MOUTH_NAMES,
}
_CURVE_NAMES = {
    "brows": (*arkit_to_tha.BROW_NAMES, *vrm_to_tha.BROW_NAMES),
    "eyelids": EYELID_NAMES,
    "mouth": (*arkit_to_tha.MOUTH_NAMES, *vrm_to_tha.MOUTH_NAMES),
    "smile": arkit_to_tha.SMILE_NAMES,
}
_EMOTION_PARTS = frozenset((Part.BROWS, Part.EYES, Part.MOUTH))

# Looked up once: asking an enum for a member takes as long as a step of the mapping.
_GAZE, _HEAD, _LIDS, _EYES = Part.GAZE, Part.HEAD, Part.LIDS, Part.EYES
_IRIS_X, _IRIS_Y = int(PoseParam.IRIS_ROTATION_X), int(PoseParam.IRIS_ROTATION_Y)

_NEARLY_CLOSED = 0.6
"""Blink from which a peak is held; ARKit's lids are shut at 0.8."""

_LID_PAIRS = tuple(
    (PoseParam[f"{shape}_LEFT"], PoseParam[f"{shape}_RIGHT"])
    for shape in ("EYE_WINK", "EYE_HAPPY_WINK", "EYE_RELAXED", "EYE_UNIMPRESSED")
)

_LEVEL = HeadPose()

F64Array = NDArray[np.float64]


class FaceTarget(NamedTuple):  # made for each face, in half the time of a dataclass
    """Where a face wants the character to be.

    Attributes:
        values: float64 [schema.size], in range; of no meaning where the face says nothing.
        seen: the parts that the face says something about.
        taken_over: True if it comes from other trackers than the face before.
    """

    values: F64Array
    seen: frozenset[Part]
    taken_over: bool = False


class FaceMapping:
    """Map faces, remembering only what blinks, bad values and calibration need.

    Args:
        settings: the table ``[retarget]``.
        schema: the parameters to map to.
    """

    def __init__(self, settings: RetargetSettings, schema: PoseSchema) -> None:
        self._schema = schema
        self._last_good = LastGood()
        self.calibration = Calibration(settings.calibration, EYELID_NAMES)
        self.configure(settings)

    def configure(self, settings: RetargetSettings) -> None:
        """Change the settings while running; the calibration stays."""
        self._settings = settings
        self.calibration.settings = settings.calibration
        self._curves = Curves(settings.sensitivity, _CURVE_NAMES)
        self._blink_hold = PeakHold(
            BLINK_NAMES,
            settings.smoothing.blink_hold_s,
            threshold=_NEARLY_CLOSED,
            rise_s=1.0 / settings.smoothing.eyes.max_speed,
        )
        after_s = settings.eyes.wink_after_s
        self._winks = (
            SmartWink("eyeBlinkLeft", "eyeBlinkRight", after_s),
            SmartWink("blinkLeft", "blinkRight", after_s),
        )

    @property
    def dropped(self) -> int:
        """How many unbelievable values were refused so far."""
        return self._last_good.dropped

    def forget(self) -> None:
        """Forget what a face was doing before a long silence."""
        self._last_good.forget()
        self._blink_hold.reset()
        for wink in self._winks:
            wink.reset()

    def target(self, face: FaceFrame) -> FaceTarget:
        """Return what ``face`` asks for; faces must come in the order of their times."""
        good, settings = self._last_good, self._settings
        seen: set[Part] = set()
        shapes = self._shapes(face, seen)
        head = good.head(face.head)
        look_shapes = good.shapes(face.blendshapes, ARKIT_LOOK_NAMES)
        look_presets = good.shapes(face.presets, PRESET_LOOK_NAMES) if face.presets else {}
        eyes = good.eye("left_eye", face.left_eye), good.eye("right_eye", face.right_eye)
        if look_shapes or look_presets or eyes[0] is not None or eyes[1] is not None:
            seen.add(_GAZE)
        iris = iris_from_face(look_shapes, look_presets, *eyes, settings.gaze)
        sample = FaceSample(face.t_ns, head, iris, shapes, face.source)
        takeovers = self.calibration.takeovers
        neutral = self.calibration.neutral_at(sample)
        if any(neutral.iris):
            iris = IrisTarget(iris.up - neutral.iris.up, iris.own_right - neutral.iris.own_right)
        moved = self._curves.shapes(shapes_from_neutral(shapes, neutral.rest))
        if settings.preset != "reference":
            moved = self._understood_blinks(moved, iris, face.t_ns)

        values = [0.0] * POSE_SIZE
        if settings.preset == "reference":
            write_face_like_reference(values, moved, settings)
        else:
            arkit_to_tha.write_face_from_arkit(values, moved, settings)
        if face.presets:
            vrm_to_tha.write_face_from_presets(values, moved, settings)
            # Emotions are switched on by hand: they have no rest value and need no sensitivity.
            if emotions := good.shapes(face.presets, vrm_to_tha.EMOTION_NAMES):
                seen |= _EMOTION_PARTS
                vrm_to_tha.add_emotions(values, emotions, settings)
        if settings.link_blinks:
            for left, right in _LID_PAIRS:
                values[left] = values[right] = max(values[left], values[right])
        values[_IRIS_X], values[_IRIS_Y] = self._curves.iris(iris)
        if head is not None:
            seen.add(_HEAD)
            write_head(values, _from_neutral(head, neutral), settings.head, self._curves.head)
        shown = self._schema.project(values)
        if settings.mirror:
            shown = self._schema.mirror(shown)
        return FaceTarget(shown, frozenset(seen), self.calibration.takeovers > takeovers)

    def _shapes(self, face: FaceFrame, seen: set[Part]) -> dict[str, float]:
        """Return brows, lids and mouth of ``face``, each from presets or from ARKit's shapes.

        A part comes from presets if there are any for it, unless the face has most of ARKit's.
        """
        good = self._last_good
        if not face.presets or len(face.blendshapes) >= MIN_ARKIT_NAMES:
            shapes = good.shapes(face.blendshapes, _ALL_ARKIT_NAMES)
            for part, names in _ARKIT_NAMES.items():
                if not shapes.keys().isdisjoint(names):
                    seen.add(part)
        else:
            shapes = {}
            for part, names in _ARKIT_NAMES.items():
                preset_names = _PRESET_NAMES[part]
                if face.presets.keys().isdisjoint(preset_names):
                    found = good.shapes(face.blendshapes, names)
                else:
                    found = good.shapes(face.presets, preset_names)
                if found:
                    seen.add(part)
                    shapes |= found
        if _LIDS in seen:
            seen.add(_EYES)
        return shapes

    def _understood_blinks(
        self, shapes: dict[str, float], iris: IrisTarget, t_ns: int
    ) -> dict[str, float]:
        eyes = self._settings.eyes
        shapes = without_look_down(shapes, BLINK_NAMES, -iris.up, eyes.look_down_compensation)
        if eyes.smart_wink:
            for wink in self._winks:
                shapes = wink.joined(shapes, t_ns)
        # Held before a smile decides which wink a blink becomes; a held wink would stay beside it.
        return self._blink_hold.held(shapes, t_ns)


def _from_neutral(head: HeadPose, neutral: NeutralFace) -> HeadPose:
    return head if neutral.head == _LEVEL else head_from_neutral(head, neutral.head)
