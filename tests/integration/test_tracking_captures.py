"""Datagrams of real senders give plausible faces."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.support.captures import faces_of_capture
from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol


def head_range_deg(frames: list[FaceFrame], angle: str) -> tuple[float, float]:
    degrees = [math.degrees(getattr(frame.head, angle)) for frame in frames]
    return min(degrees), max(degrees)


def test_xr_animators_layout_is_an_arkit_face(captures: Path) -> None:
    frames = faces_of_capture(captures / "vmc_osc-js_xranimator-layout.udpcap", VmcProtocol())
    assert len(frames) == 90
    for frame in frames:
        assert set(frame.blendshapes) == set(ARKIT_NAMES)
        assert frame.presets == {}
        assert frame.left_eye is None  # its eye bones never move
        assert frame.tracked
    jaw = [frame.blendshapes["jawOpen"] for frame in frames]
    assert max(jaw) - min(jaw) > 0.3
    low, high = head_range_deg(frames, "yaw_rad")
    assert -45 < low < high < 45
    assert high - low > 1


def test_node_oscs_whole_numbers_are_read(captures: Path) -> None:
    frames = faces_of_capture(captures / "vmc_node-osc.udpcap", VmcProtocol())
    assert len(frames) == 60
    for frame in frames:
        assert set(frame.presets) == {"aa", "blinkLeft"}
        assert frame.head is not None
        # x moves a little, y is 0.5 and w is 1: 2 atan(0.5) to the own right.
        assert frame.head.yaw_rad == pytest.approx(2 * math.atan(0.5), abs=0.02)
    assert {frame.presets["blinkLeft"] for frame in frames} == {0.0, 1.0}


def test_vmcp_nods_in_one_bundle_a_frame(captures: Path) -> None:
    frames = faces_of_capture(captures / "vmc_vmcp-pypi.udpcap", VmcProtocol())
    assert len(frames) == 60
    assert all(set(frame.presets) == {"aa", "blinkLeft", "blinkRight"} for frame in frames)
    low, high = head_range_deg(frames, "pitch_rad")
    assert -20 < low < -5  # it turns about +X: the nose goes down
    assert high <= 0.1


def test_ifacialmocap_capture_is_a_smiling_person(captures: Path) -> None:
    path = captures / "ifacialmocap_v1_ExpressionAppBridge.udpcap"
    frames = faces_of_capture(path, IFacialMocapProtocol())
    assert len(frames) == 272
    for frame in frames:
        assert set(frame.blendshapes) == set(ARKIT_NAMES)
        assert frame.tracked
        assert frame.left_eye is not None
        assert abs(math.degrees(frame.left_eye.yaw_rad)) < 30
    smiles = [frame.blendshapes["mouthSmileLeft"] for frame in frames]
    assert max(smiles) > 0.6
    for angle in ("pitch_rad", "yaw_rad", "roll_rad"):
        low, high = head_range_deg(frames, angle)
        assert -60 < low < high < 60
    assert frames[0].blendshapes["mouthSmileLeft"] == 0.89
    assert frames[0].head is not None
    assert math.degrees(frames[0].head.pitch_rad) == pytest.approx(-2.976661)
