from __future__ import annotations

import math
from itertools import pairwise

import pytest

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.control.vts.errors import RefusedError
from vtbridge.control.vts.face_draft import FaceDraft
from vtbridge.control.vts.injected_faces import InjectedFaces
from vtbridge.control.vts.overlay import SOURCE, Injection, ParameterOverlay
from vtbridge.control.vts.parameters import DEFAULT_PARAMETERS, Parameter
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.pose_schema import THA3
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.arkit import ARKIT_NAMES

FADE_S = 0.5
WHOLE = dict.fromkeys(ARKIT_NAMES, 0.0)
MOVING = {name: row for name, row in DEFAULT_PARAMETERS.items() if row.write is not None}


def read(row: Parameter, draft: FaceDraft) -> float | None:
    assert row.read is not None
    return row.read(draft)


def face_at(t_ns: int, **shapes: float) -> FaceFrame:
    return FaceFrame(t_ns, "vmc:h", blendshapes=WHOLE | shapes, head=HeadPose(0.1, 0.2, 0.3))


def overlaid(*values: Injection, face: FaceFrame | None = None, add: bool = False) -> FaceFrame:
    overlay = ParameterOverlay(FADE_S)
    overlay.inject("p", values, add=add, now_ns=0)
    shown = overlay.blended(face or face_at(0), 0)
    assert shown.source == "vmc:h"
    return shown


def test_face_is_the_very_same_while_nothing_is_injected() -> None:
    face = face_at(0)
    assert ParameterOverlay(FADE_S).blended(face, 0) is face
    lost = FaceFrame(0, tracked=False)
    assert ParameterOverlay(FADE_S).blended(lost, 0) is lost


def test_what_is_written_is_read_back() -> None:
    for name, row in MOVING.items():
        for share in (0.1, 0.5, 0.9):
            for base in (None, face_at(0)):
                draft = FaceDraft(base)
                value = row.low + share * (row.high - row.low)
                assert row.write is not None
                row.write(draft, value)
                assert read(row, draft) == pytest.approx(value), name


def test_rest_is_the_default_and_changes_nothing_of_a_face_at_rest() -> None:
    at_rest = FaceFrame(0, blendshapes=WHOLE, head=HeadPose(), left_eye=Gaze(), right_eye=Gaze())
    for name, row in MOVING.items():
        draft = FaceDraft(at_rest)
        assert read(row, draft) == pytest.approx(row.default), name
        assert row.write is not None
        row.write(draft, row.default)
        shown = draft.frame(0, "")
        assert dict(shown.blendshapes) == WHOLE, name
        assert (shown.head, shown.left_eye, shown.right_eye) == (HeadPose(), Gaze(), Gaze()), name


def test_value_beyond_its_range_still_is_a_face() -> None:
    for name in MOVING:
        for value in (-1e6, 1e6):
            shown = overlaid(Injection(name, value))
            assert all(0.0 <= weight <= 1.0 for weight in shown.blendshapes.values()), name
            assert shown.head is not None
            assert abs(shown.head.yaw_rad) <= math.pi / 2, name


def test_right_of_the_screen_is_the_characters_own_left() -> None:
    shown = overlaid(Injection("FaceAngleX", 30), Injection("EyeLeftX", 1))
    assert shown.head is not None
    assert shown.left_eye is not None
    assert shown.head.yaw_rad == pytest.approx(-math.radians(30))
    assert shown.left_eye.yaw_rad < 0
    assert shown.blendshapes["eyeLookOutLeft"] == 1.0


def test_up_is_up_and_the_rest_of_the_face_stays() -> None:
    shown = overlaid(Injection("FaceAngleY", 20), face=face_at(0, browInnerUp=0.4))
    assert shown.head == HeadPose(math.radians(20), 0.2, 0.3)
    assert shown.blendshapes["browInnerUp"] == 0.4


def test_weight_mixes_with_the_tracked_value() -> None:
    shown = overlaid(Injection("CheekPuff", 1.0, 0.25), face=face_at(0, cheekPuff=0.2))
    assert shown.blendshapes["cheekPuff"] == pytest.approx(0.2 + 0.8 * 0.25)


def test_added_values_come_on_top_of_each_other() -> None:
    overlay = ParameterOverlay(FADE_S)
    overlay.inject("a", [Injection("TongueOut", 0.2)], add=True, now_ns=0)
    overlay.inject("b", [Injection("TongueOut", 0.3, 0.0)], add=True, now_ns=0)
    overlay.inject("a", [Injection("TongueOut", 0.1)], add=True, now_ns=0)
    shown = overlay.blended(face_at(0, tongueOut=0.1), 0)
    assert shown.blendshapes["tongueOut"] == pytest.approx(0.5)


def test_one_eye_moves_both_where_nobody_else_does() -> None:
    overlay = ParameterOverlay(FADE_S)
    overlay.inject("p", [Injection("EyeRightX", -1), Injection("EyeRightY", 0.5)], now_ns=0)
    alone = overlay.alone(0)
    assert alone is not None
    assert alone.left_eye == alone.right_eye
    assert alone.left_eye is not None
    assert alone.left_eye.yaw_rad > 0


def test_presets_move_where_a_tracker_speaks_presets() -> None:
    face = FaceFrame(0, "vmc:h", presets={"aa": 0.1, "blink": 0.0, "lookUp": 0.5})
    shown = overlaid(
        Injection("MouthOpen", 0.8),
        Injection("EyeOpenLeft", 0),
        Injection("EyeLeftY", -1),
        face=face,
    )
    assert shown.presets["aa"] == pytest.approx(0.8)
    assert (shown.presets["blinkLeft"], shown.presets["blinkRight"]) == (1.0, 0.0)
    assert "blink" not in shown.presets
    assert "lookUp" not in shown.presets


def test_value_holds_for_a_second_and_then_goes_smoothly() -> None:
    overlay = ParameterOverlay(FADE_S)
    overlay.inject("p", [Injection("CheekPuff", 1.0)], now_ns=0)

    def puff(seconds: float) -> float:
        t_ns = round(seconds * NS_PER_S)
        return overlay.blended(face_at(t_ns), t_ns).blendshapes["cheekPuff"]

    assert puff(0.999) == 1.0
    going = [puff(1.0 + FADE_S * step / 50) for step in range(51)]
    assert going[0] == 1.0
    assert going[-1] == 0.0
    steps = [before - after for before, after in pairwise(going)]
    assert min(steps) >= 0.0
    assert max(steps) <= 1.6 / 50
    assert not overlay.active(round((1 + FADE_S) * NS_PER_S))


def test_renewed_value_never_goes() -> None:
    overlay = ParameterOverlay(FADE_S)
    for tenth in range(100):
        t_ns = tenth * NS_PER_S * 9 // 10
        overlay.inject("p", [Injection("CheekPuff", 1.0)], now_ns=t_ns)
        later = t_ns + NS_PER_S * 8 // 10
        assert overlay.blended(face_at(later), later).blendshapes["cheekPuff"] == 1.0


def test_refused_injection_changes_nothing() -> None:
    overlay = ParameterOverlay(FADE_S)
    overlay.inject("a", [Injection("CheekPuff", 1.0)], now_ns=0)
    with pytest.raises(RefusedError):
        overlay.inject("b", [Injection("TongueOut", 1.0), Injection("CheekPuff", 0.0)], now_ns=1)
    shown = overlay.blended(face_at(1), 1)
    assert (shown.blendshapes["cheekPuff"], shown.blendshapes["tongueOut"]) == (1.0, 0.0)


class Slot:
    """A slot with injected values and a clock to turn."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.overlay = ParameterOverlay(FADE_S)
        self.faces = InjectedFaces(self.overlay, self.clock, history=64)

    def inject(self, **values: float) -> None:
        rows = [Injection(name, value) for name, value in values.items()]
        self.overlay.inject("p", rows, now_ns=self.clock.now_ns())

    def newest(self) -> FaceFrame:
        stamped = self.faces.peek()
        assert stamped is not None
        return stamped.value


def test_trackers_faces_carry_the_values_and_nothing_is_made_up_beside() -> None:
    slot = Slot()
    slot.inject(CheekPuff=1.0)
    slot.faces.put(face_at(slot.clock.now_ns()))
    slot.clock.advance(0.1)
    assert slot.faces.fill() is True
    assert slot.newest().blendshapes["cheekPuff"] == 1.0
    assert len(slot.faces.newer(0)) == 1


def test_silent_tracker_is_stood_in_for_under_its_own_name() -> None:
    slot = Slot()
    slot.faces.put(face_at(slot.clock.now_ns()))
    slot.clock.advance(0.2)
    slot.inject(CheekPuff=1.0)
    slot.faces.fill()
    assert (slot.newest().source, dict(slot.newest().blendshapes)) == ("vmc:h", {"cheekPuff": 1.0})
    slot.clock.advance(1.0)
    slot.inject(CheekPuff=0.5)
    slot.faces.fill()
    assert slot.newest().source == SOURCE


def test_face_that_its_tracker_lost_is_moved_by_the_values_alone() -> None:
    slot = Slot()
    slot.inject(FaceAngleY=10.0)
    slot.faces.put(FaceFrame(slot.clock.now_ns(), "vmc:h", tracked=False))
    shown = slot.newest()
    assert (shown.tracked, shown.head) == (True, HeadPose(math.radians(10), 0.0, 0.0))
    assert not slot.faces.face_found()


def test_nothing_is_put_where_nothing_is_injected() -> None:
    slot = Slot()
    assert slot.faces.fill() is False
    slot.inject(FacePositionX=3.0)
    assert slot.faces.fill() is True, "it still counts until it has gone"
    assert slot.faces.peek() is None, "but moves no picture"


def test_without_a_tracker_values_move_the_pose_and_let_it_go_without_a_jump() -> None:
    slot, retargeter = Slot(), Retargeter(RetargetSettings())
    shown: list[float] = []
    presences: list[float] = []
    seen = 0
    for beat in range(240):
        now_ns = slot.clock.advance(1 / 60)
        if beat < 60 and beat % 30 == 0:
            slot.inject(FaceAngleX=-30.0)
        if beat % 2 == 0:
            slot.faces.fill()
        for stamped in slot.faces.newer(seen):
            retargeter.feed(stamped.value)
            seen = stamped.seq
        pose = retargeter.pose_at(now_ns)
        presences.append(pose.presence)
        shown.append(float(pose.values[THA3.index["head_y"]]) * pose.presence)
    assert max(shown) > 0.9
    assert shown[-1] == 0.0
    assert presences[100] == 1.0, "a second without renewal holds"
    assert max(abs(a - b) for a, b in pairwise(shown)) < 0.25
